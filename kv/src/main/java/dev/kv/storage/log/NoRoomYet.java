package dev.kv.storage.log;

import dev.kv.router.Reply;
import java.time.Duration;

/**
 * A full disk has no room for a delete until compaction has freed some: nothing is changed, and the delete can be run again when
 * {@link #awaitRoom} has returned true.
 */
public final class NoRoomYet extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** How often a thread that waits says so. No key: half of the shortest time in which another node has to hear of it. */
    static final long WAITING_MILLIS = 25;

    private final transient Supply supply;
    private final transient Refused refusal;
    private final long refills;

    /**
     * @param refusal the reply to the client if compaction frees nothing
     * @param refills see {@link Supply#awaitRoom}
     */
    NoRoomYet(Supply supply, Refused refusal, long refills) {
        super(refusal.getMessage(), null, false, false);
        this.supply = supply;
        this.refusal = refusal;
        this.refills = refills;
    }

    public Reply.Failed reply() {
        return refusal.reply();
    }

    /** See {@link Supply#awaitRoom}. */
    public boolean awaitRoom(Duration max, Runnable waiting) {
        return supply.awaitRoom(refills, max, waiting);
    }
}
