package dev.kv.acceptance.harness;

import java.time.Duration;

/** Time by {@link System#nanoTime}. */
public final class Elapsed {
    private Elapsed() {}

    public static Duration since(long startNanos) {
        return Duration.ofNanos(System.nanoTime() - startNanos);
    }
}
