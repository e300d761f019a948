package dev.kv.storage.log;

import dev.kv.router.Reply.Word;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Mapped;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Disk space and pages that are prepared before they are needed: pages of the active segment, the next segment, and the {@link
 * Reserves} for a full disk. The keeper prepares them; any thread takes them.
 */
public final class Supply {
    private static final Logger LOG = LoggerFactory.getLogger(Supply.class);

    /** Bytes behind the append offset whose pages are brought in. */
    public static final long PAGES_AHEAD_BYTES = 1L << 20;

    /** Bytes of the next segment that are cleared before pages of the active one are brought in again. */
    private static final long CLEARED_AT_ONCE_BYTES = 2L << 20;

    private static final long MIB = 1L << 20;
    private static final String NEXT = "next";

    private final Folder folder;
    private final Reserves reserves;
    private final SegmentSizes sizes;
    private final Refills refills = new Refills();
    private final boolean isSyncedAlways;
    private final long pagesAheadBytes;

    /** Whether writes are so heavy that the next segment will soon be full. For the keeper alone. */
    private boolean isBusy;

    /** Whether compaction writes into its reserve: until what it rewrites is removed, no other one is made. For the keeper alone. */
    private boolean isReserveInUse;

    /** The number of the last segment of the log, when the keeper began its turn. For the keeper alone. */
    private long lastNumber;

    // The fields from here to the keeper are guarded by this.

    /** The active segment; null if there is none. */
    private Segment active;

    /** The segment after the active one; null if it is not made yet. */
    private Segment prepared;

    /** The last segment that was made of the reserve for deletes. */
    private Segment reserved;

    /** Why the last segment or reserve could not be made; null if it was made. */
    private Refused noRoom;

    /** Whether a write was refused for want of a segment, and none could be made since. */
    private boolean isRefusing;

    private boolean isClosed;
    private Runnable keeper = () -> {};

    /** Append offset in the active segment at which the keeper is woken; {@link Long#MAX_VALUE} once it was. */
    private volatile long wakeAt;

    /**
     * @param isSyncedAlways whether a sync follows each write. Pages are not brought in ahead then: each sync would have to clean them
     *     again. A segment is on the disk in zeros before it is used: a sync takes about half as long again while the file system has
     *     to mark each block as used
     */
    Supply(Folder folder, Reserves reserves, SegmentSizes sizes, boolean isSyncedAlways) {
        this.folder = folder;
        this.reserves = reserves;
        this.sizes = sizes;
        this.isSyncedAlways = isSyncedAlways;
        this.pagesAheadBytes = isSyncedAlways ? 0 : PAGES_AHEAD_BYTES;
    }

    /** Sets the task, a short one, that is run whenever {@link #prepare} is due. Before the first write. */
    public synchronized void whenDue(Runnable task) {
        keeper = task;
    }

    /** Size of a new segment in bytes. */
    public long segmentBytes() {
        return sizes.next();
    }

    /**
     * Makes a new segment, under its own file name and without a header.
     *
     * @param bytes the least size, with the header
     * @param frees whether it is for deletes, so that it may be made of their reserve
     * @throws Refused if the disk is full, or the file cannot be made
     * @throws NoRoomYet if the disk is full, and the reserve for deletes too small
     */
    synchronized Segment next(SegmentName name, long bytes, boolean frees) throws Refused {
        Segment next = prepared;
        prepared = null;
        if (next != null && next.name().equals(name) && next.capacity() >= bytes) {
            try {
                next.moveTo(folder.log(name));
                return next;
            } catch (IOException e) {
                LOG.debug("{} could not be used", next, e);
            }
        }
        if (next != null) {
            next.discard();
        }
        if (noRoom == null || (frees && !isFull())) {
            try {
                return Segment.create(folder.log(name), name, Math.max(bytes, segmentBytes()));
            } catch (IOException e) {
                noRoom = Refused.of(e, folder.path());
            }
        }
        if (!frees || !isFull()) {
            isRefusing = true;
            throw noRoom;
        }
        return ofReserve(name, bytes);
    }

