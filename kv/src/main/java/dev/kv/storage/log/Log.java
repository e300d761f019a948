package dev.kv.storage.log;

import dev.kv.router.Reply.Word;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log: all records in the order in which they were written, in segments. Of these the last one is active: it is appended to. All
 * else that a node knows of its buckets is made from it.
 *
 * <p>A location is a number that holds the id of a segment and an offset in it: where a record or a field is. Any thread may call.
 */
public final class Log {
    private static final Logger LOG = LoggerFactory.getLogger(Log.class);

    /**
     * A change of at least this part of the largest segment is written beside the log: copying it takes milliseconds. No key: it follows
     * {@code kv.storage.segment-max}.
     */
    private static final int BESIDE_PART = 16;

    /**
     * How long compaction waits for a sync that makes no progress. No key: it is tried again in a later turn of the keeper, whose other
     * work waits meanwhile.
     */
    private static final Duration SYNC_MAX = Duration.ofMinutes(1);

    /** How long compaction waits for a sync before it looks after other things. No key: it bounds no work. */
    private static final Duration AWAITED_AT_ONCE = Duration.ofMillis(100);

    /**
     * Sizes of a log.
     *
     * @param segmentMaxBytes the size of a segment in a large log; larger records have one of their own
     * @param unsyncedMax how many full segments may be not yet on the disk before writers wait
     */
    public record Limits(long segmentMaxBytes, int unsyncedMax) {}

    private final Folder folder;
    private final Mark mark;
    private final long segmentMaxBytes;
    private final AtomicLong liveBytes = new AtomicLong();

    /** The highest generation of a bucket. */
    private final AtomicLong generation = new AtomicLong();

    private final Segments segments;
    private final Supply supply;
    private final Tail tail;
    private final Listing listing;
    private final SeenTime seenTime;

    /**
     * @param isSyncedAlways whether a sync follows each write
     */
    public Log(Folder folder, Mark mark, Limits limits, boolean isSyncedAlways) {
        this.folder = folder;
        this.mark = mark;
        this.segmentMaxBytes = limits.segmentMaxBytes();
        this.segments = new Segments(folder);
        Reserves reserves = new Reserves(folder);
        SegmentSizes sizes = new SegmentSizes(segments, liveBytes, segmentMaxBytes);
        this.supply = new Supply(folder, reserves, sizes, isSyncedAlways);
        this.tail = new Tail(folder, mark, segments, supply, limits.unsyncedMax());
        this.listing = new Listing(folder, reserves, tail::listed);
        this.seenTime = new SeenTime(folder.path());
    }

    public static long location(Segment segment, long offset) {
        return (long) segment.id() << Integer.SIZE | offset / Layout.ALIGNMENT;
    }

    /** Flag of a location that an index holds: the field there expires. No offset reaches this bit. */
    public static final long EXPIRES = 1L << 28;

    public static long offset(long location) {
        return (location & (EXPIRES - 1)) * Layout.ALIGNMENT;
    }

    /** The segment of a location; null if it is gone. */
    public Segment segment(long location) {
        return segments.at(location);
    }

    /** What has been seen of the time. */
    public SeenTime seenTime() {
        return seenTime;
    }

    /** What the buckets need of the log, in bytes, each field as if it stood alone. */
    public AtomicLong liveBytes() {
        return liveBytes;
    }

    public Folder folder() {
        return folder;
    }

    /** Which segments there are. */
    public Segments segments() {
        return segments;
    }

    /** Room for what is written next. */
    public Supply supply() {
        return supply;
    }

    /** The active segment, and what is not on the disk yet. */
    public Tail tail() {
        return tail;
    }

    Listing listing() {
        return listing;
    }

    /** A generation that no bucket had before. */
    public long nextGeneration() {
        return generation.incrementAndGet();
    }

    /** Every later generation is higher than this. */
    public void sawGeneration(long seen) {
        if (seen > generation.get()) {
            generation.accumulateAndGet(seen, Math::max);
        }
    }

    /**
     * Appends the records of one change.
     *
     * @param frees whether it makes room, so that it may use the reserve for deletes
     * @return the location of the first one
     * @throws Refused if nothing was written
     */
    public long append(boolean frees, Draft... change) throws Refused {
        return tail.append(frees, length(change), change);
    }

    private static long length(Draft... change) throws Refused {
        long length = 0;
        for (Draft record : change) {
            length += record.length();
        }
        if (length > Layout.CHANGE_MAX_BYTES) {
            throw new Refused(Word.TOOLARGE, "this is too much for one change: do it in several steps");
        }
        return length;
    }

