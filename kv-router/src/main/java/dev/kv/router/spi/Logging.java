package dev.kv.router.spi;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * The service that writes the log ({@link java.util.ServiceLoader}); without one, the SLF4J provider keeps its own
 * configuration.
 */
public interface Logging {
    /** The level of a message; {@code OFF} disables all. */
    enum Level {
        TRACE,
        DEBUG,
        INFO,
        WARN,
        ERROR,
        OFF
    }

    /**
     * Starts logging.
     *
     * @param level the lowest level that is written
     * @param loggers levels of single loggers and all below them, by name
     * @param folder the folder for log files, of bounded size and number; empty: standard error
     * @throws dev.kv.router.config.BadStart if the files cannot be written
     */
    void start(Level level, Map<String, Level> loggers, Optional<Path> folder);
}
