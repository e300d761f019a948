package dev.kv.router.testing;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;

/** Polls for what another thread or process does, for {@link #TIMEOUT} at most. */
public final class Await {
    public static final Duration TIMEOUT = Duration.ofSeconds(20);
    private static final Duration PAUSE = Duration.ofMillis(5);

    private Await() {}

    /** Returns when the condition holds. Where it is called tells what was waited for. */
    public static void until(Callable<Boolean> condition) throws Exception {
        until("what is awaited", condition);
    }

    /**
     * Returns when the condition holds.
     *
     * @param what what the condition stands for, for the message of the failure
     * @throws AssertionError if it does not hold within the timeout
     */
    public static void until(String what, Callable<Boolean> condition) throws Exception {
        long start = System.nanoTime();
        while (!condition.call()) {
            if (System.nanoTime() - start > TIMEOUT.toNanos()) {
                throw new AssertionError("not within " + TIMEOUT.toSeconds() + " s: " + what);
            }
            LockSupport.parkNanos(PAUSE.toNanos());
        }
    }
}