    /**
     * Does the same for a change that may take long to write. A long one is written beside the log while others append, and then becomes
     * a segment of its own.
     */
    public long appendLarge(boolean frees, Draft... change) throws Refused {
        long length = length(change);
        if (length < segmentMaxBytes / BESIDE_PART || supply.isShort()) {
            return append(frees, change);
        }
        Path file = folder.unfinished("large-" + Thread.currentThread().threadId());
        long end;
        try (Segment beside = Segment.create(file, new SegmentName(Long.MAX_VALUE, 0), SegmentHeader.BYTES + length)) {
            beside.append(change);
            end = beside.end();
        } catch (IOException e) {
            remove(file);
            if (frees && Allocation.isNoSpace(e)) {
                return append(true, change);
            }
            throw Refused.of(e, folder.path());
        } catch (RuntimeException | Error e) {
            remove(file);
            throw e;
        }
        try {
            return tail.follow(file, end, change);
        } catch (Refused | RuntimeException | Error e) {
            remove(file);
            throw e;
        }
    }

    private static void remove(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            LOG.warn("{} could not be removed: {}", file, e.getMessage());
        }
    }

    /**
     * Has what is written next go to segments that were not cleared in large pieces: while little is written, each sync would write such
     * a piece as a whole.
     */
    public void endLargePieces() {
        supply.endLargePieces();
        tail.endLargePieces();
    }

    /**
     * Forces all that was written by now onto the disk. By one thread at a time.
     *
     * @return whether there was anything that was not yet there
     * @throws IOException if that failed: writes are refused from now on, until a {@link Rescue} has succeeded
     */
    boolean sync() throws IOException {
        Optional<Tail.Unsynced> unsynced = tail.unsynced();
        if (unsynced.isEmpty()) {
            return false;
        }
        Tail.Unsynced due = unsynced.get();
        try {
            force(due);
        } catch (IOException | RuntimeException | Error e) {
            IOException failed = e instanceof IOException io ? io : new IOException(e);
            tail.fail(failed);
            throw failed;
        }
        tail.synced(due);
        if (!due.full().isEmpty()) {
            listing.sealedMore();
        }
        return true;
    }

    private void force(Tail.Unsynced due) throws IOException {
        for (Segment segment : due.full()) {
            segment.seal();
        }
        if (due.active().isPresent()) {
            due.active().get().sync();
        }
        if (due.hasNewFiles()) {
            folder.sync();
        }
        mark.set(new Mark.Position(due.number(), due.end(), generation.get()));
    }

    /** Forces the mark that the last {@link #sync} set onto the disk. */
    void syncMark() throws IOException {
        mark.sync();
    }

    /** Where the segments end that existed when the log was opened. */
    Mark.Position opened() {
        List<Segment> live = segments.live();
        return live.isEmpty()
                ? new Mark.Position(0, 0, generation.get())
                : new Mark.Position(
                        live.getLast().name().number(), live.getLast().end(), generation.get());
    }

    /**
     * Removes the files of segments that were retired, when the list does not name them any more. By one thread at a time.
     *
     * @throws IOException if that failed: they are there as before, and this can be called again
     */
    public void removeRetired() throws IOException {
        if (segments.hasRetired()) {
            listing.writeInAnyCase();
            segments.removeRetired();
        }
    }

    /**
     * Waits until the durable position is at least this. Precedes each change of the live segments that leaves out entries because
     * newer ones hide them: the list may be written at any time after the change. Segments are prepared meanwhile.
     *
     * @throws IOException if the node stops, or nothing comes onto the disk for {@link #SYNC_MAX}
     */
    public void awaitSynced(long target) throws IOException {
        long synced = -1;
        long progressNanos = System.nanoTime();
        while (!tail.isSynced(target, AWAITED_AT_ONCE)) {
            supply.prepareIfDue();
            if (tail.synced() > synced) {
                synced = tail.synced();
                progressNanos = System.nanoTime();
            } else if (System.nanoTime() - progressNanos > SYNC_MAX.toNanos()) {
                throw new IOException(
                        "the newest records are not on the disk yet, so that compaction may remove no older ones");
            }
        }
    }

    /** Ends the writing; all that was written is on the disk then, unless that fails. After the thread that syncs has ended. */
    public void close() throws IOException {
        tail.close();
        supply.close();
        boolean _ = sync();
        listing.writeNew();
        mark.sync();
        segments.cut(Duration.ZERO);
        // What was cut off may have been the last room there was.
        supply.keepReservesIfRoom();
    }

    /** Ends all mappings; no reads follow. */
    public void closeSegments() throws IOException {
        segments.close();
        seenTime.close();
        mark.close();
        folder.close();
    }
}
