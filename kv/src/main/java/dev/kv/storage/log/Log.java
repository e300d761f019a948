package dev.kv.storage.log;

import dev.kv.router.Reply.Word;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log: all records in the order in which they were written, in segments of which the last one is active: it is appended to. It is
 * all that a node keeps; the rest is made from it.
 *
 * <p>A location says where a record or a field is: a number that holds the id of a segment and the offset within. Any thread may call.
 *
 * <p>This class is long because one monitor guards all that it does: appending, beginning the next segment, the durable position, and
 * the last step of a {@link Rescue}.
 */
public final class Log {
    private static final Logger LOG = LoggerFactory.getLogger(Log.class);

    /** A change of at least this part of the largest segment is written beside the log: copying it takes milliseconds. */
    private static final int BESIDE_PART = 16;

    /** How many segments may be full and not yet on the disk before writers wait for the disk. */
    private static final int UNSYNCED_MAX = 4;

    /** How long the removal of files waits for a sync, in milliseconds. */
    private static final long SYNC_MAX_MILLIS = 10_000;

    private final Folder folder;
    private final Mark mark;
    private final long segmentMaxBytes;
    private final AtomicLong liveBytes = new AtomicLong();
    private final Segments segments;
    private final Supply supply;
    private final Listing listing;

    /** What follows is guarded by this log's monitor, which is held for no longer than an append takes. */
    private final List<Segment> unsynced = new ArrayList<>();

    private Segment active;
    private boolean isActiveForDeletes;
    private Segment last;

    /** The number of the last segment. */
    private long number;

    /** How many bytes were appended to segments that are no longer active. */
    private long appendedToOthers;

    private long synced;
    private long generation;
    private boolean hasNewFiles;
    private boolean isClosed;
    private String failure = "";
    private Runnable syncDue = () -> {};

    /**
     * @param segmentMaxBytes the size of a segment in a large log; larger records have one of their own
     * @param isSyncedAlways whether a sync follows each write
     */
    public Log(Folder folder, Mark mark, long segmentMaxBytes, boolean isSyncedAlways) {
        this.folder = folder;
        this.mark = mark;
        this.segmentMaxBytes = segmentMaxBytes;
        this.segments = new Segments(folder);
        Reserves reserves = new Reserves(folder);
        SegmentSizes sizes = new SegmentSizes(segments, liveBytes, segmentMaxBytes);
        this.supply = new Supply(folder, reserves, sizes, isSyncedAlways);
        this.listing = new Listing(folder, reserves, this::listed);
    }

    public static long location(Segment segment, long offset) {
        return (long) segment.id() << Integer.SIZE | offset / Layout.ALIGNMENT;
    }

    public static long offset(long location) {
        return (location & 0xFFFF_FFFFL) * Layout.ALIGNMENT;
    }

