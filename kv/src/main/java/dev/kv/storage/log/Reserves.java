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
 * Preallocated files of a data folder, for a full disk: one for the list of segments, one for compaction, one for deletes. Deletes take
 * their own reserve alone, so that compaction always has one. By the keeper, except where a method says more.
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

    /** Writes files; can be repeated after an {@link IOException}. */
    @FunctionalInterface
    public interface Writing {
        void run() throws IOException;
    }

    /** Writes files; on a full disk, in the space of the reserves. Any thread of the process that holds the folder. */
    public static void writeInAnyCase(Path folder, Writing writing) throws IOException {
        for (String reserve : List.of(LIST, DELETES, COMPACTION)) {
            try {
                writing.run();
                return;
            } catch (IOException e) {
                if (!Allocation.isNoSpace(e)) {
                    throw e;
                }
                LOG.debug("no space in {}: {} is given up", folder, reserve, e);
                Files.deleteIfExists(folder.resolve(reserve));
            }
        }
        writing.run();
    }

    /**
     * Makes each reserve that is missing or too small, as large as the disk has space for.
     *
     * @param deletesBytes size of the reserve for deletes
     * @param compactionBytes size of the reserve for compaction
     * @throws IOException if not all of them have these sizes then
     */
    void keep(long deletesBytes, long compactionBytes) throws IOException {
        keepList();
        try {
            keep(COMPACTION, compactionBytes, compactionBytes);
        } catch (IOException e) {
            // Compaction removes segments without live entries even without its reserve, and only deletes make such
            // ones.
            keep(DELETES, LEAST_BYTES, LEAST_BYTES);
            keep(COMPACTION, compactionBytes / 2, LEAST_BYTES);
            throw e;
        }
        keep(DELETES, deletesBytes, LEAST_BYTES);
    }

    /** Makes the reserve for the list of segments, in the space of the list that was replaced. */
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

    /** Bytes by which the reserves for deletes and compaction are smaller than this. Any thread. */
    long missingBytes(long deletesBytes, long compactionBytes) throws IOException {
        long compaction = size(folder.path().resolve(COMPACTION));
        return Math.max(0, deletesBytes - deletesBytes()) + Math.max(0, compactionBytes - compaction);
    }

    private static long size(Path file) throws IOException {
        return Files.exists(file) ? Files.size(file) : 0;
    }

    /** Size of the reserve for deletes in bytes; 0 if there is none. Any thread. */
    long deletesBytes() throws IOException {
        return size(folder.path().resolve(DELETES));
    }

    /**
     * Makes the reserve for deletes a segment without a header. By the thread that appends.
     *
     * @return empty if the reserve is too small
     */
    Optional<Segment> takeForDeletes(SegmentName name, long bytes) throws IOException {
        return take(DELETES, folder.log(name), name, bytes);
    }

    /**
     * Makes the reserve for compaction a segment without a header, in the file {@code as}.
     *
     * @return empty if the reserve is too small
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
