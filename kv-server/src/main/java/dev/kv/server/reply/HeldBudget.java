package dev.kv.server.reply;

import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.net.Budget;
import java.nio.ByteBuffer;
import java.util.Optional;

/** The bound for large values that are held for clients: a held value keeps its segment on the disk after compaction has replaced it. */
public final class HeldBudget {
    private final long maxBytes;
    private final Budget budget;

    public HeldBudget(long maxBytes) {
        this.maxBytes = maxBytes;
        this.budget = new Budget(maxBytes);
    }

    /**
     * Charges the values of a reply; they give their part of the budget back when they are released. Returns an error, and releases
     * the values, if too little is left.
     */
    public Reply take(Reply reply) {
        long bytes = Held.bytesIn(reply);
        if (!budget.take(bytes)) {
            Held.releaseIn(reply);
            return new Reply.Failed(
                    Reply.Word.ERR,
                    "clients are being sent %d bytes of large values already (kv.server.held-max): try again later"
                            .formatted(maxBytes));
        }
        return Held.map(reply, value -> new Reply.LargeValue(new Counted(value)));
    }

    private final class Counted implements Held {
        private final Held value;
        private boolean isReleased;

        Counted(Held value) {
            this.value = value;
        }

        @Override
        public int size() {
            return value.size();
        }

        @Override
        public Optional<Reply> check(int maxBytes, Seen seen) {
            return value.check(maxBytes, seen);
        }

        @Override
        public ByteBuffer bytes() {
            return value.bytes();
        }

        @Override
        public long waitedForNanos() {
            return value.waitedForNanos();
        }

        @Override
        public void release() {
            value.release();
            if (!isReleased) {
                isReleased = true;
                budget.give(value.size());
            }
        }
    }
}
