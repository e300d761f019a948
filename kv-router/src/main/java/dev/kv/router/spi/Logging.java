package dev.kv.router.spi;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * The service by which a release writes its log ({@link java.util.ServiceLoader}); without one, whatever serves SLF4J writes
 * as it likes.
 */
public interface Logging {
    /** How severe a message is; {@code OFF} is above all of them. */
    enum Level {
        TRACE,
        DEBUG,
        INFO,
        WARN,
        ERROR,
        OFF
    }

    /**
     * Begins to write.
     *
     * @param level the least severe messages that are written
     * @param loggers the same for single loggers and all below them, by name
     * @param folder where the log goes, in files of a bounded size and number; empty: to standard error
     * @throws dev.kv.router.config.BadStart if the files cannot be written
     */
    void start(Level level, Map<String, Level> loggers, Optional<Path> folder);
}
