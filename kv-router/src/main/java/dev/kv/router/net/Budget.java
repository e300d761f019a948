package dev.kv.router.net;

import java.util.concurrent.atomic.AtomicLong;

/** An amount of memory that many connections share. Any thread. */
public final class Budget {
    private final long bytes;
    private final AtomicLong leftBytes;

    public Budget(long bytes) {
        this.bytes = bytes;
        leftBytes = new AtomicLong(bytes);
    }

    /** Takes the bytes if they are free; returns whether they were. */
    public boolean take(long bytes) {
        if (leftBytes.addAndGet(-bytes) >= 0) {
            return true;
        }
        leftBytes.addAndGet(bytes);
        return false;
    }

    /** Takes the bytes, even if fewer are free. */
    public void charge(long bytes) {
        leftBytes.addAndGet(-bytes);
    }

    /** Gives back bytes that were taken or charged. */
    public void give(long bytes) {
        leftBytes.addAndGet(bytes);
    }

    /** Whether nothing is free. */
    public boolean isSpent() {
        return leftBytes.get() <= 0;
    }

    /** Whether less than a quarter is free. */
    boolean isScarce() {
        return leftBytes.get() < bytes / 4;
    }

    /** The free bytes; negative if more was charged than there is. */
    long leftBytes() {
        return leftBytes.get();
    }
}
