package dev.kv.router.net;

/** Tells when messages have been taken of one connection for as long as a turn. It asks the clock, which takes 25 ns, seldom. On one loop only. */
final class InputTurn {
    /**
     * Between two looks at the clock, messages are taken whose bytes and whose answers are together this long, each counted as
     * MESSAGE_BYTES more: 20 to 30 short ones, some 20 us.
     */
    private static final int UNTIMED_BYTES = 32 * 1024;

    private static final int MESSAGE_BYTES = 1024;

    private long maxNanos;
    private long untilNanos;
    private boolean isTimed;
    private long untimedBytes;

    /** Begins a turn: it is over at the first look at the clock that is so long after the first one. */
    void begin(long longestNanos) {
        maxNanos = longestNanos;
        isTimed = false;
        untimedBytes = 0;
    }

    /**
     * A message was taken.
     *
     * @param bytes of the message and of its answer
     */
    void took(long bytes) {
        untimedBytes += MESSAGE_BYTES + bytes;
    }

    boolean isOver() {
        if (untimedBytes < UNTIMED_BYTES) {
            return false;
        }
        untimedBytes = 0;
        long now = System.nanoTime();
        if (isTimed) {
            return now - untilNanos >= 0;
        }
        isTimed = true;
        untilNanos = now + maxNanos;
        return false;
    }
}
