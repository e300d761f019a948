package dev.kv.storage.maintenance;

import dev.kv.storage.format.Layout;
import dev.kv.storage.log.Segment;
import java.util.List;

/**
 * Which entries of some segments are needed: a bit for each place where one can begin. It is gathered from the index, which is
 * read from one end to the other for that; to look up each entry of a segment costs many times as much.
 */
final class Live {
    private static final int WORD_SHIFT = 6;

    private final int firstId;

    /** By the id of the segment; null for those that it does not cover. */
    private final long[][] bits;

    private final long[] keptBytes;

    Live(List<Segment> segments) {
        firstId = segments.stream().mapToInt(Segment::id).min().orElse(0);
        int lastId = segments.stream().mapToInt(Segment::id).max().orElse(-1);
        bits = new long[lastId - firstId + 1][];
        keptBytes = new long[bits.length];
        for (Segment segment : segments) {
            bits[segment.id() - firstId] = new long[(int) (bytes(segment) / Long.BYTES)];
            keptBytes[segment.id() - firstId] = Math.min(
                    segment.end(), segment.space().liveBytes() + segment.space().tombstoneBytes());
        }
    }

    /** What it takes to cover the segment. */
    static long bytes(Segment segment) {
        return (((segment.end() / Layout.ALIGNMENT) >>> WORD_SHIFT) + 1) * Long.BYTES;
    }

    boolean covers(Segment segment) {
        return of(segment.id()) != null;
    }

    /** The most that is needed of the segment, what only says that something older is gone included. */
    long keptBytes(Segment segment) {
        return keptBytes[segment.id() - firstId];
    }

    private long[] of(int id) {
        int at = id - firstId;
        return at >= 0 && at < bits.length ? bits[at] : null;
    }

    /** The entry at the location is needed. */
    void add(long location) {
        long[] words = of((int) (location >>> Integer.SIZE));
        if (words != null) {
            int place = (int) location;
            words[place >>> WORD_SHIFT] |= 1L << place;
        }
    }

    /** Whether an entry from an offset up to another, in a segment that it covers, is needed. */
    boolean hasAny(Segment segment, long from, long to) {
        long[] words = of(segment.id());
        int first = (int) (from / Layout.ALIGNMENT);
        int last = (int) (to / Layout.ALIGNMENT) - 1;
        long mask = -1L << first;
        for (int at = first >>> WORD_SHIFT; at < last >>> WORD_SHIFT; at++) {
            if ((words[at] & mask) != 0) {
                return true;
            }
            mask = -1L;
        }
        return (words[last >>> WORD_SHIFT] & mask & (-1L >>> ~last)) != 0;
    }

    /** How many entries of a segment that it covers are needed. */
    int count(Segment segment) {
        int count = 0;
        for (long word : of(segment.id())) {
            count += Long.bitCount(word);
        }
        return count;
    }

    /** Whether the entry at the location, which is in a segment that it covers, is needed. */
    boolean has(long location) {
        int place = (int) location;
        return (of((int) (location >>> Integer.SIZE))[place >>> WORD_SHIFT] & (1L << place)) != 0;
    }
}
