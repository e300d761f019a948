package dev.kv.storage.log;

import dev.kv.router.Reply.Word;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mapped;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.Scan;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log: all records in the order in which they were written, in segments of which only the last one grows. It is all that a
 * node keeps; the rest is found in it again.
 *
 * <p>Where records are is told by locations: numbers that hold the id of a segment and the offset within. Any thread may call.
 */
public final class Log {
    private static final Logger LOG = LoggerFactory.getLogger(Log.class);

    /** The smallest segment, and how many of the usual size the log has about: what is allocated ahead stays in proportion. */
    private static final long SEGMENT_MIN_BYTES = 4L << 20;

    private static final int SEGMENTS_ABOUT = 16;

    /** A change of this part of the largest segment is written beside the log: to copy it takes milliseconds. */
    private static final int BESIDE_PART = 16;

    /** With so many segments full and not yet on the disk, who writes has to wait for the disk. */
    private static final int UNSYNCED_MAX = 4;

    /** So long the removal of files waits for a sync. */
    private static final long SYNC_MAX_MILLIS = 10_000;

    /** So far ahead of what is written, pages are brought in before they are needed, while much is written. */
    public static final long PAGES_AHEAD_BYTES = 1L << 20;

    /** So much of a segment is cleared before others get their turn: those who wait for the disk, or for pages. */
    private static final long CLEARED_AT_ONCE_BYTES = 2L << 20;

    private static final String NEXT = "next";

    private final Folder folder;
    private final Reserves reserves;
    private final Mark mark;
    private final long segmentMaxBytes;
    private final boolean isSyncedAlways;
    private final long pagesAheadBytes;

    /** Whether much is written; for the thread that prepares. */
    private boolean isBusy;

    /**
     * Whether compaction writes into its reserve: what that leaves of it is not free until the segments are removed that it
     * rewrites. For the thread that prepares.
     */
    private boolean isReserveInUse;

    private final AtomicLong liveBytes = new AtomicLong();

    private final Segments segments;

    /** Held while the list of segments is written, so that a later one is not written over by an earlier one. */
    private final Object listing = new Object();

    /** The list on the disk, if that is known. */
    private SegmentList onDisk;

    /** Whether segments were sealed since it was written; for the thread that syncs. */
    private boolean hasNewSealed;

    /** Whether the log of the node has it that it could not be written; for the thread that syncs. */
    private boolean isUnlistedTold;

    /** What follows is guarded by this log's monitor, which is held for no longer than an append takes. */
    private final List<Segment> unsynced = new ArrayList<>();

    private Segment active;
    private Segment prepared;
    private Segment last;
    private long number;

    /** What was appended to segments that do not grow any more. */
    private long appendedToOthers;

    private long synced;
    private long generation;
    private boolean hasNewFiles;
    private boolean isClosed;

    /** The segment that was made of what is kept for a full disk. */
    private Segment reserved;

    /** Why there was no room for a segment; null if there was, or what is kept for a full disk has its room again. */
    private Refused noRoom;

    /** How often there was room again for deletes that had found none. */
    private long refills;

    /** What a delete takes for which there was no room, and since when there is none; 0 if there is. */
    private long lackingBytes;

    private long lackingNanos;
    private boolean isEnding;

    private String failure = "";
    private Runnable due = () -> {};
    private Runnable nearing = () -> {};

    /** Where in the segment that grows there has to be more room ahead; {@link Long#MAX_VALUE} once that was told. */
    private long nearingAt;

    /** Whom to tell that entries stand somewhere else now: who finds them by their locations. */
    public interface Moves {
        /** Waits until every change is in force that has begun by now, and counts as dead what those have dropped. */
        void settle();

        /**
         * An entry was copied.
         *
         * @param scan stands at the copy, in {@code to}
         * @return whether the entry was still needed, and is read from the copy from now on
         */
        boolean move(Scan scan, Segment to, long fromLocation, long toLocation);
    }

