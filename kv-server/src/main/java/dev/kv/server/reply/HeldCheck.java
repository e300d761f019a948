package dev.kv.server.reply;

import dev.kv.router.Held;
import dev.kv.router.Reply;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/** The check of all that is held for one reply, a part at a time: before it is over, nothing of the reply is sent. */
public final class HeldCheck {
    /** Some 50 us. */
    private static final int PART_BYTES = 256 * 1024;

    private final Reply reply;
    private final Held.Seen seen;
    private final Deque<Held> unchecked = new ArrayDeque<>();

    /**
     * @param reply what it holds belongs to the check until {@link #next} returns a reply
     * @param seen is shown what is read
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

    /** Checks the next part; returns the reply when all of it was found sound, or the error that takes its place. */
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

    /** Nobody awaits the reply any more. */
    public void release() {
        Held.releaseIn(reply);
    }
}
