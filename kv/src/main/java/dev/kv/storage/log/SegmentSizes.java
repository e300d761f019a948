package dev.kv.storage.log;

import java.util.concurrent.atomic.AtomicLong;

/** How large new segments are, in bytes: in proportion to the live bytes of the log, and so is what is preallocated. Any thread. */
final class SegmentSizes {
    private static final long MIN_BYTES = 4L << 20;

    /** About how many segments the live bytes of the log fill. */
    private static final int SEGMENTS_ABOUT = 16;

    private final Segments segments;
    private final AtomicLong liveBytes;
    private final long maxBytes;

    /**
     * @param liveBytes of the whole log
     * @param maxBytes the size of a segment in a large log
     */
    SegmentSizes(Segments segments, AtomicLong liveBytes, long maxBytes) {
        this.segments = segments;
        this.liveBytes = liveBytes;
        this.maxBytes = maxBytes;
    }

    /** Size of the next segment. */
    long next() {
        long fitting = Long.highestOneBit(Math.max(1, liveBytes.get() / SEGMENTS_ABOUT));
        return Math.clamp(fitting, Math.min(MIN_BYTES, maxBytes), maxBytes);
    }

    /** The most that compaction needs for one segment: an old segment may be larger than the next one. */
    long rewrittenMax() {
        long largest = segments.live().stream().mapToLong(Segment::end).max().orElse(0);
        return Math.max(next(), Math.min(largest, maxBytes));
    }
}
