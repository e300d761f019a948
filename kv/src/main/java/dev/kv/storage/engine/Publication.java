package dev.kv.storage.engine;

import dev.kv.storage.format.Layout;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import java.util.function.LongConsumer;

/**
 * How a bucket came to its name that is found by its generation, and not by the name in its records. Guarded by the lock of the
 * bucket's {@link Shard}.
 */
final class Publication {
    /** Whether the bucket stands under its name; else nobody sees it. */
    boolean isVisible;

    /** The record by which the bucket left the name that its records carry; {@link Index#NONE} if it was hidden before. */
    private long leftBy = Index.NONE;

    private long leftCost;

    /** The newest of the other records that gave it a name; {@link Index#NONE} if there is none. */
    private long publishedBy = Index.NONE;

    private long publishedCost;

    /** What the two take in the log. */
    long cost() {
        return leftCost + publishedCost;
    }

    /** Whether the bucket ever had a name of its own. */
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

    /** Shows where the two stand. */
    void forEachLocation(LongConsumer visitor) {
        visitor.accept(leftBy);
        visitor.accept(publishedBy);
    }

    /** The records are needed no longer. */
    void died(Log log) {
        died(log, leftBy, leftCost);
        died(log, publishedBy, publishedCost);
    }

    /** The newest record is needed no longer: another one will take its place. */
    void outlived(Log log) {
        died(log, publishedBy, publishedCost);
    }

    private static void died(Log log, long location, long cost) {
        if (location != Index.NONE && log.segment(location) != null) {
            log.segment(location).space().died(Layout.PUBLISH, cost);
        }
    }

    /** One of the records was copied; returns whether it was still needed, and is read from the copy from now on. */
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
