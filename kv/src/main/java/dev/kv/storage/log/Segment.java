package dev.kv.storage.log;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.DurableFiles;
import dev.kv.storage.format.Hint;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Scan;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One file of the log, mapped into memory. Records are appended by one thread at a time; bytes before
 * {@link #end} never change. Any thread reads.
 *
 * <p>A read of a segment that was {@linkplain #close closed} meanwhile throws an {@link IllegalStateException}, never anything
 * worse.
 *
 * <p>This class holds the file, what is appended to it, and its state; {@link StoredFields} reads keys and values.
 */
public final class Segment implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Segment.class);
    /** Unique in the process, so that a location in a segment that was removed never names another segment. */
    private static final AtomicInteger IDS = new AtomicInteger();

    private final int id;
    private final SegmentName name;
    private volatile Path path;
    private final Mapping mapping;
    private final MemorySegment memory;
    private final Pages pages;
    private final Space space = new Space();
    private final StoredFields fields;

    /** Append offset: where the next record goes. */
    private volatile long end;

    private int headerChecksum;

    /**
     * Offset up to which readers that pinned the segment may still read records that a rescue has copied elsewhere; 0 if there
     * are none.
     */
    private volatile long tailEnd;

    private volatile boolean hasHint;
    private volatile Damaged damage;

    private Segment(SegmentName name, Path path, Mapping mapping, long end) {
        this.id = IDS.incrementAndGet();
        this.name = name;
        this.path = path;
        this.mapping = mapping;
        this.memory = mapping.memory();
        this.pages = new Pages(memory, mapping.channel());
        this.end = end;
        this.fields = new StoredFields(this, memory);
    }

    /** Makes a file with all blocks allocated and maps it; it has no header yet. */
    public static Segment create(Path path, SegmentName name, long bytes) throws IOException {
        // What an earlier attempt has left would stand behind the end.
        Files.deleteIfExists(path);
        try {
            Allocation.allocate(path, bytes);
            return allocated(path, name);
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(path);
            throw e;
        }
    }

    /** Maps a file whose blocks are allocated; it has no header yet. */
    static Segment allocated(Path path, SegmentName name) throws IOException {
        return map(name, path, Files.size(path), SegmentHeader.BYTES, Set.of(READ, WRITE));
    }

    /** Maps an existing file, with {@link #end} at its end. It holds no file descriptor. */
    public static Segment open(Path path, SegmentName name) throws IOException {
        return open(path, name, Set.of(READ, WRITE));
    }

    /** Maps an existing file read-only, as {@link #open} does. */
    public static Segment openToRead(Path path, SegmentName name) throws IOException {
        return open(path, name, Set.of(READ));
    }

    private static Segment open(Path path, SegmentName name, Set<StandardOpenOption> access) throws IOException {
        long bytes = Files.size(path);
        Segment segment = map(name, path, bytes, bytes, access);
        segment.mapping.channel().close();
        return segment;
    }

    private static Segment map(SegmentName name, Path path, long bytes, long end, Set<StandardOpenOption> access)
            throws IOException {
        return new Segment(name, path, Mapping.of(path, bytes, access), end);
    }

    /** Number of the segment in this process, from 1; a location holds it. */
    public int id() {
        return id;
    }

    public SegmentName name() {
        return name;
    }

    public Path path() {
        return path;
    }

    /** Renames the file, in one step. */
    public void moveTo(Path target) throws IOException {
        Files.move(path, target, StandardCopyOption.ATOMIC_MOVE);
        path = target;
    }

    public MemorySegment memory() {
        return memory;
    }

    /** Reads all records up to {@link #end}. */
    public Scan scan() {
        return scan(SegmentHeader.BYTES, end);
    }

    /** Reads the records from an offset at which one begins to one at which one ends, or to where there are no more. */
    Scan scan(long from, long to) {
        return new Scan(memory, path, from, to);
    }

    /** Reads all records up to {@link #end}, which the caller has just written, without their checksums. */
    public Scan scanWritten() {
        return Scan.unchecked(memory, path, SegmentHeader.BYTES, end);
    }

    /** The hint of this segment, to be written or read. */
    public Hint hint() throws Damaged {
        return new Hint(header(), end);
    }

    public long capacity() {
        return memory.byteSize();
    }

    public long end() {
        return end;
    }

    public void endAt(long offset) {
        end = offset;
    }

    /** Moves the end back to before records that were copied elsewhere. They stay readable until {@link #isCut} returns true. */
    void endBefore(long offset) {
        tailEnd = end;
        end = offset;
    }

    /**
     * Truncates the file at its end after {@link #endBefore}, unless the segment is pinned; returns whether it did.
     *
     * @param isOverdue whether to truncate it though it is pinned
     */
    boolean isCut(boolean isOverdue) throws IOException {
        if (tailEnd > 0 && mapping.isPinned() && !isOverdue) {
            return false;
        }
        tailEnd = 0;
        seal();
        return true;
    }

    /** Whether an offset is behind all that readers may read. */
    boolean isBehindEnd(long offset) {
        return offset > end && offset > tailEnd;
    }

    /** The memory that the file is mapped to; a pin on it keeps the segment readable, see {@link Pin}. */
    Mapping mapping() {
        return mapping;
    }

    /** The keys and values in the segment. */
    public StoredFields fields() {
        return fields;
    }

    /** What the page cache holds of the file. */
    public Pages pages() {
        return pages;
    }

    /** How much of the segment is live. */
    public Space space() {
        return space;
    }

    /** How many bytes are neither live nor for tombstones. */
    public long garbageBytes() {
        return Math.max(0, end - SegmentHeader.BYTES - space.liveBytes() - space.tombstoneBytes());
    }

    /**
     * Writes the header.
     *
     * @param folder the id of the folder that it is for
     * @throws IOException if the system does not take it
     */
    public void begin(long folder, long previous, long previousEnd) throws IOException {
        try {
            headerChecksum = SegmentHeader.write(memory, folder, name, previous, previousEnd);
            checkWritten(SegmentHeader.isSound(memory));
        } catch (InternalError e) {
            throw failure(e);
        }
    }

    /**
     * See {@link SegmentHeader#of}.
     *
     * @throws Damaged if it is not that of this segment, too
     */
    public SegmentHeader header() throws Damaged {
        SegmentHeader header = SegmentHeader.of(memory, path);
        if (!header.name().equals(name)) {
            throw new Damaged(path, 0, "its header is that of another segment");
        }
        headerChecksum = header.checksum();
        return header;
    }

    /** The entry of this segment in the list of segments. {@link #begin} or {@link #header} was called before. */
    public SegmentList.Entry entry() {
        return new SegmentList.Entry(name, end, headerChecksum);
    }

    /**
     * Writes records, for which there must be room, behind the last one. By one thread at a time.
     *
     * @throws IOException if the system does not take all of them: none of them counts then
     */
    public void append(Draft... records) throws IOException {
        try {
            long at = end;
            for (Draft record : records) {
                record.writeTo(memory, at);
                at += record.length();
            }
            checkWritten(stand(records));
            end = at;
        } catch (InternalError e) {
            throw failure(e);
        }
    }

    private boolean stand(Draft... records) {
        long at = end;
        for (Draft record : records) {
            if (!record.standsIn(memory, at)) {
                return false;
            }
            at += record.length();
        }
        return true;
    }

    /**
     * A store to a page that cannot be written throws nothing at once; the JVM reports it at some later time. So what was written
     * is read back.
     */
    private void checkWritten(boolean isWritten) throws IOException {
        if (!isWritten) {
            throw failure(null);
        }
    }

    /**
     * @param sigbus what the JVM makes of a page that cannot be written or read; null if it has not said so
     */
    private IOException failure(InternalError sigbus) {
        return new IOException(path + ": Input/output error", sigbus);
    }

    /** Copies all up to {@link #end} as {@link DurableFiles#copy} does, also if the file was removed meanwhile. */
    public void copyTo(Path copy) throws IOException {
        DurableFiles.copy(memory.asSlice(0, end).asByteBuffer(), copy);
    }

    /**
     * Copies whole records of another segment behind the last one. By one thread at a time.
     *
     * @throws IOException if the system does not take all of them: none of them counts then
     */
    public void append(Segment other, long from, long to) throws IOException {
        try {
            long at = end;
            long until = at + to - from;
            MemorySegment.copy(other.memory, from, memory, at, to - from);
            for (long word = 0; word < to - from; word += Long.BYTES) {
                checkWritten(memory.get(Layout.LONG, at + word) == other.memory.get(Layout.LONG, from + word));
            }
            end = until;
        } catch (InternalError e) {
            throw failure(e);
        }
    }

    /** Forces what was written onto the disk. Blocks for as long as that takes. By one thread at a time, as {@link #seal}. */
    void sync() throws IOException {
        pages.unmapWritten(end);
        mapping.channel().force(false);
    }

    /** Whether the segment has a hint, or holds too many buckets for one. */
    public boolean hasHint() {
        return hasHint;
    }

    public void gotHint() {
        hasHint = true;
    }

    /** Whether the segment was {@linkplain #damaged set aside}: compaction and hints leave it alone. */
    public boolean isDamaged() {
        return damage != null;
    }

    /** The first damage that was found; empty if there is none. */
    public Optional<Damaged> damage() {
        return Optional.ofNullable(damage);
    }

    /** Sets the segment aside: reads go on as far as they can, and compaction leaves the file as it is. */
    public synchronized void damaged(Damaged seen) {
        if (damage == null) {
            damage = seen;
            LOG.error("{}; it is left as it is. `kv verify` tells more", seen.getMessage());
        }
    }

    /** Truncates the file at {@link #end}, forces it onto the disk, and closes the file descriptor. */
    public void seal() throws IOException {
        pages.unmapWritten(end);
        FileChannel channel = mapping.channel();
        try (FileChannel file = channel.isOpen() ? channel : FileChannel.open(path, WRITE)) {
            if (file.size() > end) {
                file.truncate(end);
            }
            file.force(true);
        }
    }

    /** Ends the mapping, unless it has ended. Concurrent reads throw {@link IllegalStateException}. */
    @Override
    public void close() {
        mapping.close();
    }

    /** Ends the mapping, and removes the file. */
    public void discard() {
        close();
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOG.warn("{} could not be removed", this, e);
        }
    }

    @Override
    public String toString() {
        return path.getFileName() + " (" + end + " bytes)";
    }
}
