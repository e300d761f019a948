package dev.kv.storage.log;

import dev.kv.storage.format.Folder;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Preallocated files of a data folder for a full disk: for the list of segments, for compaction, and for deletes. A delete takes
 * room from its own reserve alone, so that the reserve for compaction is never used up by others. Used by the keeper, except
 * where a method says more.
 */
public final class Reserves {
    private static final Logger LOG = LoggerFactory.getLogger(Reserves.class);

    private static final String LIST = "reserve-list";
    private static final String COMPACTION = "reserve-compaction";
    private static final String DELETES = "reserve";

    /** Size of the smallest reserve in bytes: about 1 000 deletes. */
    private static final long LEAST_BYTES = 64L << 10;

    private final Folder folder;

    Reserves(Folder folder) {
        this.folder = folder;
    }

    /** Writes small files. */
    @FunctionalInterface
    public interface Writing {
        void run() throws IOException;
    }

    /** Writes small files that must be written, on a full disk with the room of a reserve. Any thread that holds the folder. */
    public static void writeInAnyCase(Path folder, Writing writing) throws IOException {
        for (String reserve : List.of(LIST, DELETES, COMPACTION)) {
            try {
                writing.run();
                return;
            } catch (IOException e) {
                if (!Allocation.isNoSpace(e)) {
                    throw e;
                }
                LOG.debug("no room in {} without {}", folder, reserve, e);
                Files.deleteIfExists(folder.resolve(reserve));
            }
        }
        writing.run();
    }

    /**
     * Makes each reserve that is missing or too small, as large as there is room for.
     *
     * @param deletesBytes the size of the reserve for deletes
     * @param compactionBytes the size of the one for compaction
     * @throws IOException if there is no room for all of them
     */
    void keep(long deletesBytes, long compactionBytes) throws IOException {
        keepList();
        try {
            keep(COMPACTION, compactionBytes, compactionBytes);
        } catch (IOException e) {
            // Segments of which nothing is needed go without that one, but only deletes make such ones.
            keep(DELETES, LEAST_BYTES, LEAST_BYTES);
            keep(COMPACTION, compactionBytes / 2, LEAST_BYTES);
            throw e;
        }
        keep(DELETES, deletesBytes, LEAST_BYTES);
    }

    /** Makes the reserve for the list of segments, in the room that the replaced list has left. */
    void keepList() throws IOException {
        Path list = folder.path().resolve(SegmentList.FILE);
        keep(LIST, Math.max(LEAST_BYTES, 2 * size(list)), LEAST_BYTES);
    }

    private void keep(String reserve, long bytes, long leastBytes) throws IOException {
        Path file = folder.path().resolve(reserve);
        IOException full = null;
        for (long size = bytes; size > size(file) && size >= leastBytes; size /= 2) {
            try {
                Allocation.allocate(file, size);
                break;
            } catch (IOException e) {
                full = full == null ? e : full;
            }
        }
        if (full != null) {
            throw full;
        }
    }

    private static long size(Path file) throws IOException {
        return Files.exists(file) ? Files.size(file) : 0;
    }

    /** How many bytes the reserve for deletes has. Any thread. */
    long deletesBytes() throws IOException {
        return size(folder.path().resolve(DELETES));
    }

    /**
     * Turns the reserve for deletes into a segment without a header. By the thread that appends.
     *
     * @return empty if the reserve is smaller
     */
    Optional<Segment> takeForDeletes(SegmentName name, long bytes) throws IOException {
        return take(DELETES, folder.log(name), name, bytes);
    }

    /**
     * Turns the reserve for compaction into a segment without a header, in a file of that name.
     *
     * @return empty if the reserve is smaller
     */
    Optional<Segment> takeForCompaction(Path as, SegmentName name, long bytes) throws IOException {
        return take(COMPACTION, as, name, bytes);
    }

    private Optional<Segment> take(String reserve, Path as, SegmentName name, long bytes) throws IOException {
        Path file = folder.path().resolve(reserve);
        if (size(file) < bytes) {
            return Optional.empty();
        }
        Segment segment = Segment.allocated(file, name);
        try {
            segment.moveTo(as);
            return Optional.of(segment);
        } catch (IOException e) {
            segment.close();
            throw e;
        }
    }
}
