package dev.kv.server.reply;

import dev.kv.router.Held;
import dev.kv.router.Reply;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/** Checks the checksums of all held values of a reply, a part at a time. Nothing of the reply is sent before the check is over. */
public final class HeldCheck {
    /** Takes about 50 us. */
    private static final int PART_BYTES = 256 * 1024;

    private final Reply reply;
    private final Held.Seen seen;
    private final Deque<Held> unchecked = new ArrayDeque<>();

    /**
     * @param reply the check owns its values until {@link #next} returns a reply
     * @param seen is shown the bytes that are read
     */
    public HeldCheck(Reply reply, Held.Seen seen) {
        this.reply = reply;
        this.seen = seen;
        collect(reply);
    }

    private void collect(Reply from) {
        if (from instanceof Reply.LargeValue(Held value)) {
            unchecked.add(value);
        } else if (from instanceof Reply.Many(List<Reply> replies)) {
            replies.forEach(this::collect);
        }
    }

    /** Checks the next part. Returns the reply when all values are sound, or an error in its place; empty while more is left. */
    public Optional<Reply> next() {
        Optional<Reply> checked = unchecked.getFirst().check(PART_BYTES, seen);
        if (checked.isPresent() && checked.get() instanceof Reply.Failed) {
            release();
            return checked;
        }
        if (checked.isPresent()) {
            unchecked.removeFirst();
        }
        return unchecked.isEmpty() ? Optional.of(reply) : Optional.empty();
    }

    /** Releases the values of a reply that nobody awaits any more. */
    public void release() {
        Held.releaseIn(reply);
    }
}
