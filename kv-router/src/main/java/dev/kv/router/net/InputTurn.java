package dev.kv.router.net;

/** Tells when messages have been taken of one connection for as long as a turn. It asks the clock, which takes 25 ns, seldom. On one loop only. */
final class InputTurn {
    /**
     * Between two looks at the clock, messages are taken whose bytes and whose answers are together this long, each counted as
     * MESSAGE_BYTES more: 20 to 30 short ones, some 20 us.
     */
    private static final int UNTIMED_BYTES = 32 * 1024;

    private static final int MESSAGE_BYTES = 1024;

    /** What is taken of one connection in one of the turns that it has with others. No key: kv.router.io-turn-max bounds all turns together. */
    private static final long TURN_NANOS = 100_000;

    private final Loop loop;
    private boolean isShared;
    private long untilNanos;
    private boolean isTimed;
    private long untimedBytes;

    InputTurn(Loop loop) {
        this.loop = loop;
    }

    /**
     * Begins a turn, which is over at a look at the clock.
     *
     * @param isOfReads whether it shares the time of kv.router.io-turn-max with all connections that were read in this iteration of the
     *     loop; else it has a time of its own
     */
    void begin(boolean isOfReads) {
        isShared = isOfReads;
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
        if (!isTimed) {
            isTimed = true;
            untilNanos = isShared ? loop.nanos() + loop.turnsMaxNanos() : now + TURN_NANOS;
        }
        return now - untilNanos >= 0;
    }
}