    private boolean isFull() {
        return noRoom != null && noRoom.reply().word() == Word.NOSPACE;
    }

    /** Makes a segment of the reserve for deletes. All other free space is left to compaction, which frees more. */
    private Segment ofReserve(SegmentName name, long bytes) throws Refused {
        try {
            Optional<Segment> segment = reserves.takeForDeletes(name, bytes);
            if (segment.isPresent()) {
                reserved = segment.get();
                return reserved;
            }
        } catch (IOException e) {
            throw Refused.of(e, folder.path());
        }
        long seen = refills.lack(bytes);
        keeper.run();
        throw new NoRoomYet(refills, noRoom, seen);
    }

    /** Whether a delete found its reserve too small, so that compaction is due when it can free anything. */
    public boolean isLacking() {
        return refills.lackingBytes() > 0;
    }

    /** Nobody waits any more until the reserve for deletes is made again: the node stops. */
    public void endWaits() {
        refills.end();
    }

    /** Whether a segment was made of the reserve for deletes, so that nothing else is appended to it. */
    synchronized boolean isForDeletes(Segment segment) {
        return segment == reserved;
    }

    /** Makes a segment for compaction, in an unfinished file; of its reserve if the disk is full. */
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

    /** Whether the disk is full: the last segment or reserve could not be made. */
    public synchronized boolean isShort() {
        return noRoom != null;
    }

    /** Sets the active segment; null for none. */
    synchronized void active(Segment segment) {
        active = segment;
        wakeAt = segment == null ? 0 : wakeAt(segment);
    }

    /**
     * Wakes the keeper if that is due. By one thread at a time.
     *
     * @param end the append offset of the active segment
     */
    void appended(long end) {
        if (end >= wakeAt) {
            wakeAt = Long.MAX_VALUE;
            keeper.run();
        }
    }

    /** Append offset at which the keeper is woken: before the prepared pages end, or half the segment if there is no next one. */
    private long wakeAt(Segment grows) {
        long pages = pagesWakeAt(grows);
        return prepared == null ? Math.min(pages, grows.capacity() / 2) : pages;
    }

    private long pagesWakeAt(Segment grows) {
        boolean isAll = pagesAheadBytes == 0 || grows.pages().touchedTo() == grows.capacity();
        return isAll ? grows.capacity() + 1 : grows.pages().touchedTo() - pagesAheadBytes / 2;
    }

    /**
     * Brings in pages, and makes the next segment and the reserves, as far as they are due. By the keeper.
     *
     * @param isBusyNow whether writes are so heavy that the next segment will soon be full
     * @param lastNumberNow the number of the last segment of the log
     * @throws IOException if the disk is full, or a file cannot be made: says what that means for writes, and what to do
     */
    public void prepare(boolean isBusyNow, long lastNumberNow) throws IOException {
        isBusy = isBusyNow;
        isReserveInUse = false;
        lastNumber = lastNumberNow;
        try {
            prepare();
        } catch (IOException e) {
            throw new IOException(consequence(e), e);
        }
    }

    /** What it means for writes that a segment or a reserve cannot be made. */
    private synchronized String consequence(IOException e) throws IOException {
        boolean isNow = isRefusing || active == null || isForDeletes(active);
        if (!Allocation.isNoSpace(e)) {
            return "writes are refused" + (isNow ? ": " : " soon: ") + e.getMessage();
        }
        long bytes =
                reserves.missingBytes(deletesBytes(), sizes.rewrittenMax()) + (prepared == null ? segmentBytes() : 0);
        return "writes are refused %s %d MiB are free for %s: delete keys or buckets, or make room"
                .formatted(isNow ? "until" : "soon, unless", (bytes + MIB - 1) / MIB, folder.path());
    }

