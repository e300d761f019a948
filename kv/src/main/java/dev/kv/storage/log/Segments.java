package dev.kv.storage.log;

import dev.kv.router.OperatorError;
import dev.kv.storage.format.Folder;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The segments of a log: the live ones in their order, and retired ones that may still be read. Any thread.
 *
 * <p>A segment is <em>known</em> from before the first index entry points into it until it is unmapped. It is <em>live</em> while
 * it is part of the log. {@link #live(List)} is the one place that changes which segments are live.
 */
public final class Segments {
    private static final Logger LOG = LoggerFactory.getLogger(Segments.class);
    private static final int PART_IDS = 256;
    private static final Duration FOREVER = Duration.ofNanos(Long.MAX_VALUE);

    private final Folder folder;

    /** Known segments by id, in parts of {@link #PART_IDS}: ids only grow, and a part without known segments is null. */
    private volatile Segment[][] byId = new Segment[0][];

    private volatile List<Segment> live = List.of();

    /** Segments whose files are to be removed. */
    private final Queue<Segment> retired = new ConcurrentLinkedQueue<>();

    /** Retired segments whose files could not be removed. */
    private final SetAside unremoved = new SetAside();

    /** Segments whose files were removed and that are still mapped; guarded by itself. */
    private final ArrayDeque<Removed> removed = new ArrayDeque<>();

    /**
     * Live segments whose files hold records behind their ends, which a rescue has copied elsewhere and readers may still read.
     */
    private final List<Segment> uncut = new CopyOnWriteArrayList<>();

    private volatile long uncutNanos;

    private record Removed(Segment segment, long nanos) {}

    Segments(Folder folder) {
        this.folder = folder;
    }

    /** The segment of a location; null if it is gone. */
    Segment at(long location) {
        int id = (int) (location >>> Integer.SIZE);
        Segment[] part = byId[id / PART_IDS];
        return part == null ? null : part[id % PART_IDS];
    }

    /** All that are live, in their order. */
    public List<Segment> live() {
        return live;
    }

    /** The length of segments together, up to their ends. */
    public static long bytes(List<Segment> segments) {
        return segments.stream().mapToLong(Segment::end).sum();
    }

    /** Replaces the list of live segments. */
    private void live(List<Segment> segments) {
        live = List.copyOf(segments);
    }

    /**
     * Makes a segment known. It precedes the first index entry that points into the segment; the lock of a shard orders the two.
     */
    public synchronized void know(Segment segment) {
        int part = segment.id() / PART_IDS;
        if (part >= byId.length) {
            byId = Arrays.copyOf(byId, part + 1);
        }
        if (byId[part] == null) {
            byId[part] = new Segment[PART_IDS];
        }
        byId[part][segment.id() % PART_IDS] = segment;
    }

    private synchronized void forget(Segment segment) {
        int part = segment.id() / PART_IDS;
        if (part < byId.length && byId[part] != null) {
            byId[part][segment.id() % PART_IDS] = null;
            if (Arrays.stream(byId[part]).allMatch(Objects::isNull)) {
                byId[part] = null;
            }
        }
    }

    /** Makes a segment known, and live as the last one. */
    synchronized void add(Segment segment) {
        know(segment);
        live(with(live.size(), List.of(segment)));
    }

    private List<Segment> with(int at, List<Segment> more) {
        List<Segment> all = new ArrayList<>(live);
        all.addAll(at, more);
        return all;
    }

    /** Adds known segments as the last live ones, and removes others. */
    synchronized void replaceLast(List<Segment> old, List<Segment> by) {
        List<Segment> all = with(live.size(), by);
        all.removeAll(old);
        live(all);
    }

    /** Replaces live segments by the known segment that was made of them. */
    public synchronized void replace(List<Segment> old, Segment by) {
        List<Segment> all = with(live.indexOf(old.getFirst()), List.of(by));
        all.removeAll(old);
        live(all);
    }

    /** Removes live segments that hold nothing live. */
    public synchronized void remove(List<Segment> segments) {
        live(live.stream().filter(segment -> !segments.contains(segment)).toList());
    }

    /** Pins all live segments but one without records; that may be null. */
    synchronized Pin pinLiveBut(Segment empty) {
        return new Pin(live.stream().filter(segment -> segment != empty).toList());
    }

    /** Pins all known segments, so that every location in an index stays readable. */
    public synchronized Pin pinKnown() {
        return new Pin(known());
    }

    private List<Segment> known() {
        return Arrays.stream(byId)
                .filter(Objects::nonNull)
                .flatMap(Arrays::stream)
                .filter(Objects::nonNull)
                .toList();
    }

    /** Retires segments that no index points into any more. {@link Log#removeRetired} removes their files. */
    public void retire(List<Segment> segments) {
        retired.addAll(segments);
    }

    boolean hasRetired() {
        return !retired.isEmpty();
    }

    /**
     * Removes the files of segments that were retired. One that cannot be removed is tried again later: {@link #throwUnremoved}
     * tells why. By one thread at a time.
     *
     * @throws IOException if the folder cannot be forced onto the disk
     */
    void removeRetired() throws IOException {
        for (Segment segment : List.copyOf(retired)) {
            if (unremoved.has(segment)) {
                continue;
            }
            try {
                Files.deleteIfExists(folder.hint(segment.name()));
                Files.deleteIfExists(segment.path());
            } catch (IOException e) {
                String file = e instanceof FileSystemException failed
                        ? failed.getFile()
                        : segment.path().toString();
                unremoved.add(segment, new IOException(file + " cannot be removed: " + OperatorError.reason(e), e));
                continue;
            }
            unremoved.remove(segment);
            folder.sync();
            synchronized (removed) {
                removed.add(new Removed(segment, System.nanoTime()));
            }
            retired.remove(segment);
            closeRetired(FOREVER);
        }
    }

    /** Throws why the file of a retired segment could not be removed, if there is one. */
    public void throwUnremoved() throws IOException {
        unremoved.throwAny();
    }

    /** Unmaps removed segments that are not pinned, which frees their disk space, and those pinned for longer than the limit. */
    public void closeRetired(Duration pinMax) {
        synchronized (removed) {
            for (Iterator<Removed> all = removed.iterator(); all.hasNext(); ) {
                Removed next = all.next();
                Segment segment = next.segment();
                if (segment.mapping().isClosedUnpinned()) {
                    forget(segment);
                    all.remove();
                } else if (System.nanoTime() - next.nanos() > pinMax.toNanos()
                        && segment.mapping().isCutOff()) {
                    LOG.warn(
                            "{}, which was replaced, is not read any further: that took longer than {}",
                            segment,
                            pinMax);
                }
            }
        }
    }

    /** Adds live segments whose ends a rescue has {@linkplain Segment#endBefore moved back}. */
    void addUncut(List<Segment> segments) {
        uncut.addAll(segments);
        uncutNanos = System.nanoTime();
    }

    /**
     * Truncates the files of such segments at their ends, unless they are pinned and the limit has not passed. By one thread at a
     * time.
     *
     * @throws IOException if one of them could not be truncated; it is tried again the next time
     */
    public void cut(Duration pinMax) throws IOException {
        // Compaction may have replaced one meanwhile, and removed its file.
        uncut.removeIf(segment -> !live.contains(segment));
        IOException failed = null;
        for (Segment segment : List.copyOf(uncut)) {
            try {
                if (segment.isCut(System.nanoTime() - uncutNanos > pinMax.toNanos())) {
                    uncut.remove(segment);
                }
            } catch (IOException e) {
                failed = e;
            }
        }
        if (failed != null) {
            throw failed;
        }
    }

    /** Bytes of removed segments that are still mapped. */
    long pinnedBytes() {
        synchronized (removed) {
            return removed.stream().mapToLong(next -> next.segment().end()).sum();
        }
    }

    /** Ends all mappings; no reads follow. */
    synchronized void close() {
        known().forEach(Segment::close);
    }
}
