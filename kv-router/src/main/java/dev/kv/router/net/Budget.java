package dev.kv.router.net;

import java.util.concurrent.atomic.AtomicLong;

/** An amount of memory that many connections share. Any thread. */
public final class Budget {
    /** The regions of the heap, as the collector (G1) divides it: 2048 or fewer, of a power of two of 1 to 32 MiB. */
    private static final long REGION_BYTES =
            Math.clamp(2 * Long.highestOneBit(Runtime.getRuntime().maxMemory() / 2048 - 1), 1 << 20, 32 << 20);

    private static final int ARRAY_HEADER_BYTES = 16;

    /** The input of a connection that is not charged. No key: it is as much as a connection takes beside it. */
    private static final int SHORT_INPUT_BYTES = 4 * 1024;

    private final long bytes;
    private final AtomicLong leftBytes;

    public Budget(long bytes) {
        this.bytes = bytes;
        leftBytes = new AtomicLong(bytes);
    }

    /**
     * What an array of this length takes of the heap: from half a region on it has whole regions for itself, up to twice its length. No
     * budget may count less for it: many arrays of half a megabyte would fill a small heap.
     */
    public static long ofArray(long lengthBytes) {
        long bytes = lengthBytes + ARRAY_HEADER_BYTES;
        return bytes < REGION_BYTES / 2 ? lengthBytes : (bytes + REGION_BYTES - 1) / REGION_BYTES * REGION_BYTES;
    }

    /**
     * What the input that one connection keeps counts as. Short input counts as nothing: a client that sends short requests is not closed for
     * what others take.
     */
    public static long ofInput(long lengthBytes) {
        return Math.max(0, lengthBytes - SHORT_INPUT_BYTES);
    }

    /** Takes the bytes if they are free; returns whether they were. */
    public boolean take(long bytes) {
        if (bytes == 0 || leftBytes.addAndGet(-bytes) >= 0) {
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
    public boolean isScarce() {
        return leftBytes.get() < bytes / 4;
    }

    /** The free bytes; negative if more was charged than there is. */
    long leftBytes() {
        return leftBytes.get();
    }
}