    /** The segment of a location; null if it is gone. */
    public Segment segment(long location) {
        return segments.at(location);
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

    Listing listing() {
        return listing;
    }

    /** Has the task run, quickly, when a {@link #sync} is due: a segment is full, or not written. Before the first write. */
    void whenSyncDue(Runnable task) {
        syncDue = task;
    }

    /** Adds a segment that was there before, behind those that were added. */
    synchronized void add(Segment segment) {
        segments.add(segment);
        startAfter(segment.name().number());
        last = segment;
    }

    /** New segments have higher numbers than this. */
    synchronized void startAfter(long seen) {
        number = Math.max(number, seen);
    }

    /** A generation that no bucket had before. */
    public synchronized long nextGeneration() {
        return ++generation;
    }

    /** Every later generation is higher. */
    public synchronized void sawGeneration(long seen) {
        generation = Math.max(generation, seen);
    }

    /**
     * Appends the records of one change.
     *
     * @param frees whether it makes room, so that it may use the reserve for deletes
     * @return the location of the first one
     * @throws Refused if nothing was written
     */
    public synchronized long append(boolean frees, Draft... change) throws Refused {
        checkTaken();
        long length = length(change);
        while (!fits(length, frees)) {
            if (unsynced.size() < UNSYNCED_MAX) {
                roll(length, frees);
            } else {
                awaitDisk();
                checkTaken();
            }
        }
        long location = location(active, active.end());
        try {
            active.append(change);
        } catch (IOException e) {
            fail(e);
            // Whoever syncs brings to safety what was written before.
            syncDue.run();
            throw failed();
        }
        active.space().count(change);
        supply.appended(active.end());
        return location;
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
            throw refusal(e);
        }
        try {
            return follow(file, end, change);
        } catch (Refused e) {
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

    /** Makes the file of a change the last segment. */
    private synchronized long follow(Path file, long end, Draft... change) throws Refused {
        checkTaken();
        while (unsynced.size() >= UNSYNCED_MAX) {
            awaitDisk();
            checkTaken();
        }
        SegmentName name = new SegmentName(number + 1, 0);
        Segment segment;
        try {
            segment = Segment.allocated(file, name);
        } catch (IOException e) {
            throw refusal(e);
        }
        begin(segment);
        try {
            segment.moveTo(folder.log(name));
        } catch (IOException e) {
            segment.discard();
            throw refusal(e);
        }
        segment.endAt(end);
        segment.space().count(change);
        take(segment);
        appendedToOthers += end;
        unsynced.add(segment);
        return location(segment, SegmentHeader.BYTES);
    }

    private void fail(IOException e) {
        failure = String.valueOf(e.getMessage());
        notifyAll();
    }

    private void checkTaken() throws Refused {
        if (!failure.isEmpty()) {
            throw failed();
        }
        if (isClosed) {
            throw new Refused(Word.ERR, "this node stops");
        }
    }

    private Refused failed() {
        return new Refused(
                Word.ERR, "the disk failed (" + failure + "): writes are refused until what was written is safe again");
    }

    private Refused refusal(IOException e) {
        return Refused.of(e, folder.path());
    }

    /** Whether there is room in the active segment. */
    private boolean fits(long length, boolean frees) {
        return active != null && active.capacity() - active.end() >= length && (frees || !isActiveForDeletes);
    }

    private void roll(long length, boolean frees) throws Refused {
        Segment next;
        try {
            next = supply.next(new SegmentName(number + 1, 0), SegmentHeader.BYTES + length, frees);
        } catch (NoRoomYet e) {
            // The room behind the end of the active segment becomes free, and compaction may rewrite the segment.
            if (active != null && active.end() > SegmentHeader.BYTES) {
                endActive();
                syncDue.run();
            }
            throw e;
        }
        begin(next);
        take(next);
        activate(next);
    }

    private void activate(Segment segment) {
        active = segment;
        isActiveForDeletes = segment != null && supply.isForDeletes(segment);
        supply.active(segment);
    }

    /** Writes the header of a new segment. */
    private void begin(Segment next) throws Refused {
        boolean isLastThere = last != null && last.name().number() == number;
        try {
            // One that is not there any more, or was rewritten, is on the list of segments, which says more of it.
            next.begin(folder.format().id(), number, isLastThere ? last.end() : 0);
        } catch (IOException e) {
            next.discard();
            throw refusal(e);
        }
    }

    /** Takes a segment in as the last one; none is active then. */
    private void take(Segment next) {
        endActive();
        number = next.name().number();
        segments.add(next);
        last = next;
        hasNewFiles = true;
        syncDue.run();
    }

    /** No segment is active from now on. */
    private void endActive() {
        if (active != null) {
            appendedToOthers += active.end();
            unsynced.add(active);
            activate(null);
        }
    }

    private void awaitDisk() throws Refused {
        try {
            while (unsynced.size() >= UNSYNCED_MAX && failure.isEmpty() && !isClosed) {
                wait();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Refused(Word.ERR, "this node stops");
        }
    }

    /** Position behind the last record, in bytes appended since this log was opened. */
    public synchronized long appended() {
        return appendedToOthers + (active == null ? 0 : active.end());
    }

    /** Durable position: how much of what was {@link #appended} is on the disk. */
    public synchronized long synced() {
        return synced;
    }

    /** The segments that are sealed and on the disk, in their order, up to the first that is not. */
    public synchronized List<Segment> sealed() {
        return segments.live().stream()
                .takeWhile(segment -> segment != active && !unsynced.contains(segment))
                .toList();
    }

    /** Pins those, so that all of them stay readable whatever becomes of them. */
    public synchronized Pin pinSealed() {
        return new Pin(sealed());
    }

    /** Ends the active segment: all that was written by now is in sealed ones after the next {@link #sync}. */
    public synchronized void rollOver() {
        if (active != null && active.end() > SegmentHeader.BYTES) {
            endActive();
        }
    }

    /**
     * Has what is written next go to segments without large pieces: little is written, and each sync would write such a piece as a whole.
     */
    public void endLargePieces() {
        supply.endLargePieces();
        synchronized (this) {
            if (active != null && active.pages().hasLargePieces()) {
                endActive();
                syncDue.run();
            }
        }
    }

    /** Why the disk failed, so that writes are refused until a {@link Rescue} has succeeded; empty if it has not. */
    synchronized String failure() {
        return failure;
    }

    /**
     * Forces all that was written by now onto the disk. By one thread at a time.
     *
     * @return whether there was anything that was not yet there
     * @throws IOException if that failed: writes are refused from now on, until a {@link Rescue} has succeeded
     */
    boolean sync() throws IOException {
        List<Segment> full;
        Segment current;
        Segment reached;
        long end;
        long target;
        long currentGeneration;
        boolean withFiles;
        synchronized (this) {
            if (!failure.isEmpty()) {
                throw new IOException(failure);
            }
            if (appended() == synced && unsynced.isEmpty() && !hasNewFiles) {
                return false;
            }
            full = List.copyOf(unsynced);
            current = active;
            reached = last;
            end = reached.end();
            target = appended();
            currentGeneration = generation;
            withFiles = hasNewFiles;
            hasNewFiles = false;
        }
        try {
            for (Segment segment : full) {
                segment.seal();
            }
            if (current != null) {
                current.sync();
            }
            if (withFiles) {
                folder.sync();
            }
            mark.set(new Mark.Position(reached.name().number(), end, currentGeneration));
        } catch (IOException | RuntimeException | Error e) {
            IOException failed = e instanceof IOException io ? io : new IOException(e);
            synchronized (this) {
                fail(failed);
            }
            throw failed;
        }
        synchronized (this) {
            unsynced.removeAll(full);
            synced = target;
            notifyAll();
        }
        if (!full.isEmpty()) {
            listing.sealedMore();
        }
        return true;
    }

    /** Forces the mark that the last {@link #sync} set onto the disk. */
    void syncMark() throws IOException {
        mark.sync();
    }

    private synchronized SegmentList listed() {
        List<Segment> live = segments.live();
        List<Segment> sealed = sealed();
        long through = sealed.size() == live.size()
                ? number
                : live.get(sealed.size()).name().number() - 1;
        return SegmentList.of(
                folder.format().id(),
                through,
                sealed.stream().map(Segment::entry).toList());
    }

    /** The end of all that was {@linkplain #add added}. */
    synchronized Mark.Position reached() {
        List<Segment> live = segments.live();
        return live.isEmpty()
                ? new Mark.Position(0, 0, generation)
                : new Mark.Position(
                        live.getLast().name().number(), live.getLast().end(), generation);
    }

    /**
     * Removes the files of segments that were retired: when all is on the disk that took the place of what is in them, and the
     * list does not name them any more. By one thread at a time.
     *
     * @throws IOException if that failed: they are there as before, and this can be called again
     */
    public void removeRetired() throws IOException {
        if (segments.hasRetired()) {
            awaitSynced(appended());
            listing.writeInAnyCase();
            segments.removeRetired();
        }
    }

    /** Waits until the durable position is at least this. */
    private synchronized void awaitSynced(long target) throws IOException {
        long from = System.nanoTime();
        syncDue.run();
        while (synced < target) {
            long left = SYNC_MAX_MILLIS - (System.nanoTime() - from) / 1_000_000;
            if (left <= 0 || isClosed) {
                throw new IOException("what was written last is not on the disk yet, so that nothing older may go");
            }
            try {
                wait(left);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("this node stops", e);
            }
        }
    }

    /** The segments that hold what is not known to be on the disk. */
    synchronized List<Segment> doubtful() {
        List<Segment> doubtful = new ArrayList<>(unsynced);
        if (active != null) {
            doubtful.add(active);
        }
        return doubtful.stream()
                .filter(segment -> segment.end() > durableEnd(segment))
                .toList();
    }

    /** Offset up to which a segment is known to be on the disk. */
    long durableEnd(Segment segment) {
        return mark.last()
                .filter(position -> position.number() == segment.name().number())
                .map(Mark.Position::offset)
                .orElse((long) SegmentHeader.BYTES);
    }

    /** The number of the last segment. */
    synchronized long lastNumber() {
        return number;
    }

    /** Ends doubtful segments at their durable ends, puts those with copies of the rest behind all others, and takes writes again. */
    synchronized void replaceDoubtful(List<Segment> doubtful, List<Segment> copies) {
        endActive();
        List<Segment> empty = new ArrayList<>();
        List<Segment> shorter = new ArrayList<>();
        for (Segment segment : doubtful) {
            segment.endBefore(durableEnd(segment));
            (segment.end() == SegmentHeader.BYTES ? empty : shorter).add(segment);
        }
        unsynced.clear();
        segments.addUncut(shorter);
        segments.replaceLast(empty, copies);
        last = copies.isEmpty() ? segments.live().getLast() : copies.getLast();
        number = Math.max(number, last.name().number());
        segments.retire(empty);
        hasNewFiles = true;
        synced = appended();
        failure = "";
        notifyAll();
    }

    /** Ends the writing; all that was written is on the disk then, unless that fails. After the thread that syncs has ended. */
    public void close() throws IOException {
        synchronized (this) {
            isClosed = true;
            endActive();
        }
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
        mark.close();
        folder.close();
    }
}
