package dev.kv.storage.engine;

import dev.kv.storage.format.Hash;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Scan;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Recovery;
import dev.kv.storage.log.Segment;
import java.util.ArrayList;
import java.util.List;

/** Passes the entries of a segment on to {@link Replay}, from its records or its hint. */
final class ReplayedSegment implements Recovery.Reader {
    private final List<Named> named = new ArrayList<>();
    private final Replay replay;
    private final Hash hash;
    private final Segment segment;

    /** What the entry before was about; null before the first. */
    private Named last;

    /** Where the entry before ends, and with it perhaps its record. */
    private long end = SegmentHeader.BYTES;

    /** A bucket that the segment names. */
    private static final class Named {
        private final byte[] name;
        private final int hash;
        private final long generation;
        private final boolean isHidden;

        /** What the last entry about it has made of it, if that is an object of the table, or the entry was the last one of all; else null. */
        private Bucket bucket;

        Named(byte[] name, int hash, long generation, boolean isHidden) {
            this.name = name;
            this.hash = hash;
            this.generation = generation;
            this.isHidden = isHidden;
        }
    }

    ReplayedSegment(Replay replay, Hash hash, Segment segment) {
        this.replay = replay;
        this.hash = hash;
        this.segment = segment;
    }

    @Override
    public void record(Scan scan) {
        named.clear();
        bucket(scan.name(), scan.generation(), scan.isHidden());
        if (scan.type() == Layout.PUBLISH) {
            bucket(scan.recordName(), scan.generation(), scan.isHidden());
        }
        while (scan.nextEntry()) {
            int kind = scan.kind();
            int third = Layout.isField(kind) ? hash.of(scan.key()) : kind == Layout.PUBLISH ? 1 : 0;
            entry(0, kind, third, scan.entry(), scan.cost(), scan.until());
        }
    }

    @Override
    public void bucket(byte[] name, long generation, boolean isHidden) {
        named.add(new Named(name, hash.of(name), generation, isHidden));
    }

    @Override
    public void entry(int number, int kind, int keyHash, long offset, long cost, long until) {
        segment.space().count(kind, cost);
        Named of = named.get(number);
        boolean isFirst = offset - end == Layout.recordCost(of.name.length);
        end = offset + cost - (Layout.isField(kind) ? Layout.recordCost(of.name.length) : 0);
        if (kind == Layout.DROP) {
            replay.drop(of.name, of.hash, of.generation);
            return;
        }
        if (kind == Layout.PUBLISH) {
            long location = Log.location(segment, offset);
            byte[] recordName = named.get(keyHash).name;
            replay.publish(of.name, of.hash, of.generation, recordName, !of.isHidden, location, cost);
            return;
        }
        Bucket bucket = of.bucket;
        if (bucket == null || !replay.isCurrent(bucket)) {
            bucket = of.isHidden
                    ? replay.hidden(of.name, of.hash, of.generation)
                    : replay.bucket(of.name, of.hash, of.generation);
        }
        if (bucket == null) {
            segment.space().died(kind, cost);
            return;
        }
        switch (kind) {
            case Layout.VALUE, Layout.VALUE_UNTIL -> {
                bucket.isValue = true;
                replay.set(bucket, keyHash, segment, offset, cost, until, isFirst);
            }
            case Layout.SET, Layout.SET_UNTIL -> replay.set(bucket, keyHash, segment, offset, cost, until, isFirst);
            case Layout.EXPIRE -> replay.expire(bucket, Log.location(segment, offset), cost, until);
            case Layout.BUCKET -> replay.keep(bucket, Log.location(segment, offset), cost);
            default -> replay.delete(bucket, keyHash, segment, offset, isFirst);
        }
        of.bucket = bucket;
        if (last != null && last != of && last.bucket != null && (last.bucket.isOfPlace() || last.bucket.isGone())) {
            // It would take as much memory for each name of the segment as the table saves.
            last.bucket = null;
        }
        last = of;
    }
}
