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
import picocli.CommandLine.Option;

/** What every command takes: the upper layers of the configuration. */
final class Options {
    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "A configuration file that wins over config/kv.conf.")
    private Optional<Path> file = Optional.empty();

    @Option(names = "-D", paramLabel = "KEY=VALUE", description = "As -Dkey=value: sets a key; wins over all else.")
    private Map<String, String> overrides = new LinkedHashMap<>();

    @SuppressWarnings("UnusedVariable") // picocli looks at it
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Prints this text.")
    private boolean help;

    /** The release's folder, as bin/kv tells it; else the current one. */
    static Path home() {
        return Path.of(System.getProperty("kv.home", "")).toAbsolutePath();
    }

    /** Writes warnings to standard error from now on, less those of the loggers of these names. */
    static void warn(Map<String, Logging.Level> loggers) {
        ServiceLoader.load(Logging.class)
                .findFirst()
                .ifPresent(logging -> logging.start(Logging.Level.WARN, loggers, Optional.empty()));
    }

    Settings settings() {
        return new Layers(home(), file, System.getenv(), overrides).load();
    }

    Release release() {
        return Release.of(home());
    }

    Node.Ready configure() {
        return Node.configure(settings(), release());
    }

    /** The words that give another command these options. */
    List<String> words() {
        List<String> words = new ArrayList<>();
        file.ifPresent(
                path -> words.addAll(List.of("--config", path.toAbsolutePath().toString())));
        overrides.forEach((key, value) -> words.add("-D" + key + "=" + value));
        return words;
    }
}
