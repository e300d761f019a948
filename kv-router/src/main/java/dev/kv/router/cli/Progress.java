package dev.kv.router.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;

/** Shows the progress of a long command on standard error, if that is a terminal: at once, and then from time to time. */
final class Progress implements Consumer<String> {
    private static final Duration INTERVAL = Duration.ofSeconds(2);

    /** Java tells only whether standard input and output are terminals. */
    private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");

    private final boolean isTerminal = isTerminal();
    private long dueNanos = System.nanoTime();

    private static boolean isTerminal() {
        try {
            return Files.readSymbolicLink(STANDARD_ERROR).toString().matches("/dev/(pts/\\d+|tty\\w*|console)");
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public void accept(String what) {
        if (isTerminal && System.nanoTime() - dueNanos >= 0) {
            System.err.println(what);
            dueNanos = System.nanoTime() + INTERVAL.toNanos();
        }
    }
}
