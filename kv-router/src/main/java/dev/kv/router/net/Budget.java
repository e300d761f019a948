package dev.kv.router.net;

import java.util.concurrent.atomic.AtomicLong;

/** An amount of memory that many connections share. Any thread. */
public final class Budget {
    private final AtomicLong leftBytes;

    public Budget(long bytes) {
        leftBytes = new AtomicLong(bytes);
    }

    /** Takes that much, if it is there. */
    public boolean take(long bytes) {
        if (leftBytes.addAndGet(-bytes) >= 0) {
            return true;
        }
        leftBytes.addAndGet(bytes);
        return false;
    }

    /** Takes that much, even if it is not there. */
    public void charge(long bytes) {
        leftBytes.addAndGet(-bytes);
    }

    /** Gives back what was taken or charged. */
    public void give(long bytes) {
        leftBytes.addAndGet(bytes);
    }

    /** Whether nothing can be taken. */
    public boolean isSpent() {
        return leftBytes.get() <= 0;
    }

    /** How much can be taken; less than zero if more was charged. */
    long leftBytes() {
        return leftBytes.get();
    }
}
