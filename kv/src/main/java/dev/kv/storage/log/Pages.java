package dev.kv.storage.log;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** What the kernel's page cache holds of a segment. It only changes what writes and syncs cost, and nothing of what is read. */
public final class Pages {
    /** The largest page of a system that kv runs on, in bytes. */
    private static final long PAGE_MAX_BYTES = 64 * 1024;

    /** The largest piece in which a file is cleared, in bytes. */
    public static final int PIECE_MAX_BYTES = 512 * 1024;

    private static final ByteBuffer ZEROS =
            ByteBuffer.allocateDirect(PIECE_MAX_BYTES).asReadOnlyBuffer();

    private final MemorySegment memory;
    private final FileChannel channel;

    /** Offset up to which pages were brought in. */
    private volatile long touchedTo;

    /** Offset up to which zeros were written; by one thread at a time. */
    private long clearedTo;

    private boolean hasLargePieces;

    /** Offset up to which pages were taken out of the mapping once; by the thread that syncs. */
    private long unmappedTo;

    Pages(MemorySegment memory, FileChannel channel) {
        this.memory = memory;
        this.channel = channel;
    }

    /** Offset up to which pages were brought in ahead of the records. */
    public long touchedTo() {
        return touchedTo;
    }

    /**
     * Brings in pages ahead of the writers, who then need not wait for them. By one thread at a time.
     *
     * @param end where the records end
     * @param to the offset up to which pages are brought in
     */
    public void touch(long end, long to) {
        long begin = Math.max(end, touchedTo);
        long from = begin & -PAGE_MAX_BYTES;
        long until = Math.min(to, memory.byteSize());
        if (until > begin) {
            Allocation.touch(memory.asSlice(from, until - from));
            touchedTo = until;
        }
    }

    /**
     * Writes zeros behind the records, where nobody else writes meanwhile. The kernel takes the pages into its cache in pieces as they
     * are written (large folios). A large piece costs less than half of single pages, now and whenever it is written to the disk or
     * given up; but it is also written to the disk as a whole, however little of it has changed, so that it is for a segment that
     * will soon be full.
     *
     * @param end where the records end
     * @param to the offset up to which zeros are written
     * @param pieceBytes from a page to {@link #PIECE_MAX_BYTES}
     * @throws IOException if the system does not take them
     */
    public void clear(long end, long to, int pieceBytes) throws IOException {
        long until = Math.min(to, memory.byteSize());
        clearedTo = Math.max(clearedTo, (end + PAGE_MAX_BYTES - 1) & -PAGE_MAX_BYTES);
        while (clearedTo < until) {
            int piece = (int) Math.min(pieceBytes, until - clearedTo);
            hasLargePieces |= piece > PAGE_MAX_BYTES;
            clearedTo += channel.write(ZEROS.slice(0, piece), clearedTo);
        }
    }

    /** Whether {@link #clear} has written large pieces. */
    public boolean hasLargePieces() {
        return hasLargePieces;
    }

    /**
     * Takes pages of whole records out of the mapping before a sync: one that goes to the disk out of a mapping in which it can be
     * written costs an interrupt of all cores. By the thread that syncs.
     *
     * @param end where the records end
     */
    void unmapWritten(long end) {
        long to = end & -PAGE_MAX_BYTES;
        if (to > unmappedTo) {
            Allocation.unmap(memory.asSlice(unmappedTo, to - unmappedTo));
            unmappedTo = to;
        }
    }
}
