package dev.kv.storage.log;

import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Layout;
import java.util.concurrent.atomic.AtomicLongFieldUpdater;

/**
 * How much of a segment is live, dead, and for tombstones, in bytes: each entry counts as if it stood in a record of its own. Entries
 * are counted by one thread at a time; any thread counts them as dead.
 */
public final class Space {
    private static final AtomicLongFieldUpdater<Space> DEAD_BYTES =
            AtomicLongFieldUpdater.newUpdater(Space.class, "deadBytes");
    private static final AtomicLongFieldUpdater<Space> OUTLIVED_BYTES =
            AtomicLongFieldUpdater.newUpdater(Space.class, "outlivedBytes");

    private long countedBytes;
    private long tombstoneBytes;
    private volatile long deadBytes;

    /** Of records that gave a bucket a name which it has left: they are tombstones by now. */
    private volatile long outlivedBytes;

    /** Counts records that were appended. */
    void count(Draft... records) {
        for (Draft record : records) {
            countedBytes += record.cost();
            tombstoneBytes += record.tombstoneBytes();
        }
    }

    /** Counts an entry of the segment. */
    public void count(int kind, long cost) {
        count(kind, cost, 1);
    }

    /** Reverts {@link #count} of an entry that was moved to another segment. */
    void discount(int kind, long cost) {
        count(kind, cost, -1);
    }

    private void count(int kind, long cost, int sign) {
        countedBytes += sign * cost;
        tombstoneBytes += Layout.isTombstone(kind) ? sign * cost : 0;
    }

    /** An entry is no longer needed; a tombstone counts as one until the segment is rewritten. */
    public void died(int kind, long cost) {
        if (kind == Layout.PUBLISH) {
            OUTLIVED_BYTES.addAndGet(this, cost);
        } else if (!Layout.isTombstone(kind)) {
            died(cost);
        }
    }

    /** A field that was set, or the record that keeps a bucket, is no longer needed. */
    public void died(long cost) {
        DEAD_BYTES.addAndGet(this, cost);
    }

    /** Reverts {@link #died} of an entry that was moved to another segment. */
    void revived(int kind, long cost) {
        died(kind, -cost);
    }

    /** What is needed of the segment but for tombstones. */
    public long liveBytes() {
        return Math.max(0, countedBytes - deadBytes - tombstoneBytes());
    }

    /** What tombstones take. */
    public long tombstoneBytes() {
        return tombstoneBytes + outlivedBytes;
    }

    /** Whether the segment holds a dead entry, which would count again without the tombstone or the newer entry that hides it. */
    public boolean hasDeadEntries() {
        return deadBytes > 0;
    }
}
