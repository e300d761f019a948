package dev.kv.logging;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.OutputStreamAppender;
import ch.qos.logback.core.rolling.FixedWindowRollingPolicy;
import ch.qos.logback.core.rolling.RollingFileAppender;
import ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy;
import ch.qos.logback.core.spi.ContextAwareBase;
import ch.qos.logback.core.status.Status;
import ch.qos.logback.core.util.Duration;
import ch.qos.logback.core.util.FileSize;
import dev.kv.router.config.BadStart;
import dev.kv.router.spi.Logging;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.slf4j.LoggerFactory;

/**
 * Writes the log with Logback, without configuration files: to standard error, or to {@code kv.log} in a folder, beside up to
 * nine older files of 16 MiB.
 *
 * <p>As Logback's {@link Configurator} it makes sure that nothing but warnings is written before a node says how it logs, and
 * nothing ever to standard output, which belongs to the results of commands.
 */
public final class LogbackLogging extends ContextAwareBase implements Configurator, Logging {
    private static final String PATTERN = "%d{\"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'\", UTC} %-5level %logger: %msg%n";

    /** Where ZooKeeper's command line calls any status but 0 an error, after it has told why. */
    private static final String EXIT = "org.apache.zookeeper.util.ServiceUtils";

    private static final FileSize FILE_MAX = FileSize.valueOf("16MB");
    private static final int OLDER_FILES_MAX = 9;

    @Override
    public ExecutionStatus configure(LoggerContext context) {
        configure(context, Logging.Level.WARN, Map.of(EXIT, Logging.Level.OFF), standardError());
        return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
    }

    @Override
    public void start(Logging.Level level, Map<String, Logging.Level> loggers, Optional<Path> folder) {
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        context.reset();
        // What goes wrong with the log itself, such as a full disk, has no other place.
        context.getStatusManager().add((Status status) -> {
            if (status.getEffectiveLevel() >= Status.WARN) {
                System.err.println("kv: the log: " + status.getMessage());
            }
        });
        OutputStreamAppender<ILoggingEvent> appender =
                folder.map(path -> files(context, path)).orElseGet(LogbackLogging::standardError);
        configure(context, level, loggers, appender);
        if (!appender.isStarted()) {
            throw new BadStart("kv.node.dir: cannot write the log in " + folder.orElseThrow());
        }
    }

    private static void configure(
            LoggerContext context,
            Logging.Level level,
            Map<String, Logging.Level> loggers,
            OutputStreamAppender<ILoggingEvent> appender) {
        PatternLayoutEncoder encoder = new PatternLayoutEncoder();
        encoder.setContext(context);
        encoder.setPattern(PATTERN);
        encoder.start();
        appender.setContext(context);
        appender.setEncoder(encoder);
        appender.start();
        Logger root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        root.setLevel(ch.qos.logback.classic.Level.toLevel(level.name()));
        root.addAppender(appender);
        loggers.forEach((name, ofLogger) ->
                context.getLogger(name).setLevel(ch.qos.logback.classic.Level.toLevel(ofLogger.name())));
    }

    private static OutputStreamAppender<ILoggingEvent> standardError() {
        ConsoleAppender<ILoggingEvent> appender = new ConsoleAppender<>();
        appender.setTarget("System.err");
        return appender;
    }

    private static OutputStreamAppender<ILoggingEvent> files(LoggerContext context, Path folder) {
        String file = folder.resolve("kv.log").toString();
        RollingFileAppender<ILoggingEvent> appender = new RollingFileAppender<>();
        appender.setFile(file);
        FixedWindowRollingPolicy names = new FixedWindowRollingPolicy();
        names.setContext(context);
        names.setParent(appender);
        names.setFileNamePattern(file.replace("\\", "\\\\").replace("%", "\\%") + ".%i");
        names.setMinIndex(1);
        names.setMaxIndex(OLDER_FILES_MAX);
        names.start();
        SizeBasedTriggeringPolicy<ILoggingEvent> size = new SizeBasedTriggeringPolicy<>();
        size.setContext(context);
        size.setMaxFileSize(FILE_MAX);
        // Else it looks once a minute, in which a flood fills a disk.
        size.setCheckIncrement(Duration.buildByMilliseconds(0));
        size.start();
        appender.setRollingPolicy(names);
        appender.setTriggeringPolicy(size);
        return appender;
    }
}
