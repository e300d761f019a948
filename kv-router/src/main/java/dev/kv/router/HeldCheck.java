package dev.kv.router;

import java.util.ArrayDeque;
import java.util.IdentityHashMap;
import java.util.Optional;

/**
 * Checks the checksums of all held values of a reply, a part at a time, so that the caller can give way to others between the parts. It
 * owns the values until {@link #next} returns a reply. One thread.
 */
public final class HeldCheck {
    private final Reply reply;
    private final Held.Seen seen;
    private final OnError onError;
    private final ArrayDeque<Held> unchecked = new ArrayDeque<>();
    private final IdentityHashMap<Held, Reply> errors = new IdentityHashMap<>();

    /** What becomes of a reply with a value that cannot be read. */
    public enum OnError {
        /** The error takes the place of the value. */
        REPLACES_VALUE,
        /** The error is the reply. */
        REPLACES_REPLY
    }

    /**
     * @param reply a reply for which something is held
     * @param seen is shown the bytes that are read
     */
    public HeldCheck(Reply reply, Held.Seen seen, OnError onError) {
        this.reply = reply;
        this.seen = seen;
        this.onError = onError;
        Held.each(reply, unchecked::add);
    }

    /**
     * Checks the next part. Returns the reply when all values were checked, with the errors; empty while more is left.
     *
     * @param maxBytes how much to check at most, above zero
     */
    public Optional<Reply> next(int maxBytes) {
        Optional<Reply> checked = unchecked.getFirst().check(maxBytes, seen);
        if (checked.isEmpty()) {
            return Optional.empty();
        }
        Held value = unchecked.removeFirst();
        if (checked.get() instanceof Reply.Failed error) {
            if (onError == OnError.REPLACES_REPLY) {
                release();
                return checked;
            }
            value.release();
            errors.put(value, error);
        }
        return unchecked.isEmpty() ? Optional.of(withErrors()) : Optional.empty();
    }

    private Reply withErrors() {
        return errors.isEmpty()
                ? reply
                : Held.map(reply, value -> errors.getOrDefault(value, new Reply.LargeValue(value)));
    }

    /** Releases the values of a reply that nobody awaits any more. */
    public void release() {
        Held.releaseIn(reply);
    }
}
