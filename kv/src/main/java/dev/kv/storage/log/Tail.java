package dev.kv.storage.log;

import dev.kv.router.Reply.Word;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The end of a log: the active segment, which is appended to, and the full ones that are not on the disk yet. It begins the next
 * segment, and tells when the disk is behind: writers wait then before they lock anything. Its monitor guards all of that, and is held for
 * no longer than an append takes. Any thread.
 *
 * <p>It is long because all of it is guarded by that one monitor.
 */
public final class Tail {
    private final Folder folder;
    private final Mark mark;
    private final Segments segments;
    private final Supply supply;
    private final int unsyncedMax;
    private final List<Segment> unsynced = new ArrayList<>();

    /** Read without the monitor. */
    private volatile boolean isBehind;

    private boolean areWaitsOver;
    private Segment active;
    private boolean isActiveForDeletes;
    private Segment last;

    /** The number of the last segment. */
    private long number;

    /** How many bytes were appended to segments that are no longer active. */
    private long appendedToOthers;

    private long synced;
    private boolean hasNewFiles;
    private boolean isClosed;
    private String failure = "";
    private Runnable syncDue = () -> {};

    /**
     * @param unsyncedMax so many full segments that are not on the disk yet, or more, are {@link #isBehind}
     */
    Tail(Folder folder, Mark mark, Segments segments, Supply supply, int unsyncedMax) {
        this.folder = folder;
        this.mark = mark;
        this.segments = segments;
        this.supply = supply;
        this.unsyncedMax = unsyncedMax;
    }

    /** Has the task run, quickly, when a {@link Log#sync} is due: a segment is full, or not written. Before the first write. */
    void whenSyncDue(Runnable task) {
        syncDue = task;
    }

    /** Adds a segment that existed when the log was opened, behind those that were added. */
    synchronized void add(Segment segment) {
        segments.add(segment);
        startAfter(segment.name().number());
        last = segment;
    }

    /** New segments have higher numbers than this. */
    synchronized void startAfter(long seen) {
        number = Math.max(number, seen);
    }

    /** See {@link Log#append}. */
    synchronized long append(boolean frees, long length, Draft... change) throws Refused {
        checkTaken();
        while (!fits(length, frees)) {
            roll(length, frees);
        }
        long location = Log.location(active, active.end());
        try {
            active.append(change);
        } catch (IOException e) {
            fail(e);
            // The thread that syncs rescues what was written before.
            syncDue.run();
            throw failed();
        }
        active.space().count(change);
        supply.appended(active.end());
        return location;
    }

