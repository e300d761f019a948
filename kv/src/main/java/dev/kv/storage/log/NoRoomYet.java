package dev.kv.storage.log;

import dev.kv.router.Reply;
import java.time.Duration;

/**
 * A full disk has no room for a delete until compaction has freed some: nothing is changed, and the delete can be run again when
 * {@link #awaitRoom} has returned true.
 */
public final class NoRoomYet extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient Refills refills;
    private final transient Refused refusal;
    private final long seen;

    /**
     * @param refusal the reply to the client if compaction frees nothing
     * @param seen how often the reserve for deletes had been made again before
     */
    NoRoomYet(Refills refills, Refused refusal, long seen) {
        super(refusal.getMessage(), null, false, false);
        this.refills = refills;
        this.refusal = refusal;
        this.seen = seen;
    }

    public Reply.Failed reply() {
        return refusal.reply();
    }

    /** See {@link Refills#await}. */
    public boolean awaitRoom(Duration max, Runnable waiting) {
        return refills.await(seen, max, waiting);
    }
}
