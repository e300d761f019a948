package dev.kv.server;

import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waits for what other threads are about to do. */
final class Await {
    private static final long TIMEOUT_NANOS = 20_000_000_000L;
    private static final long PAUSE_NANOS = 1_000_000;

    private Await() {}

    static void until(BooleanSupplier condition) throws TimeoutException {
        long start = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - start > TIMEOUT_NANOS) {
                throw new TimeoutException("it did not come to that");
            }
            LockSupport.parkNanos(PAUSE_NANOS);
        }
    }
}
