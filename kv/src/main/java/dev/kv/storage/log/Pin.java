package dev.kv.storage.log;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * Keeps segments readable for one reader that holds no lock of a shard: an export, a backup, a frozen view of a bucket.
 *
 * <ul>
 *   <li>Take it while the locations that are to be read cannot change: under the lock of their shard, or for all segments before
 *       any location is looked up.
 *   <li>The caller closes it. Pins block nobody: compaction and rescue go on, and segments that they replace
 *       stay mapped, without their files, until the last pin is closed ({@link Segments#closeRetired}).
 *   <li>The bound is {@link PinLimits}, from the moment at which a pinned segment was retired. Then it is unmapped: reads of it
 *       throw {@link IllegalStateException}, never anything worse, and {@link #isCutOff} says why. The reader ends with that.
 * </ul>
 *
 * <p>For one value on its way to a socket, {@link Mapping#pin} and {@link Mapping#unpin} do the same without an object.
 */
public final class Pin implements AutoCloseable {
    private final List<Segment> segments = new ArrayList<>();

    /** Pins the segments that are still mapped. */
    Pin(Collection<Segment> wanted) {
        for (Segment segment : wanted) {
            if (segment.mapping().pin()) {
                segments.add(segment);
            }
        }
    }

    /** The pinned segments, in their order. */
    public List<Segment> segments() {
        return segments;
    }

    /** Whether a segment was unmapped because it was pinned for too long. */
    public boolean isCutOff() {
        return segments.stream().anyMatch(segment -> segment.mapping().isClosed());
    }

    @Override
    public void close() {
        segments.forEach(segment -> segment.mapping().unpin());
        segments.clear();
    }
}
