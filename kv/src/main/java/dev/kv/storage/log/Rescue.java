package dev.kv.storage.log;

import static java.nio.file.StandardOpenOption.WRITE;

import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Scan;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What follows a failed {@link Log#sync}: all that is not known to be on the disk is written once more, into new segments. The kernel
 * may have dropped the pages that it could not write, and reports that once. The log refuses writes meanwhile.
 *
 * <p>On a full disk it is written once more in place. That takes no room, and no delete or compaction makes any before the rescue.
 */
public final class Rescue {
    private static final long PIECE_MAX_BYTES = 64 * 1024;

    private final Log log;
    private final Folder folder;
    private final Listing listing;
    private final Moves moves;

    /** Copies whose entries are not all moved yet, since that failed; empty if there are none. */
    private List<Copy> copies = List.of();

    /** A doubtful segment, what was copied of it, and how many entries are read from the copy. */
    private static final class Copy {
        private final Segment from;
        private final Segment to;
        private int moved;

        Copy(Segment from, Segment to) {
            this.from = from;
            this.to = to;
        }
    }

    /** The holder of locations, which is told when an entry is copied. */
    public interface Moves {
        /** Waits until every change is in force that has begun by now, and counts as dead what those have dropped. */
        void settle();

        /**
         * An entry was copied.
         *
         * @param scan a scan of {@code to}, at the copy
         * @return whether the entry was still needed, and is read from the copy from now on
         */
        boolean move(Scan scan, Segment to, long fromLocation, long toLocation);
    }

    /**
     * @param moves is told of every entry that is copied
     */
    Rescue(Log log, Moves moves) {
        this.log = log;
        this.folder = log.folder();
        this.listing = log.listing();
        this.moves = moves;
    }

    /**
     * Writes it, and has the log take writes again. By the thread that syncs.
     *
     * @throws IOException if that failed, too: writes stay refused, and the next call goes on from there
     */
    void run() throws IOException {
        moves.settle();
        synchronized (listing) {
            if (copies.isEmpty()) {
                try {
                    copies = written(log.tail().doubtful());
                } catch (IOException e) {
                    if (!Allocation.isNoSpace(e)) {
                        throw e;
                    }
                    writeInPlace();
                    return;
                }
            }
            // They count when the list says so: until then the old ones do.
            listing.replaceInAnyCase(listed());
            for (Copy copy : copies) {
                log.segments().know(copy.to);
                move(copy);
            }
            log.tail()
                    .replaceDoubtful(
                            copies.stream().map(copy -> copy.from).toList(),
                            copies.stream().map(copy -> copy.to).toList());
            copies = List.of();
        }
    }

    /** Copies of segments, on the disk under their final names. */
    private List<Copy> written(List<Segment> doubtful) throws IOException {
        List<Copy> written = new ArrayList<>();
        try {
            for (Segment segment : doubtful) {
                written.add(new Copy(segment, copied(segment, written.size())));
            }
            for (Copy copy : written) {
                copy.to.moveTo(folder.log(copy.to.name()));
            }
            folder.sync();
            return written;
        } catch (IOException | RuntimeException | Error e) {
            written.forEach(copy -> copy.to.discard());
            throw e;
        }
    }

    /** Copies what is not known to be on the disk of a segment into a new one, which is sealed then. */
    private Segment copied(Segment doubtful, int index) throws IOException {
        // No segment behind the list has been rewritten: so this one does not count before it is on the list.
        SegmentName name = new SegmentName(log.tail().lastNumber() + 1 + index, 1);
        long from = log.tail().durableEnd(doubtful);
        Path file = folder.unfinished(name.toString());
        Segment copy = Segment.create(file, name, SegmentHeader.BYTES + doubtful.end() - from);
        try {
            copy.begin(folder.format().id(), 0, 0);
            copy.append(doubtful, from, doubtful.end());
            copy.seal();
            check(copy, SegmentHeader.BYTES);
            return copy;
        } catch (IOException | RuntimeException | Error e) {
            copy.discard();
            throw e;
        }
    }

    /** Reads all records behind an offset: a copy before {@link #move}, which then does not fail half-way. */
    private static void check(Segment segment, long from) {
        Scan scan = segment.scan(from, segment.end());
        while (scan.next()) {
            // Each record is checked.
        }
        if (scan.at() < segment.end()) {
            throw new Damaged(segment.path(), scan.at(), "records are missing here");
        }
    }

    private void writeInPlace() throws IOException {
        log.tail().rollOver();
        for (Segment segment : log.tail().doubtful()) {
            writeInPlace(segment, log.tail().durableEnd(segment));
            segment.seal();
        }
        folder.sync();
        log.tail().takeWrites();
    }

    private static void writeInPlace(Segment segment, long from) throws IOException {
        check(segment, from);
        try (FileChannel file = FileChannel.open(segment.path(), WRITE)) {
            long at = from;
            while (at < segment.end()) {
                long bytes = Math.min(PIECE_MAX_BYTES, segment.end() - at);
                at += file.write(segment.memory().asSlice(at, bytes).asByteBuffer(), at);
            }
        }
    }

    /** The list of all segments with the copies, in which the doubtful ones end where they are known to be on the disk. */
    private SegmentList listed() {
        List<Segment> doubtful = copies.stream().map(copy -> copy.from).toList();
        List<SegmentList.Entry> entries = new ArrayList<>();
        for (Segment segment : log.segments().live()) {
            entries.add(
                    doubtful.contains(segment)
                            ? segment.entry().endingAt(log.tail().durableEnd(segment))
                            : segment.entry());
        }
        copies.forEach(copy -> entries.add(copy.to.entry()));
        return SegmentList.of(folder.format().id(), log.tail().lastNumber() + copies.size(), entries);
    }

    /** Moves the entries of a copy that were not moved before. */
    private void move(Copy copy) {
        Segment from = copy.from;
        Segment to = copy.to;
        long shift = log.tail().durableEnd(from) - SegmentHeader.BYTES;
        Scan scan = to.scanWritten();
        int entry = 0;
        while (scan.next()) {
            while (scan.nextEntry()) {
                if (entry++ < copy.moved) {
                    continue;
                }
                int kind = scan.kind();
                long cost = scan.cost();
                long at = scan.entry();
                boolean isMoved = moves.move(scan, to, Log.location(from, at + shift), Log.location(to, at));
                to.space().count(kind, cost);
                from.space().discount(kind, cost);
                if (!isMoved) {
                    to.space().died(kind, cost);
                    from.space().revived(kind, cost);
                }
                copy.moved++;
            }
        }
    }
}
