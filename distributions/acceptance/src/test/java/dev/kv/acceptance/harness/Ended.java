package dev.kv.acceptance.harness;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigSyntax;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A process that has run to its end.
 *
 * @param status its exit status
 * @param out what it wrote to standard output
 * @param err what it wrote to standard error
 */
public record Ended(int status, String out, String err) {
    private static final Duration TIMEOUT = Duration.ofSeconds(60);

    public static Ended of(String... command) {
        return of(new ProcessBuilder(command));
    }

    /** Runs a process to its end, for a minute at most. */
    public static Ended of(ProcessBuilder command) {
        try {
            // Files in place of pipes: its children in the background may keep pipes open.
            Path out = Files.createTempFile("kv", ".out");
            Path err = Files.createTempFile("kv", ".err");
            try {
                Process process = command.redirectOutput(out.toFile())
                        .redirectError(err.toFile())
                        .start();
                if (!process.waitFor(TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                    throw new AssertionError(
                            "does not end: " + command.command() + "\n" + Files.readString(err, UTF_8));
                }
                return new Ended(process.exitValue(), Files.readString(out, UTF_8), Files.readString(err, UTF_8));
            } finally {
                Files.delete(out);
                Files.delete(err);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }

    /** Checks that it ended with success, and wrote nothing to standard error. */
    public Ended succeeded() {
        assertThat(status).as(err).isZero();
        assertThat(err).isEmpty();
        return this;
    }

    /** Its standard output, parsed as JSON. */
    public Config json() {
        return ConfigFactory.parseString(out, ConfigParseOptions.defaults().setSyntax(ConfigSyntax.JSON));
    }

    /** The lines of standard error. */
    public List<String> complaints() {
        return err.lines().toList();
    }
}
