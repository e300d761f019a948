package dev.kv.router.cli;

import dev.kv.router.config.Layers;
import dev.kv.router.config.Settings;
import dev.kv.router.node.Node;
import dev.kv.router.node.Release;
import dev.kv.router.spi.Logging;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;

/** The options of every command: the upper layers of the configuration. */
class Options {
    private final Word file = Word.option("--config", "FILE", "A configuration file that overrides config/kv.conf.");

    private final Word overrides =
            Word.repeated("-D", "KEY=VALUE", "Sets a key, as -Dkey=value; overrides files and environment.");

    List<Word> taken() {
        return List.of(file, overrides);
    }

    /** The release's folder, which bin/kv sets; without it the current folder. */
    static Path home() {
        return Path.of(System.getProperty("kv.home", "")).toAbsolutePath();
    }

    /** Logs warnings to standard error from now on, with other levels for the loggers of these names. */
    static void warn(Map<String, Logging.Level> loggers) {
        ServiceLoader.load(Logging.class)
                .findFirst()
                .ifPresent(logging -> logging.start(Logging.Level.WARN, loggers, Optional.empty()));
    }

    Settings settings() {
        return layers().load();
    }

    private Optional<Path> file() {
        return file.isGiven() ? Optional.of(file.path()) : Optional.empty();
    }

    private Map<String, String> overrides() {
        Map<String, String> values = new LinkedHashMap<>();
        for (String override : overrides.values()) {
            int equals = override.indexOf('=');
            if (equals < 0) {
                throw overrides.expected(override, overrides.label());
            }
            values.put(override.substring(0, equals), override.substring(equals + 1));
        }
        return values;
    }

    private Layers layers() {
        return new Layers(home(), file(), System.getenv(), overrides());
    }

    /** Says on standard error which variables of the environment look like some of kv and set nothing. */
    void warnOfIdleVariables() {
        layers().idleVariables().forEach(line -> System.err.println("kv: " + line));
    }

    Release release() {
        return Release.of(home());
    }

    Node.Ready configure() {
        return Node.configure(settings(), release());
    }

    /** These options as words of a command line. */
    List<String> words() {
        List<String> words = new ArrayList<>();
        file().ifPresent(path ->
                words.addAll(List.of("--config", path.toAbsolutePath().toString())));
        overrides.values().forEach(override -> words.add("-D" + override));
        return words;
    }
}
