package dev.kv.storage.engine;

import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * The number of keys, and of bytes of keys and values, that a command may touch on the calling thread. A command that touches more ends
 * with {@link TooMuch} before it changes anything, and runs again on a thread for large commands. There, a read has any number of
 * turns, and ends between two of them when its reply is cancelled.
 */
public final class Turn {
    /** A turn of a large command: about a millisecond. */
    static final Limits OF_LARGE = new Limits(1_000, 1L << 20);

    private final Optional<BooleanSupplier> isCancelled;
    private long keys;
    private long bytes;

    /** The time as of which the command runs, in milliseconds since 1970; 0: nothing has expired for it. */
    private long nowMillis;

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

    /** The reply to a large read is cancelled. */
    static final class Cancelled extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private Cancelled() {
            super("the reply is cancelled", null, false, false);
        }
    }

    /**
     * The turn of a command.
     *
     * @param nowMillis the time as of which it runs, of {@link Buckets#now}; 0: nothing has expired for it
     */
    Turn(Limits limits, long nowMillis) {
        this(limits, nowMillis, Optional.empty());
    }

    private Turn(Limits limits, long nowMillis, Optional<BooleanSupplier> isCancelled) {
        this.isCancelled = isCancelled;
        begin(limits, nowMillis);
    }

    /**
     * The turns of a large read, any number of them.
     *
     * @param nowMillis as for {@link #Turn(Limits, long)}
     * @param isCancelled asked after each turn: if true, the read ends with {@link Cancelled}
     */
    static Turn ofLarge(long nowMillis, BooleanSupplier isCancelled) {
        return new Turn(OF_LARGE, nowMillis, Optional.of(isCancelled));
    }

    /** The time as of which the command runs. */
    long nowMillis() {
        return nowMillis;
    }

    /** Begins the turn of another command. */
    void begin(Limits limits, long ofNowMillis) {
        nowMillis = ofNowMillis;
        begin(limits);
    }

    private void begin(Limits limits) {
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
        work(ofBytes);
    }

    /**
     * Takes bytes for other work than reading.
     *
     * @throws TooMuch if the turn has no room for it
     */
    void work(long ofBytes) {
        bytes -= ofBytes;
        if ((keys | bytes) < 0) {
            end();
        }
    }

    private void end() {
        if (isCancelled.isEmpty()) {
            throw new TooMuch();
        }
        if (isCancelled.get().getAsBoolean()) {
            throw new Cancelled();
        }
        begin(OF_LARGE);
    }

    /**
     * Ends a command before it touches anything, if it will touch more than is left.
     *
     * @param moreKeys the number of keys that it will touch at least
     * @param moreBytes the number of bytes of them and their values
     * @throws TooMuch if the turn has no room for that
     */
    void check(long moreKeys, long moreBytes) {
        if (isCancelled.isEmpty() && (moreKeys > keys || moreBytes > bytes)) {
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
