package dev.kv.storage.engine;

/**
 * Bounds what waits in two queues: large commands for a thread, and commands in {@link Lanes}. Each queue has a bound on its number of
 * commands; both share one on bytes of memory. An empty queue takes any command. Any thread.
 */
final class WaitLimits {
    private final long bytesMax;
    private long bytes;

    /**
     * @param bytesMax bytes of memory that the commands of all queues take at most
     */
    WaitLimits(long bytesMax) {
        this.bytesMax = bytesMax;
    }

    /** A queue for at most this number of commands. */
    Queue queue(int max) {
        return new Queue(max);
    }

    /** The number of commands of one queue. */
    final class Queue {
        private final int max;
        private int count;

        private Queue(int max) {
            this.max = max;
        }

        /** Counts a command in, if it may wait; returns whether it may. */
        boolean take(long ofBytes) {
            synchronized (WaitLimits.this) {
                if (count >= max || (count > 0 && bytes + ofBytes > bytesMax)) {
                    return false;
                }
                count++;
                bytes += ofBytes;
                return true;
            }
        }

        /** Counts a command out. */
        void give(long ofBytes) {
            synchronized (WaitLimits.this) {
                count--;
                bytes -= ofBytes;
            }
        }
    }
}
