package dev.kv.storage.maintenance;

import dev.kv.router.Bytes;
import dev.kv.storage.engine.LiveEntries;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Scan;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Pages;
import dev.kv.storage.log.Segment;
import dev.kv.storage.log.Supply;
import java.io.IOException;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** A segment while it is made of what is live of others, and of the tombstones that are kept. By one thread. */
final class Rewrite {
    /** After how many bytes other threads get the processor. No key: copying them takes less than the pause. */
    private static final long STRIDE_BYTES = 256 * 1024;

    /** How long they get it. */
    private static final long PAUSE_NANOS = 1_000_000;

    private final Log log;
    private final LiveEntries entries;
    private final Segment to;
    private final Live live;
    private final boolean isCleanBefore;
    private final BooleanSupplier isEnding;
    private final Draft draft = new Draft();

    /** Where the entries stood that were copied, in their order. */
    private long[] from = new long[1024];

    private int count;
    private long strideBytes;

    /**
     * @param to the new segment, with its header
     * @param live covers the others
     * @param isCleanBefore whether no segment before them holds an entry that a tombstone of theirs hides
     * @param isEnding whether the node stops, so that copying ends
     */
    Rewrite(Log log, LiveEntries entries, Segment to, Live live, boolean isCleanBefore, BooleanSupplier isEnding) {
        this.log = log;
        this.entries = entries;
        this.to = to;
        this.live = live;
        this.isCleanBefore = isCleanBefore;
        this.isEnding = isEnding;
    }

    Segment to() {
        return to;
    }

    /**
     * Copies what is kept of a segment.
     *
     * @throws Damaged if the segment does not hold what was written
     */
    void copy(Segment segment) throws IOException {
        Scan scan = segment.scan();
        boolean isTombstoneKept = !isCleanBefore && segment.space().tombstoneBytes() > 0;
        int needed = 0;
        while (isTombstoneKept ? scan.next() : scan.next((start, end) -> live.hasAny(segment, start, end))) {
            int entries = 0;
            int kept = 0;
            int before = count;
            while (scan.nextEntry()) {
                entries++;
                int kind = scan.kind();
                int marks = Layout.isTombstone(kind) ? 0 : marks(scan, segment);
                needed += marks;
                if (marks > 0 || (Layout.isAboutOlder(kind) && isTombstoneKept)) {
                    kept++;
                    add(Log.location(segment, scan.entry()));
                }
            }
            if (kept == entries && !scan.hasMore()) {
                expectRoom(scan.end() - scan.at(), segment, scan);
                bringIn(scan.end() - scan.at());
                to.append(segment, scan.at(), scan.end());
            } else if (kept > 0) {
                Draft part = part(scan, segment, before);
                expectRoom(part.length(), segment, scan);
                bringIn(part.length());
                to.append(part);
            }
            if (isEnding.getAsBoolean()) {
                throw new IOException("this node stops");
            }
            giveWay(scan.end() - scan.at());
        }
        if (needed != live.count(segment)) {
            throw new Damaged(segment.path(), scan.at(), "fewer live entries were found than the index has");
        }
    }

    /** How often the entry is marked as live: a field that is alone in its record by that, too. */
    private int marks(Scan scan, Segment segment) {
        int marks = live.has(Log.location(segment, scan.entry())) ? 1 : 0;
        return scan.isAlone() && live.has(Log.location(segment, scan.at())) ? marks + 1 : marks;
    }

    private void expectRoom(long bytes, Segment segment, Scan scan) {
        if (bytes > to.capacity() - to.end()) {
            throw new Damaged(segment.path(), scan.at(), "more live bytes were found than were counted");
        }
    }

    /** Brings in pages ahead of what is copied. */
    private void bringIn(long bytes) throws IOException {
        long end = to.end() + bytes;
        if (end > to.pages().touchedTo()) {
            long ahead = end + Supply.PAGES_AHEAD_BYTES;
            to.pages().clear(to.end(), ahead, Pages.PIECE_MAX_BYTES);
            to.pages().touch(to.end(), ahead);
        }
    }

    private void add(long location) {
        if (count == from.length) {
            from = Arrays.copyOf(from, 2 * count);
        }
        from[count++] = location;
    }

    /** The record reduced to the entries that are kept. The change that it belongs to is on the disk as a whole. */
    private Draft part(Scan scan, Segment segment, int first) {
        draft.begin(scan.type(), scan.flags(), scan.generation(), scan.name());
        if (scan.type() == Layout.PUBLISH) {
            draft.recordName(scan.recordName());
        } else if (scan.type() == Layout.EXPIRE) {
            draft.expires(segment.fields().until(scan.at() + Layout.recordCost(segment.memory(), scan.at())));
        }
        for (int i = first; scan.hasFields() && i < count; i++) {
            long field = Log.offset(from[i]);
            Bytes key = Bytes.owning(segment.fields().key(field));
            if (segment.fields().isSet(field)) {
                Bytes value = Bytes.owning(segment.fields().value(field, key.array()));
                draft.set(
                        key,
                        value,
                        segment.fields().expires(field) ? segment.fields().until(field) : 0);
            } else {
                draft.delete(key);
            }
        }
        return draft.end();
    }

    private void giveWay(long bytes) {
        strideBytes += bytes;
        if (strideBytes >= STRIDE_BYTES) {
            strideBytes = 0;
            log.supply().prepareIfDue();
            LockSupport.parkNanos(PAUSE_NANOS);
        }
    }

    /** Points the index entries that are still live to the copies. */
    void takeOver() {
        Scan scan = to.scanWritten();
        int next = 0;
        while (scan.next()) {
            while (scan.nextEntry()) {
                long before = from[next++];
                to.space().count(scan.kind(), scan.cost());
                if (!entries.move(scan, to, before, Log.location(to, scan.entry()))) {
                    to.space().died(scan.kind(), scan.cost());
                }
            }
            giveWay(scan.end() - scan.at());
        }
    }
}
