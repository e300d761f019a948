package dev.kv.storage.engine;

/**
 * The number of keys, and of bytes of keys and values, that a command may touch on the calling thread. A command that touches more ends
 * with {@link TooMuch} before it changes anything, and runs again on a thread for large commands.
 */
public final class Turn {
    private long keys;
    private long bytes;

    /**
     * The bounds of a turn.
     *
     * @param keys how many keys or buckets it touches at most
     * @param bytes how many bytes of keys and values
     */
    public record Limits(int keys, long bytes) {
        static final Limits NONE = new Limits(Integer.MAX_VALUE, Long.MAX_VALUE);
    }

    /** The command touches more than its turn has left. */
    static final class TooMuch extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private TooMuch() {
            super("more than one turn", null, false, false);
        }
    }

    Turn(Limits limits) {
        begin(limits);
    }

    /** Begins a turn. */
    void begin(Limits limits) {
        keys = limits.keys == Integer.MAX_VALUE ? Long.MAX_VALUE : limits.keys;
        bytes = limits.bytes;
    }

    /**
     * A key is touched.
     *
     * @param ofBytes the bytes of the key and of its value, as far as they are read or written
     * @throws TooMuch if the turn has no room for it
     */
    void take(long ofBytes) {
        keys--;
        bytes -= ofBytes;
        if ((keys | bytes) < 0) {
            throw new TooMuch();
        }
    }

    /**
     * Ends a command before it touches anything, if it will touch more than is left.
     *
     * @param moreKeys the number of keys that it will touch at least
     * @param moreBytes the number of bytes of them and their values
     * @throws TooMuch if the turn has no room for that
     */
    void check(long moreKeys, long moreBytes) {
        if (moreKeys > keys || moreBytes > bytes) {
            throw new TooMuch();
        }
    }

    /** Ends the command if one key with its value is more than a turn. */
    static void check(long ofBytes, Limits limits) {
        if (ofBytes > limits.bytes) {
            throw new TooMuch();
        }
    }
}
