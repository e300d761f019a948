package dev.kv.router;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * A large value where it is kept, such as the mapped file of a log: nothing of it is copied until somebody reads it.
 *
 * <p>It has one owner at a time: whoever is given the {@link Reply.LargeValue} that holds it. The owner hands it on with the
 * reply, or releases it, also when nobody awaits the reply any more. It may pass from thread to thread, and is used by one of
 * them at a time.
 */
public interface Held {
    /** The length of the value in bytes. */
    int size();

    /**
     * Checks a further part of the value against its checksum, so that a caller can give way to others between the parts. No
     * byte of the value may be used before all of it was found sound.
     *
     * @param maxBytes how much to check at most, above zero
     * @param seen is shown what is read, in order
     * @return empty while more is to be checked; then {@link Reply#OK}, or why the value cannot be read
     */
    Optional<Reply> check(int maxBytes, Seen seen);

    /**
     * The whole value, read-only, for as long as it is held. It may be mapped memory of which a page can become unreadable: it is
     * to be copied in bulk or handed to a channel, either of which may fail, and not to be read byte by byte.
     */
    ByteBuffer bytes();

    /** For how long another one has waited for what the value takes, in nanoseconds; below 0 if nobody waits. Any thread. */
    default long waitedForNanos() {
        return -1;
    }

    /**
     * The value, if it is an array of this process, which stays when this is released; empty if it is in a file. Who keeps a value while
     * it waits for others takes it from here and releases this, so that nobody waits for the memory of two.
     */
    default Optional<Bytes> inMemory() {
        return Optional.empty();
    }

    /** Lets go of the value; {@link #bytes} must not be used any more. Does nothing the second time. */
    void release();

    /** Whether something is held for a reply: then its owner releases it, hands it on, or makes it flat. */
    static boolean isIn(Reply reply) {
        if (reply instanceof Reply.Many(List<Reply> replies)) {
            for (Reply one : replies) {
                if (isIn(one)) {
                    return true;
                }
            }
        }
        return reply instanceof Reply.LargeValue;
    }

    /** Visits all values that are held for a reply, in their order. */
    static void each(Reply reply, Consumer<Held> visitor) {
        if (reply instanceof Reply.LargeValue(Held value)) {
            visitor.accept(value);
        } else if (reply instanceof Reply.Many(List<Reply> replies)) {
            replies.forEach(one -> each(one, visitor));
        }
    }

    /** The reply with another one in place of each held value. */
    static Reply map(Reply reply, Function<Held, Reply> other) {
        if (reply instanceof Reply.LargeValue(Held value)) {
            return other.apply(value);
        }
        return reply instanceof Reply.Many(List<Reply> replies) && isIn(reply)
                ? new Reply.Many(replies.stream().map(one -> map(one, other)).toList())
                : reply;
    }

    /** The bytes of all values that are held for a reply. */
    static long bytesIn(Reply reply) {
        long[] bytes = {0};
        each(reply, value -> bytes[0] += value.size());
        return bytes[0];
    }

    /** Lets go of all that is held for a reply, which must not be used any more. */
    static void releaseIn(Reply reply) {
        each(reply, Held::release);
    }

    /**
     * The same reply with nothing held, its values copied and checked, however large they are; an error in place of a value
     * that cannot be read. The other one must not be used any more.
     */
    static Reply flat(Reply reply) {
        return map(reply, Held::copied);
    }

    private static Reply copied(Held value) {
        try {
            ByteBuffer copy = ByteBuffer.allocate(value.size());
            Optional<Reply> checked;
            do {
                checked = value.check(Integer.MAX_VALUE, (bytes, count) -> copy.put(bytes, 0, count));
            } while (checked.isEmpty());
            return checked.get() instanceof Reply.Failed failed ? failed : new Reply.Value(Bytes.owning(copy.array()));
        } finally {
            value.release();
        }
    }

    /** Is shown a value in parts. */
    @FunctionalInterface
    interface Seen {
        /** Sees nothing. */
        Seen NOTHING = (_, _) -> {};

        /** The next {@code count} bytes stand at the beginning of the array, until this returns. */
        void part(byte[] bytes, int count);
    }
}
