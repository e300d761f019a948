package dev.kv.server;

import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Polls for what other threads do. */
final class Eventually {
    private static final long TIMEOUT_NANOS = 20_000_000_000L;
    private static final long PAUSE_NANOS = 1_000_000;

    private Eventually() {}

    /**
     * Returns when the condition holds.
     *
     * @param what what the condition stands for, for the message of the failure
     */
    static void until(String what, BooleanSupplier condition) throws TimeoutException {
        long start = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - start > TIMEOUT_NANOS) {
                throw new TimeoutException("not within 20 s: " + what);
            }
            LockSupport.parkNanos(PAUSE_NANOS);
        }
    }
}
