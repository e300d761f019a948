package dev.kv.storage.engine;

import dev.kv.storage.format.Hash;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Scan;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Recovery;
import dev.kv.storage.log.Segment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** Passes the entries of a segment on to {@link Replay}, from its records or its hint. An object is reused for the next segment. */
final class ReplayedSegment implements Recovery.Reader {
    /**
     * So many entries of a hint are read ahead, and the slots of their names or keys touched, before they are replayed: most of the time of a
     * start is a wait for the memory of these slots.
     */
    private static final int AHEAD = 32;

    /** The buckets that the segment names, by number; null for one that is {@linkplain #forget forgotten}. */
    private final List<Named> named = new ArrayList<>();

    /** Where the records are that tell of those, as offsets divided by {@link Layout#ALIGNMENT}. */
    private int[] records = {};

    private final Entry[] ahead = Stream.generate(Entry::new).limit(AHEAD).toArray(Entry[]::new);
    private int count;

    /** Takes what was read of the slots: without it the compiler would leave out the reads. */
    @SuppressWarnings("UnusedVariable")
    private int touched;

    /** An entry of a hint that was read ahead: see {@link #entry}. Reused. */
    private static final class Entry {
        private Named of;
        private int kind;
        private int third;
        private long offset;
        private long cost;
        private long until;
    }

    private final Replay replay;
    private final Hash hash;
    private Segment segment;

    /** What the entry before was about; null before the first. */
    private Named last;

    /** Where the entry before ends, and with it perhaps its record. */
    private long end;

    /** A bucket that the segment names. */
    private static final class Named {
        private final int number;
        private final byte[] name;
        private final int hash;
        private final long generation;
        private final boolean isHidden;

        /** What the last entry about it has made of it, if that is an object of the table, or the entry was the last one of all; else null. */
        private Bucket bucket;

        Named(int number, byte[] name, int hash, long generation, boolean isHidden) {
            this.number = number;
            this.name = name;
            this.hash = hash;
            this.generation = generation;
            this.isHidden = isHidden;
        }
    }

    ReplayedSegment(Replay replay, Hash hash) {
        this.replay = replay;
        this.hash = hash;
    }

    /** Begins with a segment. */
    ReplayedSegment begin(Segment ofSegment) {
        named.clear();
        count = 0;
        segment = ofSegment;
        last = null;
        end = SegmentHeader.BYTES;
        return this;
    }

    @Override
    public void record(Scan scan) {
        named.clear();
        bucket(scan.name(), scan.generation(), scan.isHidden());
        if (scan.type() == Layout.PUBLISH) {
            bucket(scan.recordName(), scan.generation(), scan.isHidden());
        }
        Named of = named.getFirst();
        while (scan.nextEntry()) {
            int kind = scan.kind();
            int third = Layout.isField(kind) ? hash.of(scan.key()) : kind == Layout.PUBLISH ? 1 : 0;
            replay(of, kind, third, scan.entry(), scan.cost(), scan.until());
        }
    }

    @Override
    public void bucket(byte[] name, long generation, boolean isHidden) {
        named.add(new Named(named.size(), name, hash.of(name), generation, isHidden));
    }

    private Named named(int number) {
        Named known = named.get(number);
        if (known == null) {
            long record = Integer.toUnsignedLong(records[number]) * Layout.ALIGNMENT;
            byte[] name = segment.fields().name(record);
            long generation = segment.fields().checkedGeneration(record, name.length);
            known = new Named(number, name, hash.of(name), generation, false);
            named.set(number, known);
        }
        return known;
    }

    /**
     * Most names have one entry in a segment, their value. Objects that live as long as the segment is read would be copied by the garbage
     * collector, millions of them. The log tells the name of one that has another entry: to find its bucket it is read anyway.
     */
    private void forget(Named of, long record) {
        if (of.number >= records.length) {
            records = Arrays.copyOf(records, Math.max(named.size(), 2 * records.length));
        }
        records[of.number] = (int) (record / Layout.ALIGNMENT);
        named.set(of.number, null);
    }

    @Override
    public void entry(int number, int kind, int third, long offset, long cost, long until) {
        Entry entry = ahead[count++];
        entry.of = named(number);
        entry.kind = kind;
        entry.third = third;
        entry.offset = offset;
        entry.cost = cost;
        entry.until = until;
        if (count == AHEAD) {
            end();
        }
    }

    @Override
    public void end() {
        for (int i = 0; i < count; i++) {
            Entry entry = ahead[i];
            Bucket known = entry.of.bucket;
            touched += known == null ? replay.touch(entry.of.hash, entry.until != 0) : known.index.touch(entry.third);
        }
        for (int i = 0; i < count; i++) {
            Entry entry = ahead[i];
            replay(entry.of, entry.kind, entry.third, entry.offset, entry.cost, entry.until);
        }
        count = 0;
    }

    /**
     * Replays an entry.
     *
     * @param third see {@link Recovery.Reader#entry}
     */
    private void replay(Named of, int kind, int third, long offset, long cost, long until) {
        segment.space().count(kind, cost);
        boolean isFirst = offset - end == Layout.recordCost(of.name.length);
        end = offset + cost - (Layout.isField(kind) ? Layout.recordCost(of.name.length) : 0);
        if (kind == Layout.DROP) {
            replay.drop(of.name, of.hash, of.generation);
            return;
        }
        if (kind == Layout.PUBLISH) {
            long location = Log.location(segment, offset);
            byte[] recordName = named(third).name;
            replay.publish(of.name, of.hash, of.generation, recordName, !of.isHidden, location, cost);
            return;
        }
        boolean mayBeNew = Layout.isValue(kind) && !of.isHidden;
        if (mayBeNew && replay.setNew(of.name, of.hash, of.generation, segment, offset, cost, until)) {
            forget(of, offset - Layout.recordCost(of.name.length));
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
                replay.set(bucket, third, segment, offset, cost, until, isFirst);
            }
            case Layout.SET, Layout.SET_UNTIL -> replay.set(bucket, third, segment, offset, cost, until, isFirst);
            case Layout.EXPIRE -> replay.expire(bucket, Log.location(segment, offset), cost, until);
            case Layout.BUCKET -> replay.keep(bucket, Log.location(segment, offset), cost);
            case Layout.DELETE -> replay.delete(bucket, third, segment, offset, isFirst);
            default -> throw new IllegalStateException("an entry of kind " + kind);
        }
        of.bucket = bucket;
        if (last != null && last != of && last.bucket != null && (last.bucket.isOfPlace() || last.bucket.isGone())) {
            // It would take as much memory for each name of the segment as the table saves.
            last.bucket = null;
        }
        last = of;
    }
}
