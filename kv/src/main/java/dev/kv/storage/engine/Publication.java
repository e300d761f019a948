package dev.kv.storage.engine;

import dev.kv.storage.format.Layout;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import java.util.function.LongConsumer;

/**
 * The publish records of a bucket that was hidden or renamed. Its records are assigned to it by its generation, not by the name in them.
 * Guarded by the lock of the bucket's {@link Shard}.
 */
final class Publication {
    /** Whether the bucket is in the table under its name; else it is hidden. */
    boolean isVisible;

    /** Location of the record that renamed the bucket first; {@link Index#NONE} if it was hidden before. */
    private long leftBy = Index.NONE;

    private long leftCost;

    /** Location of the newest of the other publish records; {@link Index#NONE} if there is none. */
    private long publishedBy = Index.NONE;

    private long publishedCost;

    /** Bytes that the two records take in the log. */
    long cost() {
        return leftCost + publishedCost;
    }

    /** Whether the bucket was published at any time. */
    boolean wasPublished() {
        return leftBy != Index.NONE || publishedBy != Index.NONE;
    }

    void left(long location, long cost) {
        leftBy = location;
        leftCost = cost;
    }

    void published(long location, long cost) {
        publishedBy = location;
        publishedCost = cost;
    }

    /** Shows the locations of the two records. */
    void forEachLocation(LongConsumer visitor) {
        visitor.accept(leftBy);
        visitor.accept(publishedBy);
    }

    /** Counts both records as dead. */
    void died(Log log) {
        died(log, leftBy, leftCost);
        died(log, publishedBy, publishedCost);
    }

    /** Counts the newest record as dead, before another one takes its place. */
    void outlived(Log log) {
        died(log, publishedBy, publishedCost);
    }

    private static void died(Log log, long location, long cost) {
        if (location != Index.NONE && log.segment(location) != null) {
            log.segment(location).space().died(Layout.PUBLISH, cost);
        }
    }

    /** Changes the location of a record that was copied; returns whether the old location was that of one of the two. */
    boolean move(long from, long to) {
        if (leftBy == from) {
            leftBy = to;
        } else if (publishedBy == from) {
            publishedBy = to;
        } else {
            return false;
        }
        return true;
    }
}
