package dev.kv.server.reply;

import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.net.Budget;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/** The bound for all values that are held for clients: their segments take room on the disk, even when compaction has removed them. */
public final class HeldBudget {
    private final long maxBytes;
    private final Budget budget;

    public HeldBudget(long maxBytes) {
        this.maxBytes = maxBytes;
        this.budget = new Budget(maxBytes);
    }

    /**
     * The reply, which gives back its part of the budget when it is released; an error in its place if there is too little left.
     */
    public Reply take(Reply reply) {
        long bytes = bytes(reply);
        if (!budget.take(bytes)) {
            Held.releaseIn(reply);
            return new Reply.Failed(
                    Reply.Word.ERR,
                    "clients are being sent %d bytes of large values already (kv.server.held-max): try again later"
                            .formatted(maxBytes));
        }
        return counted(reply);
    }

    /** How many bytes are held for a reply. */
    public static long bytes(Reply reply) {
        if (reply instanceof Reply.LargeValue(Held value)) {
            return value.size();
        }
        return reply instanceof Reply.Many(List<Reply> replies)
                ? replies.stream().mapToLong(HeldBudget::bytes).sum()
                : 0;
    }

    private Reply counted(Reply reply) {
        if (reply instanceof Reply.LargeValue(Held value)) {
            return new Reply.LargeValue(new Counted(value));
        }
        return reply instanceof Reply.Many(List<Reply> replies)
                ? new Reply.Many(replies.stream().map(this::counted).toList())
                : reply;
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
        public void release() {
            value.release();
            if (!isReleased) {
                isReleased = true;
                budget.give(value.size());
            }
        }
    }
}
