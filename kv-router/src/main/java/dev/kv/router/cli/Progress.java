package dev.kv.router.cli;

import java.io.Console;
import java.time.Duration;
import java.util.function.Consumer;

/** Shows the progress of a long command on standard error from time to time, if that is a terminal. */
final class Progress implements Consumer<String> {
    private static final Duration INTERVAL = Duration.ofSeconds(2);

    private final boolean isTerminal = isTerminal();
    private long toldNanos = System.nanoTime();

    @SuppressWarnings(
            "SystemConsoleNull") // without the module of line editing there is none where nothing is a terminal
    private static boolean isTerminal() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }

    @Override
    public void accept(String what) {
        if (isTerminal && System.nanoTime() - toldNanos > INTERVAL.toNanos()) {
            System.err.println(what);
            toldNanos = System.nanoTime();
        }
    }
}
