package dev.kv.storage.log;

import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Scan;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What follows a failed {@link Log#sync}: all that is not known to be on the disk is written once more, into new segments. The kernel
 * may have dropped the pages that it could not write, and reports that once. The log refuses writes meanwhile.
 */
public final class Rescue {
    private final Log log;
    private final Folder folder;
    private final Listing listing;
    private final Moves moves;

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
     * @throws IOException if that failed, too: the log is as it was, and this can be called again
     */
    void run() throws IOException {
        moves.settle();
        List<Segment> doubtful = log.tail().doubtful();
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
                listing.replace(listed(doubtful, fresh));
            } catch (IOException | RuntimeException | Error e) {
                for (Segment segment : fresh) {
                    // One that has its name is written over by the next attempt.
                    segment.close();
                    Files.deleteIfExists(folder.unfinished(segment.name().toString()));
                }
                throw e;
            }
            for (int i = 0; i < fresh.size(); i++) {
                log.segments().know(fresh.get(i));
                moveAll(doubtful.get(i), fresh.get(i));
            }
            log.tail().replaceDoubtful(doubtful, fresh);
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
            check(copy);
            return copy;
        } catch (IOException | RuntimeException | Error e) {
            copy.discard();
            throw e;
        }
    }

    /** Reads all of a copy, so that {@link #moveAll} does not fail half-way. */
    private static void check(Segment copy) {
        Scan scan = copy.scan();
        while (scan.next()) {
            // Each record is checked.
        }
        if (scan.at() < copy.end()) {
            throw new Damaged(copy.path(), scan.at(), "what was written here is missing");
        }
    }

    /** The list of all segments, in which the doubtful ones end where they are known to be on the disk. */
    private SegmentList listed(List<Segment> doubtful, List<Segment> fresh) {
        List<SegmentList.Entry> entries = new ArrayList<>();
        for (Segment segment : log.segments().live()) {
            entries.add(
                    doubtful.contains(segment)
                            ? segment.entry().endingAt(log.tail().durableEnd(segment))
                            : segment.entry());
        }
        fresh.forEach(segment -> entries.add(segment.entry()));
        return SegmentList.of(folder.format().id(), log.tail().lastNumber() + fresh.size(), entries);
    }

    private void moveAll(Segment from, Segment to) {
        long shift = log.tail().durableEnd(from) - SegmentHeader.BYTES;
        Scan scan = to.scanWritten();
        while (scan.next()) {
            while (scan.nextEntry()) {
                int kind = scan.kind();
                long cost = scan.cost();
                to.space().count(kind, cost);
                from.space().discount(kind, cost);
                long at = scan.entry();
                if (!moves.move(scan, to, Log.location(from, at + shift), Log.location(to, at))) {
                    to.space().died(kind, cost);
                    from.space().revived(kind, cost);
                }
            }
        }
    }
}
