package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;

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
record Ended(int status, String out, String err) {
    private static final Duration TIMEOUT = Duration.ofSeconds(60);

    static Ended of(String... command) {
        return of(new ProcessBuilder(command));
    }

    /** Runs a process to its end, which has to come within a minute. */
    static Ended of(ProcessBuilder command) {
        try {
            // Files, and not pipes: what it leaves running in the background may hold them open.
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

    /** The lines of standard error. */
    List<String> complaints() {
        return err.lines().toList();
    }
}
