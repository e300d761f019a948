package dev.kv.storage.log;

import dev.kv.router.Reply.Word;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Mapped;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Room for what is written next: pages of the active segment, the segment after it, and {@link Reserves} for a full disk. One thread,
 * the keeper, prepares them ahead of those who write; any thread takes them.
 */
public final class Supply {
    private static final Logger LOG = LoggerFactory.getLogger(Supply.class);

    /** How far ahead of the append offset pages are brought in, in bytes. */
    public static final long PAGES_AHEAD_BYTES = 1L << 20;

    /** How many bytes of the next segment are cleared before pages of the active one are brought in again. */
    private static final long CLEARED_AT_ONCE_BYTES = 2L << 20;

    private static final String NEXT = "next";

    private final Folder folder;
    private final Reserves reserves;
    private final SegmentSizes sizes;
    private final boolean isSyncedAlways;
    private final long pagesAheadBytes;

    /** Whether so much is written that the next segment will soon be full; for the keeper alone. */
    private boolean isBusy;

    /**
     * Whether compaction writes into its reserve: the room that this leaves is not free until the segments are removed that it
     * rewrites. For the keeper alone.
     */
    private boolean isReserveInUse;

    /** What follows is guarded by this. The segment that is appended to; null if there is none. */
    private Segment active;

    /** The segment after the active one; null if there is none yet. */
    private Segment prepared;

    /** The segment that was made of the reserve for deletes. */
    private Segment reserved;

    /** Why there was no room for a segment; null if there was, or the reserves have been made again since. */
    private Refused noRoom;

    /** How often there was room again for deletes that had found none. */
    private long refills;

    /** How many bytes a delete takes that has found no room, and since when there is none; 0 if there is. */
    private long lackingBytes;

    private long lackingNanos;
    private boolean isEnding;
    private boolean isClosed;
    private Runnable keeper = () -> {};

    /** Append offset in the active segment at which the keeper is woken; {@link Long#MAX_VALUE} once it was. */
    private volatile long wakeAt;

    /**
     * @param isSyncedAlways whether a sync follows each write. Pages are not brought in ahead then, since each sync would have to
     *     clean them again; and a segment is on the disk in zeros before it is used: a file system that has to note for each block
     *     that it is in use now takes about half as long again for a sync
     */
    Supply(Folder folder, Reserves reserves, SegmentSizes sizes, boolean isSyncedAlways) {
        this.folder = folder;
        this.reserves = reserves;
        this.sizes = sizes;
        this.isSyncedAlways = isSyncedAlways;
        this.pagesAheadBytes = isSyncedAlways ? 0 : PAGES_AHEAD_BYTES;
    }

    /** Has the task run, quickly, whenever {@link #prepare} is due. Before the first write. */
    public synchronized void whenDue(Runnable task) {
        keeper = task;
    }

    /** Size of a new segment in bytes. */
    public long segmentBytes() {
        return sizes.next();
    }

    /**
     * Gives a new segment, under its own file name and without a header.
     *
     * @param bytes what it has to hold, its header included
     * @param frees whether it is for deletes, so that it may be made of their reserve
     * @throws Refused if there is no room
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
        if (noRoom != null && !frees) {
            throw noRoom;
        }
        if (!isFull()) {
            try {
                return Segment.create(folder.log(name), name, Math.max(bytes, segmentBytes()));
            } catch (IOException e) {
                noRoom = Refused.of(e, folder.path());
            }
        }
        if (!frees || !isFull()) {
            throw noRoom;
        }
        return ofReserve(name, bytes);
    }

    private boolean isFull() {
        return noRoom != null && noRoom.reply().word() == Word.NOSPACE;
    }

    /** A segment made of the reserve for deletes. Any other room is left to compaction, which makes more of it. */
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
        lackingNanos = lackingBytes == 0 ? System.nanoTime() : lackingNanos;
        lackingBytes = Math.max(lackingBytes, bytes);
        keeper.run();
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

