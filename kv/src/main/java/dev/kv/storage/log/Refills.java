package dev.kv.storage.log;

import java.time.Duration;

/** How often the reserve for deletes was made again after a delete had found it too small, and who waits for that. Any thread. */
final class Refills {
    /** How often a thread that waits says so. No key: half of the shortest time in which another node has to hear of it. */
    private static final long WAITING_MILLIS = 25;

    private long count;

    /** Size in bytes of the largest delete for which the reserve is too small; 0 if there is none. */
    private long lackingBytes;

    /** When the first of these deletes found it too small. */
    private long lackingNanos;

    private boolean isEnding;

    /** A delete found the reserve too small; returns how often it was made again before. */
    synchronized long lack(long bytes) {
        lackingNanos = lackingBytes == 0 ? System.nanoTime() : lackingNanos;
        lackingBytes = Math.max(lackingBytes, bytes);
        return count;
    }

    /** Size in bytes of the largest delete for which the reserve is too small; 0 if there is none. */
    synchronized long lackingBytes() {
        return lackingBytes;
    }

    /** The reserve has this size in bytes now. */
    synchronized void kept(long bytes) {
        if (lackingBytes > 0 && bytes >= lackingBytes) {
            count++;
            lackingBytes = 0;
            notifyAll();
        }
    }

    /**
     * Waits until the reserve has been made again. By a thread that holds no lock of a shard.
     *
     * @param seen how often it had been made again when a delete found it too small
     * @param max how long compaction may take, from the first delete that found it too small
     * @param waiting run again and again meanwhile
     * @return whether it has been made again; false if that takes longer, or the node stops
     */
    synchronized boolean await(long seen, Duration max, Runnable waiting) {
        try {
            while (count == seen && !isEnding) {
                long leftNanos = max.toNanos() - (System.nanoTime() - lackingNanos);
                if (leftNanos <= 0) {
                    return false;
                }
                wait(Math.min(leftNanos / 1_000_000 + 1, WAITING_MILLIS));
                waiting.run();
            }
            return !isEnding;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Ends every {@link #await}, now and later: the node stops. */
    synchronized void end() {
        isEnding = true;
        notifyAll();
    }
}
