package dev.kv.storage.log;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * A thread of the storage that works in turns until it is told to end. No fault of a turn ends it: the fault is a
 * {@linkplain Troubles trouble} of its name, and the next turn begins after a pause.
 */
public final class BackgroundThread {
    /** No key: long enough that a fault of every turn takes no processor time, short enough for what waits for the thread. */
    private static final Duration AFTER_FAULT = Duration.ofSeconds(1);

    /** No key: a system call that takes longer cannot be interrupted, and the next start reads the log as after a crash. */
    private static final Duration END_MAX = Duration.ofSeconds(30);

    private final String name;
    private final Troubles troubles;
    private final Turn turn;
    private final Thread thread;
    private volatile boolean isEnding;

    /** The work of the thread, a turn at a time. */
    @FunctionalInterface
    public interface Turn {
        /** Works for a while; returns the pause before the next turn in nanoseconds, which a wake cuts short. */
        long run();
    }

    public BackgroundThread(String name, Troubles troubles, Turn turn) {
        this.name = name;
        this.troubles = troubles;
        this.turn = turn;
        this.thread = Thread.ofPlatform().name(name).daemon().unstarted(this::run);
    }

    public void start() {
        thread.start();
    }

    private void run() {
        while (!isEnding) {
            long pauseNanos = pauseNanos();
            if (pauseNanos > 0 && !isEnding) {
                LockSupport.parkNanos(this, pauseNanos);
            }
        }
    }

    private long pauseNanos() {
        try {
            long nanos = turn.run();
            troubles.over(name);
            return nanos;
        } catch (Throwable fault) {
            tell(fault);
            return AFTER_FAULT.toNanos();
        }
    }

    private void tell(Throwable fault) {
        try {
            troubles.fault(name, fault);
        } catch (Throwable untold) {
            // There may be no memory to tell it. The next turn goes on all the same.
            fault.addSuppressed(untold);
        }
    }

    /** Begins the next turn at once. Any thread. */
    public void wake() {
        LockSupport.unpark(thread);
    }

    /** Whether it was told to end. */
    boolean isEnding() {
        return isEnding;
    }

    /** Whether it has ended without {@link #end}, which is a fault. */
    public boolean isDead() {
        return !thread.isAlive() && !isEnding;
    }

    /** Ends the thread after its turn. Waits for that, within a bound. */
    public void end() {
        isEnding = true;
        wake();
        try {
            thread.join(END_MAX);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