    /** Whether a segment was made for deletes, so that nothing else is written to it. */
    synchronized boolean isForDeletes(Segment segment) {
        return segment == reserved;
    }

    /** A segment for compaction, in an unfinished file; made of its reserve if the disk is full. */
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

    /** Whether there was no room for a segment or the reserves, and still is none. */
    public synchronized boolean isShort() {
        return noRoom != null;
    }

    /** Another segment is appended to from now on; null for none. */
    synchronized void active(Segment segment) {
        active = segment;
        wakeAt = segment == null ? 0 : wakeAt(segment);
    }

    /** The active segment was appended to up to an offset. By one thread at a time. */
    void appended(long end) {
        if (end >= wakeAt) {
            wakeAt = Long.MAX_VALUE;
            keeper.run();
        }
    }

    /** Append offset at which the keeper is woken: before the prepared pages end, or when the segment is half full and no next one exists. */
    private long wakeAt(Segment grows) {
        long pages = pagesWakeAt(grows);
        return prepared == null ? Math.min(pages, grows.capacity() / 2) : pages;
    }

    private long pagesWakeAt(Segment grows) {
        boolean isAll = pagesAheadBytes == 0 || grows.pages().touchedTo() == grows.capacity();
        return isAll ? grows.capacity() + 1 : grows.pages().touchedTo() - pagesAheadBytes / 2;
    }

    /**
     * Makes pages, the next segment and the reserves, as far as they are due. By the keeper.
     *
     * @param isBusyNow whether so much is written that the next segment will soon be full
     * @throws IOException if there is no room for them
     */
    public void prepare(boolean isBusyNow) throws IOException {
        isBusy = isBusyNow;
        isReserveInUse = false;
        prepare();
    }

    private void prepare() throws IOException {
        touchAhead();
        Segment grows;
        boolean isNextDue;
        synchronized (this) {
            grows = active;
            isNextDue = grows != null && grows.end() >= grows.capacity() / 2 && prepared == null && !isClosed;
        }
        if (!isReserveInUse) {
            keepReserves();
        }
        if (isNextDue) {
            makeNext(grows, segmentBytes());
        }
        synchronized (this) {
            if (grows != null && grows == active) {
                wakeAt = wakeAt(grows);
            }
        }
    }

    /** Does the same if the keeper was woken for it during other work of its own. By the keeper. */
    public void prepareIfDue() {
        if (wakeAt < Long.MAX_VALUE) {
            return;
        }
        try {
            prepare();
        } catch (IOException e) {
            LOG.debug("no room ahead", e);
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
        SegmentName name = new SegmentName(grows.name().number() + 1, 0);
        Segment next = Segment.create(folder.unfinished(NEXT), name, bytes);
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

    /** Without the reserves, writes that need room are refused: deletes and compaction come first. */
    private void keepReserves() throws IOException {
        long deletesBytes;
        synchronized (this) {
            deletesBytes = Math.max(segmentBytes(), lackingBytes);
        }
        IOException failed = null;
        try {
            reserves.keep(deletesBytes, sizes.rewrittenMax());
        } catch (IOException e) {
            failed = e;
        }
        long kept = reserves.deletesBytes();
        synchronized (this) {
            noRoom = failed == null ? null : Refused.of(failed, folder.path());
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

    /** Turns room that compaction has just made on a full disk into reserves, before it is used for anything else. By the keeper. */
    public void refill() {
        isReserveInUse = false;
        if (isShort()) {
            keepReservesIfRoom();
        }
    }

    /** Makes the reserves as far as there is room. */
    void keepReservesIfRoom() {
        try {
            keepReserves();
        } catch (IOException e) {
            LOG.debug("no room for the reserves", e);
        }
    }

    /** Gives up the next segment if it was cleared in large pieces: see {@link Log#endLargePieces}. */
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

    /** Gives up the next segment; no other is prepared. */
    synchronized void close() {
        isClosed = true;
        if (prepared != null) {
            prepared.discard();
            prepared = null;
        }
    }
}
