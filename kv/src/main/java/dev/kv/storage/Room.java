package dev.kv.storage;

import java.util.concurrent.atomic.AtomicLong;

/** The bytes that the buckets of a node may hold together. Any thread. */
final class Room {
    private final long max;
    private final AtomicLong used = new AtomicLong();

    Room(long max) {
        this.max = max;
    }

    /** Takes so many bytes, or none and answers false if there are not as many left. */
    boolean take(long bytes) {
        long before = used.get();
        while (bytes <= max - before) {
            long seen = used.compareAndExchange(before, before + bytes);
            if (seen == before) {
                return true;
            }
            before = seen;
        }
        return false;
    }

    void giveBack(long bytes) {
        used.addAndGet(-bytes);
    }

    /** The bytes taken. */
    long used() {
        return used.get();
    }

    long max() {
        return max;
    }
}
