package dev.kv.storage.engine;

import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.StampedLock;

/** Holds the lock of a {@link Shard} for writing while a large change is applied, and leaves it to others at intervals. One thread. */
final class Slices implements AutoCloseable {
    /** The caller holds the lock throughout. */
    static final Slices NONE = new Slices(null);

    /**
     * How long it holds the lock, and then leaves it to others. No key: it is as long as a turn of a command with the usual {@code
     * kv.storage.large.keys}.
     */
    private static final long SLICE_NANOS = 1_000_000;

    /** How long it leaves the lock to others: time for a thread that waits to wake up. */
    private static final long PAUSE_NANOS = 100_000;

    /** After how many fields it looks at the clock. */
    private static final int FIELDS_AT_ONCE = 16;

    private final StampedLock lock;
    private long stamp;
    private long until;

    /** Takes the lock. */
    Slices(StampedLock lock) {
        this.lock = lock;
        begin();
    }

    private void begin() {
        if (lock != null) {
            stamp = lock.writeLock();
            until = System.nanoTime() + SLICE_NANOS;
        }
    }

    /** Whether others may have had the lock since the change was made. */
    boolean areUsed() {
        return lock != null;
    }

    /** Leaves the lock to others, if it was held for long enough. */
    void next(int fieldsDone) {
        if (lock != null && fieldsDone % FIELDS_AT_ONCE == 0 && System.nanoTime() - until > 0) {
            lock.unlockWrite(stamp);
            // Without a pause this thread would take the lock again before a waiting one wakes up.
            LockSupport.parkNanos(PAUSE_NANOS);
            begin();
        }
    }

    @Override
    public void close() {
        lock.unlockWrite(stamp);
    }
}
