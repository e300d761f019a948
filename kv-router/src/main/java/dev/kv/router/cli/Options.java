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
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options of every command: the upper layers of the configuration. */
class Options {
    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "A configuration file that overrides config/kv.conf.")
    private Optional<Path> file = Optional.empty();

    @Option(
            names = "-D",
            paramLabel = "KEY=VALUE",
            description = "Sets a key, as -Dkey=value; overrides files and environment.")
    private Map<String, String> overrides = new LinkedHashMap<>();

    @SuppressWarnings("UnusedVariable") // picocli reads it
    @Mixin
    private HelpOption help = new HelpOption();

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

    private Layers layers() {
        return new Layers(home(), file, System.getenv(), overrides);
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
        file.ifPresent(
                path -> words.addAll(List.of("--config", path.toAbsolutePath().toString())));
        overrides.forEach((key, value) -> words.add("-D" + key + "=" + value));
        return words;
    }
}