    /**
     * Makes a file that holds the records of one change the last segment.
     *
     * @param end where the records end
     * @return the location of the first one
     */
    synchronized long follow(Path file, long end, Draft... change) throws Refused {
        checkTaken();
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
        addUnsynced(segment);
        return Log.location(segment, SegmentHeader.BYTES);
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
                Word.ERR,
                "the disk failed (" + failure + "): writes are refused until all earlier ones are on the disk");
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
            if (hasRecords()) {
                endActive();
                syncDue.run();
            }
            throw e;
        }
        begin(next);
        take(next);
        activate(next);
    }

    private boolean hasRecords() {
        return active != null && active.end() > SegmentHeader.BYTES;
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
            // A predecessor that was removed or rewritten is accounted for by the list of segments.
            next.begin(folder.format().id(), number, isLastThere ? last.end() : 0);
        } catch (IOException e) {
            next.discard();
            throw refusal(e);
        }
    }

    /** Adds a segment as the last one; none is active then. */
    private void take(Segment next) {
        endActive();
        number = next.name().number();
        segments.add(next);
        last = next;
        hasNewFiles = true;
        syncDue.run();
    }

    private void endActive() {
        if (active != null) {
            appendedToOthers += active.end();
            addUnsynced(active);
            activate(null);
        }
    }

    private void addUnsynced(Segment full) {
        unsynced.add(full);
        countUnsynced();
    }

    private void removeUnsynced(List<Segment> done) {
        unsynced.removeAll(done);
        countUnsynced();
    }

    private void countUnsynced() {
        isBehind = unsynced.size() >= unsyncedMax;
    }

    /** Whether so many full segments are not on the disk yet that a write should {@linkplain #awaitDisk wait} before it locks anything. */
    public boolean isBehind() {
        return isBehind;
    }

    /** Waits until the disk is no longer {@linkplain #isBehind behind} or has failed, or the waits are over. With nothing locked. */
    public synchronized void awaitDisk() {
        try {
            while (isBehind && failure.isEmpty() && !areWaitsOver) {
                syncDue.run();
                wait();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Nobody waits for the disk any more, since the node stops. */
    public synchronized void endWaits() {
        areWaitsOver = true;
        notifyAll();
    }

    /** Position behind the last record, in bytes appended since the log was opened. */
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

    /**
     * Ends the active segment, and pins all others: together they hold all that was written by now, whatever compaction leaves out later.
     * They are sealed when all that is {@link #appended} by now is on the disk.
     */
    public synchronized Ended endAndPin() {
        rollOver();
        Pin pin = segments.pinLiveBut(active);
        return new Ended(pin, Segments.bytes(pin.segments()));
    }

    /** Segments that {@link #endAndPin} has pinned, with their length then. */
    public record Ended(Pin pin, long bytes) implements AutoCloseable {
        /** Whether none has become shorter: a {@link Rescue} moves the rest of one into segments that are not pinned. */
        public boolean isWhole() {
            return Segments.bytes(pin.segments()) == bytes;
        }

        @Override
        public void close() {
            pin.close();
        }
    }

    /** The list of {@link #sealed}. */
    synchronized SegmentList listed() {
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

    /** Ends the active segment: all that was written by now is in sealed ones after the next {@link Log#sync}. */
    public synchronized void rollOver() {
        if (hasRecords()) {
            endActive();
        }
    }

    /** Ends the active segment if it was cleared in large pieces: each sync would write such a piece as a whole. */
    synchronized void endLargePieces() {
        if (active != null && active.pages().hasLargePieces()) {
            endActive();
            syncDue.run();
        }
    }

    /** Why the disk failed: writes are refused until a {@link Rescue} has succeeded. Empty if it has not failed. */
    synchronized String failure() {
        return failure;
    }

    /** Refuses writes until a {@link Rescue} has succeeded. */
    synchronized void fail(IOException e) {
        failure = String.valueOf(e.getMessage());
        notifyAll();
    }

    /**
     * What was appended and is not on the disk.
     *
     * @param full segments to be sealed
     * @param active the segment that may be appended to meanwhile; empty if there is none
     * @param number the number of the last segment
     * @param end where that segment ends
     * @param target what is on the disk then, as {@link #appended} counts
     * @param hasNewFiles whether there are segments whose files may not be in the folder on the disk
     */
    record Unsynced(
            List<Segment> full, Optional<Segment> active, long number, long end, long target, boolean hasNewFiles) {}

    /**
     * What a sync has to force onto the disk now; empty if there is nothing. {@link #synced(Unsynced)} or {@link #fail} follows.
     *
     * @throws IOException if the disk failed before, and no {@link Rescue} has succeeded since
     */
    synchronized Optional<Unsynced> unsynced() throws IOException {
        if (!failure.isEmpty()) {
            throw new IOException(failure);
        }
        if (appended() == synced && unsynced.isEmpty() && !hasNewFiles) {
            return Optional.empty();
        }
        Unsynced due = new Unsynced(
                List.copyOf(unsynced),
                Optional.ofNullable(active),
                last.name().number(),
                last.end(),
                appended(),
                hasNewFiles);
        hasNewFiles = false;
        return Optional.of(due);
    }

    /** All of this is on the disk. */
    synchronized void synced(Unsynced done) {
        removeUnsynced(done.full());
        synced = done.target();
        notifyAll();
    }

    /**
     * Whether the durable position is at least this. Begins a sync if it is not, and waits for at most so long.
     *
     * @throws IOException if the node stops
     */
    synchronized boolean isSynced(long target, Duration max) throws IOException {
        long from = System.nanoTime();
        while (synced < target) {
            if (isClosed) {
                throw new IOException("this node stops");
            }
            long left = max.toMillis() - (System.nanoTime() - from) / 1_000_000;
            if (left <= 0) {
                return false;
            }
            syncDue.run();
            try {
                wait(left);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("this node stops", e);
            }
        }
        return true;
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
    public synchronized long lastNumber() {
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
        removeUnsynced(doubtful);
        segments.addUncut(shorter);
        segments.replaceLast(empty, copies);
        List<Segment> live = segments.live();
        last = live.isEmpty() ? null : live.getLast();
        number = Math.max(number, last == null ? 0 : last.name().number());
        segments.retire(empty);
        synced = appended();
        takeWrites();
    }

    /** Takes writes again: what was doubtful was written once more. The next {@link Log#sync} covers what was written in place. */
    synchronized void takeWrites() {
        hasNewFiles = last != null;
        failure = "";
        notifyAll();
    }

    /** Refuses writes from now on. */
    synchronized void close() {
        isClosed = true;
        endActive();
    }
}
