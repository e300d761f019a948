package dev.kv.storage.maintenance;

import dev.kv.storage.format.Layout;
import dev.kv.storage.log.Segment;
import java.util.List;

/**
 * Which entries of some segments are live: a bit for each offset at which one can begin. It is filled by one pass over the
 * indexes of all buckets; looking up each entry of a segment costs many times as much.
 */
final class Live {
    private static final int WORD_SHIFT = 6;

    private final int firstId;

    /** By the id of the segment; null for segments that are not covered. */
    private final long[][] bits;

    private final long[] keptBytes;

    private long made;

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

    /** Bytes of memory that the bits of a segment take. */
    static long bytes(Segment segment) {
        return (((segment.end() / Layout.ALIGNMENT) >>> WORD_SHIFT) + 1) * Long.BYTES;
    }

    /** What was appended when the pass was over: it holds all that hides an entry which is not marked. */
    long made() {
        return made;
    }

    void made(long appended) {
        made = appended;
    }

    boolean covers(Segment segment) {
        return of(segment.id()) != null;
    }

    /** Upper bound of the bytes that are kept of a covered segment, tombstones included. */
    long keptBytes(Segment segment) {
        return keptBytes[segment.id() - firstId];
    }

    private long[] of(int id) {
        int at = id - firstId;
        return at >= 0 && at < bits.length ? bits[at] : null;
    }

    /** Marks the entry at a location as live, if its segment is covered. */
    void add(long location) {
        long[] words = of((int) (location >>> Integer.SIZE));
        if (words != null) {
            int place = (int) location;
            words[place >>> WORD_SHIFT] |= 1L << place;
        }
    }

    /** Whether a range of a covered segment holds a live entry. */
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

    /** Number of live entries of a covered segment. */
    int count(Segment segment) {
        int count = 0;
        for (long word : of(segment.id())) {
            count += Long.bitCount(word);
        }
        return count;
    }

    /** Whether the entry at a location in a covered segment is live. */
    boolean has(long location) {
        int place = (int) location;
        return (of((int) (location >>> Integer.SIZE))[place >>> WORD_SHIFT] & (1L << place)) != 0;
    }
}