    /**
     * @param segmentMaxBytes the size of a segment in a large log; larger records have one of their own
     * @param isSyncedAlways whether a sync follows each write. Pages are not brought in ahead of the writers then, since each
     *     sync has to clean them again; and a segment has been on the disk, in zeros, before it is written to: a file system
     *     that has to note for each block that it is in use now takes about half as long again for a sync
     */
    public Log(Folder folder, Mark mark, long segmentMaxBytes, boolean isSyncedAlways) {
        this.isSyncedAlways = isSyncedAlways;
        this.pagesAheadBytes = isSyncedAlways ? 0 : PAGES_AHEAD_BYTES;
        this.folder = folder;
        this.reserves = new Reserves(folder);
        this.segments = new Segments(folder);
        this.mark = mark;
        this.segmentMaxBytes = segmentMaxBytes;
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

    /** Has the task run, quickly, when a {@link #sync} is due: a segment is full, or not written. Before the first write. */
    void whenDue(Runnable task) {
        due = task;
    }

    /** Has the task run, quickly, whenever {@link #prepare} is due before the writers come to the end of what it did. */
    public void whenNearing(Runnable task) {
        nearing = task;
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
     * Writes records behind all others, one after the other: a change as a whole.
     *
     * @param frees whether it makes room, so that it may use what is kept for that
     * @return where the first one begins
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
            due.run();
            throw failed();
        }
        active.count(change);
        if (active.end() >= nearingAt) {
            nearingAt = Long.MAX_VALUE;
            nearing.run();
        }
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
     * The same for a change that may take long to be written. A long one is written beside the log while others append, and then
     * becomes a segment of its own, behind all others.
     */
    public long appendLarge(boolean frees, Draft... change) throws Refused {
        long length = length(change);
        if (length < segmentMaxBytes / BESIDE_PART || isShort()) {
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
        if (prepared != null) {
            // Its number is taken.
            drop(prepared);
            prepared = null;
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
            drop(segment);
            throw refusal(e);
        }
        segment.endAt(end);
        segment.count(change);
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

    /** Whether there is room in the segment that grows; what was kept for those who delete is for them alone. */
    private boolean fits(long length, boolean frees) {
        return active != null && active.capacity() - active.end() >= length && (frees || active != reserved);
    }

    /** How far the log reaches, as {@link #synced} counts. */
    public synchronized long appended() {
        return appendedToOthers + (active == null ? 0 : active.end());
    }

    /** How much of what was appended is on the disk, in bytes since this log was opened. */
    public synchronized long synced() {
        return synced;
    }

    private void roll(long length, boolean frees) throws Refused {
        Segment next = next(SegmentHeader.BYTES + length, frees);
        begin(next);
        take(next);
        active = next;
        nearingAt = nearingAt(next);
    }

    private void begin(Segment next) throws Refused {
        boolean isLastThere = last != null && last.name().number() == number;
        try {
            // One that is not there any more, or was rewritten, is on the list of segments, which says more of it.
            next.begin(folder.format().id(), number, isLastThere ? last.end() : 0);
        } catch (IOException e) {
            drop(next);
            throw refusal(e);
        }
    }

    /** Takes a segment in as the last one; none grows then. */
    private void take(Segment next) {
        endActive();
        number = next.name().number();
        segments.add(next);
        last = next;
        hasNewFiles = true;
        due.run();
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

    private Segment next(long bytes, boolean frees) throws Refused {
        Segment next = prepared;
        prepared = null;
        if (next != null && next.capacity() >= bytes) {
            try {
                next.moveTo(folder.log(next.name()));
                return next;
            } catch (IOException e) {
                LOG.debug("{} could not be used", next, e);
            }
        }
        if (next != null) {
            drop(next);
        }
        if (noRoom != null && !frees) {
            throw noRoom;
        }
        SegmentName name = new SegmentName(number + 1, 0);
        if (!isFull()) {
            try {
                return Segment.create(folder.log(name), name, Math.max(bytes, segmentBytes()));
            } catch (IOException e) {
                noRoom = refusal(e);
            }
        }
        if (!frees || !isFull()) {
            throw noRoom;
        }
        return reserve(name, bytes);
    }

    private boolean isFull() {
        return noRoom != null && noRoom.reply().word() == Word.NOSPACE;
    }

    /** A segment of what is kept for deletes. Any other room is left to compaction, which makes more of it. */
    private Segment reserve(SegmentName name, long bytes) throws Refused {
        try {
            Optional<Segment> segment = reserves.takeForDeletes(name, bytes);
            if (segment.isPresent()) {
                reserved = segment.get();
                return reserved;
            }
        } catch (IOException e) {
            throw refusal(e);
        }
        if (active != null && active.end() > SegmentHeader.BYTES) {
            // What is behind its end gives room, and compaction may rewrite it.
            endActive();
            due.run();
        }
        lackingNanos = lackingBytes == 0 ? System.nanoTime() : lackingNanos;
        lackingBytes = Math.max(lackingBytes, bytes);
        nearing.run();
        throw new NoRoomYet(this, noRoom, refills);
    }

    /**
     * Waits until there is room for deletes. By a thread that holds no lock of a shard.
     *
     * @param seenRefills how often there was room again by the time at which a delete found none
     * @param max how long compaction may take for that, from the first delete that found none
     * @return whether there is room; false if that takes longer, or the node stops
     */
    synchronized boolean awaitRoom(long seenRefills, Duration max) {
        try {
            while (refills == seenRefills && !isEnding) {
                long leftNanos = max.toNanos() - (System.nanoTime() - lackingNanos);
                if (leftNanos <= 0) {
                    return false;
                }
                wait(leftNanos / 1_000_000 + 1);
            }
            return !isEnding;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Whether deletes have no room, so that compaction is due as soon as it frees anything. */
    public synchronized boolean isLacking() {
        return lackingBytes > 0;
    }

    /** Ends every {@link #awaitRoom}, now and later: the node stops. */
    public synchronized void endWaits() {
        isEnding = true;
        notifyAll();
    }

    /** A segment to be written by compaction, in a file that is not finished; from what is kept for that where the disk is full. */
    public Segment createRewritten(SegmentName name, long bytes) throws IOException {
        Path file = folder.unfinished(name.toString());
        try {
            return Segment.create(file, name, bytes);
        } catch (IOException e) {
            Segment segment = reserves.takeForCompaction(file, name, bytes).orElseThrow(() -> e);
            isReserveInUse = true;
            return segment;
        }
    }

    /** What a client hears when a file cannot be written. */
    private Refused refusal(IOException e) {
        return Allocation.isNoSpace(e)
                ? new Refused(
                        Word.NOSPACE,
                        "no space is left for " + folder.path() + ": delete keys or buckets, or make room")
                : new Refused(Word.ERR, "this node cannot write: " + e.getMessage());
    }

    /** What a new segment takes: the more is in the log the more, so that what is allocated ahead stays in proportion. */
    public long segmentBytes() {
        long fitting = Long.highestOneBit(Math.max(1, liveBytes.get() / SEGMENTS_ABOUT));
        return Math.clamp(fitting, Math.min(SEGMENT_MIN_BYTES, segmentMaxBytes), segmentMaxBytes);
    }

    /** Where there has to be more room ahead: before the pages that are there come to an end, and the segment half. */
    private long nearingAt(Segment grows) {
        long pages = touchAt(grows);
        return prepared == null ? Math.min(pages, grows.capacity() / 2) : pages;
    }

    private long touchAt(Segment grows) {
        boolean isAll = pagesAheadBytes == 0 || grows.touchedTo() == grows.capacity();
        return isAll ? grows.capacity() + 1 : grows.touchedTo() - pagesAheadBytes / 2;
    }

    /**
     * Makes room ahead of those who write: pages of the segment that grows, the next segment, and what is kept for a full disk.
     * Not by two threads at once.
     *
     * @param isBusyNow whether much is written, so that the next segment will soon be full
     * @throws IOException if there is no room for that
     */
    public void prepare(boolean isBusyNow) throws IOException {
        isBusy = isBusyNow;
        isReserveInUse = false;
        prepare();
    }

    private void prepare() throws IOException {
        touchAhead();
        Segment grows;
        SegmentName due = null;
        synchronized (this) {
            grows = active;
            if (grows != null && grows.end() >= grows.capacity() / 2 && prepared == null && !isClosed) {
                due = new SegmentName(number + 1, 0);
            }
        }
        if (!isReserveInUse) {
            keepReserves();
        }
        if (due != null) {
            makeNext(due, segmentBytes());
        }
        synchronized (this) {
            if (grows != null && grows == active) {
                nearingAt = nearingAt(grows);
            }
        }
    }

    /** The same if it is due before the next time that it is done anyway, and as far as there is room. */
    public void prepareIfNear() {
        boolean isNear;
        synchronized (this) {
            isNear = nearingAt == Long.MAX_VALUE;
        }
        if (isNear) {
            try {
                prepare();
            } catch (IOException e) {
                LOG.debug("no room ahead", e);
            }
        }
    }

    /** Brings in pages before those who write come to the end of what is there. */
    private void touchAhead() {
        Segment grows;
        synchronized (this) {
            grows = active;
            if (grows == null || nearingAt < Long.MAX_VALUE) {
                return;
            }
        }
        grows.touch(grows.end() + pagesAheadBytes);
        synchronized (this) {
            if (grows == active) {
                nearingAt = touchAt(grows);
            }
        }
    }

    /**
     * Has what is written next go to segments without large pieces: little is written, and each sync would write them as a whole
     * for that.
     */
    public void endLargePieces() {
        Segment unused = null;
        synchronized (this) {
            if (prepared != null && prepared.hasLargePieces()) {
                unused = prepared;
                prepared = null;
            }
            if (active != null && active.hasLargePieces()) {
                endActive();
                due.run();
            }
        }
        if (unused != null) {
            drop(unused);
        }
    }

    private void makeNext(SegmentName name, long bytes) throws IOException {
        Segment next = Segment.create(folder.unfinished(NEXT), name, bytes);
        try {
            if (isSyncedAlways || isBusy) {
                clear(next);
            }
        } catch (IOException e) {
            drop(next);
            throw e;
        }
        next.touch(pagesAheadBytes);
        synchronized (this) {
            if (number + 1 == name.number() && !isClosed) {
                prepared = next;
                return;
            }
        }
        drop(next);
    }

    private void clear(Segment next) throws IOException {
        int pieceBytes = isSyncedAlways ? Mapped.PAGE_MIN_BYTES : Segment.PIECE_MAX_BYTES;
        for (long at = 0; at < next.capacity(); at += CLEARED_AT_ONCE_BYTES) {
            next.clear(at + CLEARED_AT_ONCE_BYTES, pieceBytes);
            if (isSyncedAlways) {
                next.sync();
            }
            touchAhead();
        }
    }

    /** Without these, what needs room is refused: deletes and compaction come first. */
    private void keepReserves() throws IOException {
        long deletesBytes;
        synchronized (this) {
            deletesBytes = Math.max(segmentBytes(), lackingBytes);
        }
        IOException failed = null;
        try {
            reserves.keep(deletesBytes, rewrittenMaxBytes());
        } catch (IOException e) {
            failed = e;
        }
        long kept = reserves.deletesBytes();
        synchronized (this) {
            noRoom = failed == null ? null : refusal(failed);
            if (lackingBytes > 0 && kept >= lackingBytes) {
                refills++;
                lackingBytes = 0;
                notifyAll();
            }
        }
        if (failed != null) {
            throw failed;
        }
    }

    /** The most that compaction needs for one segment: those of a log that was larger may be larger than the next one. */
    private long rewrittenMaxBytes() {
        long largest = segments.live().stream().mapToLong(Segment::end).max().orElse(0);
        return Math.max(segmentBytes(), Math.min(largest, segmentMaxBytes));
    }

    /** Turns room that compaction has just made on a full disk into reserves, before somebody else takes it. */
    public void refill() {
        isReserveInUse = false;
        if (isShort()) {
            try {
                keepReserves();
            } catch (IOException e) {
                LOG.debug("no room for the reserves", e);
            }
        }
    }

    /** Whether there was no room for a segment, and still is none for what is kept for a full disk. */
    public synchronized boolean isShort() {
        return noRoom != null;
    }

    private static void drop(Segment segment) {
        segment.close();
        try {
            Files.deleteIfExists(segment.path());
        } catch (IOException e) {
            LOG.warn("{} could not be removed", segment, e);
        }
    }

    /** Which segments there are. */
    public Segments segments() {
        return segments;
    }

    /** The segments that do not grow any more and are on the disk, in their order, up to the first that is not. */
    public synchronized List<Segment> sealed() {
        return segments.live().stream()
                .takeWhile(segment -> segment != active && !unsynced.contains(segment))
                .toList();
    }

    /** Pins those, so that all of them stay readable whatever becomes of them. */
    public synchronized Pin pinSealed() {
        return new Pin(sealed());
    }

    /** Closes the segment that grows, so that all that was written by now will be in sealed ones, after {@link #sync}. */
    public synchronized void rollOver() throws Refused {
        if (active != null && active.end() > SegmentHeader.BYTES) {
            endActive();
        }
    }

    /** No segment grows from now on. */
    private void endActive() {
        if (active != null) {
            appendedToOthers += active.end();
            unsynced.add(active);
            active = null;
        }
    }

    /** Why the disk failed, so that writes are refused until {@link #rescue} has succeeded; empty if it has not. */
    synchronized String failure() {
        return failure;
    }

    /**
     * Forces all that was written by now onto the disk. By one thread at a time.
     *
     * @return whether there was anything that was not yet there
     * @throws IOException if that failed: writes are refused from now on, until {@link #rescue} has succeeded
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
        hasNewSealed |= !full.isEmpty();
        return true;
    }

    /**
     * Writes the list if there are segments that it does not name. That may wait: each segment behind the list says what was written
     * before it. By the thread that syncs.
     */
    void listNew() {
        if (!hasNewSealed) {
            return;
        }
        try {
            list();
            hasNewSealed = false;
            isUnlistedTold = false;
        } catch (IOException e) {
            if (!isUnlistedTold) {
                LOG.warn("the list of segments could not be written, and is tried again: {}", e.getMessage());
            }
            isUnlistedTold = true;
        }
    }

    /**
     * Writes which segments no longer grow and are on the disk. Any thread.
     *
     * @throws IOException if that failed: the list says what it said before
     */
    void list() throws IOException {
        synchronized (listing) {
            SegmentList list = listed();
            if (!list.equals(onDisk)) {
                onDisk = null;
                list.write(folder.path());
                onDisk = list;
            }
        }
    }

    /**
     * Writes the list first of all.
     *
     * @param before that which is on the disk
     */
    void listFirst(Optional<SegmentList> before) throws IOException {
        synchronized (listing) {
            onDisk = before.orElse(null);
        }
        listInAnyCase();
    }

    /** On a full disk the little that it takes comes from a reserve. */
    private void listInAnyCase() throws IOException {
        Reserves.writeInAnyCase(folder.path(), this::list);
        try {
            reserves.keepList();
        } catch (IOException e) {
            LOG.debug("no room for the reserve of the list of segments", e);
        }
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

    /** Where all ends that was read when the log was opened, and is on the disk. */
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
            listInAnyCase();
            segments.removeRetired();
        }
    }

    /** Waits until all is on the disk that was written up to here. */
    private synchronized void awaitSynced(long target) throws IOException {
        long from = System.nanoTime();
        due.run();
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

    /** Forces the mark that the last {@link #sync} set onto the disk. */
    void syncMark() throws IOException {
        mark.sync();
    }

    /**
     * After a failed {@link #sync}: writes all that is not known to be on the disk once more, into new segments; nothing else is
     * written meanwhile. The kernel may have dropped what it could not write, and would not say so again.
     *
     * @throws IOException if that failed, too; the log is as it was then, and this can be called again
     */
    void rescue(Moves moves) throws IOException {
        moves.settle();
        List<Segment> doubtful = doubtful();
        List<Segment> fresh = new ArrayList<>();
        synchronized (listing) {
            try {
                for (Segment segment : doubtful) {
                    fresh.add(copied(segment, fresh.size()));
                }
                // They count when the list says so: until then the old ones do.
                for (Segment segment : fresh) {
                    segment.moveTo(folder.log(segment.name()));
                }
                folder.sync();
                onDisk = null;
                listed(doubtful, fresh).write(folder.path());
            } catch (IOException | RuntimeException | Error e) {
                for (Segment segment : fresh) {
                    // One that has its name is written over by the next attempt.
                    segment.close();
                    Files.deleteIfExists(folder.unfinished(segment.name().toString()));
                }
                throw e;
            }
            for (int i = 0; i < fresh.size(); i++) {
                segments.know(fresh.get(i));
                moveAll(doubtful.get(i), synced(doubtful.get(i)), fresh.get(i), moves);
            }
            settle(doubtful, fresh);
        }
    }

    /** The list of all segments, of which some end where they are known to be on the disk, and new ones have the rest. */
    private synchronized SegmentList listed(List<Segment> doubtful, List<Segment> fresh) {
        List<SegmentList.Entry> entries = new ArrayList<>();
        for (Segment segment : segments.live()) {
            entries.add(doubtful.contains(segment) ? segment.entry().endingAt(synced(segment)) : segment.entry());
        }
        fresh.forEach(segment -> entries.add(segment.entry()));
        return SegmentList.of(folder.format().id(), number + fresh.size(), entries);
    }

    /** The segments that hold what is not known to be on the disk. */
    private synchronized List<Segment> doubtful() {
        List<Segment> doubtful = new ArrayList<>(unsynced);
        if (active != null) {
            doubtful.add(active);
        }
        return doubtful.stream()
                .filter(segment -> segment.end() > synced(segment))
                .toList();
    }

    /** How far a segment is known to be on the disk. */
    private long synced(Segment segment) {
        return mark.last()
                .filter(position -> position.number() == segment.name().number())
                .map(Mark.Position::offset)
                .orElse((long) SegmentHeader.BYTES);
    }

    private Segment copied(Segment doubtful, int index) throws IOException {
        // No segment behind the list has been rewritten: so it does not count before it is on the list.
        SegmentName name = new SegmentName(number + 1 + index, 1);
        long from = synced(doubtful);
        Path file = folder.unfinished(name.toString());
        Segment copy = Segment.create(file, name, SegmentHeader.BYTES + doubtful.end() - from);
        try {
            copy.begin(folder.format().id(), 0, 0);
            copy.append(doubtful, from, doubtful.end());
            copy.seal();
            check(copy);
            return copy;
        } catch (IOException | RuntimeException | Error e) {
            drop(copy);
            throw e;
        }
    }

    /** What is moved must not break off half-way. */
    private static void check(Segment copy) {
        Scan scan = copy.scan();
        while (scan.next()) {
            // Each record is checked.
        }
        if (scan.at() < copy.end()) {
            throw new Damaged(copy.path(), scan.at(), "what was written here is missing");
        }
    }

    /** Puts the new segments into their place, and takes writes again. */
    private synchronized void settle(List<Segment> doubtful, List<Segment> fresh) {
        endActive();
        List<Segment> empty = new ArrayList<>();
        List<Segment> shorter = new ArrayList<>();
        for (Segment segment : doubtful) {
            segment.endBefore(synced(segment));
            (segment.end() == SegmentHeader.BYTES ? empty : shorter).add(segment);
        }
        if (prepared != null) {
            // Its number is taken.
            drop(prepared);
            prepared = null;
        }
        unsynced.clear();
        segments.addUncut(shorter);
        segments.replaceLast(empty, fresh);
        last = fresh.isEmpty() ? segments.live().getLast() : fresh.getLast();
        number = Math.max(number, last.name().number());
        segments.retire(empty);
        hasNewFiles = true;
        synced = appended();
        failure = "";
        notifyAll();
    }

    private void moveAll(Segment from, long start, Segment to, Moves moves) {
        long shift = start - SegmentHeader.BYTES;
        Scan scan = to.scanWritten();
        while (scan.next()) {
            while (scan.nextEntry()) {
                int kind = scan.kind();
                long cost = scan.cost();
                to.count(kind, cost);
                from.discount(kind, cost);
                long at = scan.entry();
                if (!moves.move(scan, to, location(from, at + shift), location(to, at))) {
                    to.died(kind, cost);
                    from.revived(kind, cost);
                }
            }
        }
    }

    /** Ends the writing; all that was written is on the disk then, unless that fails. After the thread that syncs has ended. */
    public void close() throws IOException {
        synchronized (this) {
            isClosed = true;
            if (prepared != null) {
                drop(prepared);
                prepared = null;
            }
            endActive();
        }
        boolean _ = sync();
        listNew();
        mark.sync();
        segments.cut(Duration.ZERO);
        try {
            // What was cut off may have been the last room there was.
            keepReserves();
        } catch (IOException e) {
            LOG.debug("no room for the reserves", e);
        }
    }

    /** Ends all mappings. Nobody may read any more. */
    public void closeSegments() throws IOException {
        segments.close();
        mark.close();
        folder.close();
    }
}