    private void prepare() throws IOException {
        touchAhead();
        Segment grows;
        boolean isNextDue;
        synchronized (this) {
            grows = active;
            isNextDue = (grows == null || grows.end() >= grows.capacity() / 2) && prepared == null && !isClosed;
        }
        if (!isReserveInUse) {
            keepReserves();
        }
        if (isNextDue) {
            makeNext(grows, segmentBytes());
        }
        synchronized (this) {
            isRefusing = false;
            if (grows != null && grows == active) {
                wakeAt = wakeAt(grows);
            }
        }
    }

    /** Does the same if the keeper was woken for it during other work. By the keeper. */
    public void prepareIfDue() {
        if (wakeAt < Long.MAX_VALUE) {
            return;
        }
        try {
            prepare();
        } catch (IOException e) {
            LOG.debug("nothing could be preallocated", e);
        }
    }

    /** Brings in pages of the active segment, if that is due. */
    private void touchAhead() {
        Segment grows;
        synchronized (this) {
            grows = active;
            if (grows == null || wakeAt < Long.MAX_VALUE) {
                return;
            }
        }
        grows.pages().touch(grows.end(), grows.end() + pagesAheadBytes);
        synchronized (this) {
            if (grows == active) {
                wakeAt = pagesWakeAt(grows);
            }
        }
    }

    private void makeNext(Segment grows, long bytes) throws IOException {
        long number = grows == null ? lastNumber : grows.name().number();
        Segment next;
        try {
            next = Segment.create(folder.unfinished(NEXT), new SegmentName(number + 1, 0), bytes);
        } catch (IOException e) {
            synchronized (this) {
                noRoom = Refused.of(e, folder.path());
            }
            throw e;
        }
        try {
            if (isSyncedAlways || isBusy) {
                clear(next);
            }
        } catch (IOException e) {
            next.discard();
            throw e;
        }
        next.pages().touch(next.end(), pagesAheadBytes);
        synchronized (this) {
            if (grows == active && !isClosed) {
                prepared = next;
                return;
            }
        }
        next.discard();
    }

    private void clear(Segment next) throws IOException {
        int pieceBytes = isSyncedAlways ? Mapped.PAGE_MIN_BYTES : Pages.PIECE_MAX_BYTES;
        for (long at = 0; at < next.capacity(); at += CLEARED_AT_ONCE_BYTES) {
            next.pages().clear(next.end(), at + CLEARED_AT_ONCE_BYTES, pieceBytes);
            if (isSyncedAlways) {
                next.sync();
            }
            touchAhead();
        }
    }

    /** Makes the reserves. Without them, writes other than deletes are refused. */
    private void keepReserves() throws IOException {
        IOException failed = null;
        try {
            reserves.keep(deletesBytes(), sizes.rewrittenMax());
        } catch (IOException e) {
            failed = e;
        }
        long kept = reserves.deletesBytes();
        synchronized (this) {
            noRoom = failed == null ? null : Refused.of(failed, folder.path());
        }
        refills.kept(kept);
        if (failed != null) {
            throw failed;
        }
    }

    /** Size that the reserve for deletes should have. */
    private long deletesBytes() {
        return Math.max(segmentBytes(), refills.lackingBytes());
    }

    /** Makes reserves of the space that compaction has just freed on a full disk, before anything else takes it. By the keeper. */
    public void refill() {
        isReserveInUse = false;
        if (isShort()) {
            keepReservesIfRoom();
        }
    }

    /** Makes the reserves as far as the disk has space. */
    public void keepReservesIfRoom() {
        try {
            keepReserves();
        } catch (IOException e) {
            LOG.debug("no space for the reserves", e);
        }
    }

    /** Removes the next segment if it was cleared in large pieces: see {@link Log#endLargePieces}. */
    void endLargePieces() {
        Segment unused = null;
        synchronized (this) {
            if (prepared != null && prepared.pages().hasLargePieces()) {
                unused = prepared;
                prepared = null;
            }
        }
        if (unused != null) {
            unused.discard();
        }
    }

    /** Removes the next segment; none is prepared from now on. */
    synchronized void close() {
        isClosed = true;
        if (prepared != null) {
            prepared.discard();
            prepared = null;
        }
    }
}
