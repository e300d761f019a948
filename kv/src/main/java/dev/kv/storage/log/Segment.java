package dev.kv.storage.log;

import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.kv.router.Held;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Hint;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mapped;
import dev.kv.storage.format.Scan;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentList;
import dev.kv.storage.format.SegmentName;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One file of the log, mapped into memory. Records are only ever appended, by one thread at a time; what stands before
 * {@link #end} never changes. Any thread reads.
 *
 * <p>A read of a segment that was {@linkplain #close closed} meanwhile throws an {@link IllegalStateException}, never anything
 * worse.
 *
 * <p>This class is long because all reads and writes of the file's bytes stand here, each with its check that the disk has them.
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
    }

    /** Makes a file with all blocks allocated and maps it; it has no header yet. */
    public static Segment create(Path path, SegmentName name, long bytes) throws IOException {
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
        long bytes = Files.size(path);
        return withoutDescriptor(map(name, path, bytes, bytes, Set.of(READ, WRITE)));
    }

    /** Maps an existing file read-only, as {@link #open} does. */
    public static Segment openToRead(Path path, SegmentName name) throws IOException {
        long bytes = Files.size(path);
        return withoutDescriptor(map(name, path, bytes, bytes, Set.of(READ)));
    }

    private static Segment withoutDescriptor(Segment segment) throws IOException {
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

    private boolean isBehindEnd(long offset) {
        return offset > end && offset > tailEnd;
    }

    /**
     * Keeps the segment mapped until {@link #unpin}; see {@link Pin}. Any thread; pins nest.
     *
     * @return false if it is closed, so that the location that led here is an old one
     */
    boolean pin() {
        return mapping.pin();
    }

    void unpin() {
        mapping.unpin();
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

    /** Copies all up to {@link #end} into a file that is made for its owner alone, and forces that onto the disk. */
    public void copyTo(Path copy) throws IOException {
        Files.deleteIfExists(copy);
        try (FileChannel target = FileChannel.open(
                copy,
                Set.of(CREATE_NEW, WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer bytes = memory.asSlice(0, end).asByteBuffer();
            while (bytes.hasRemaining()) {
                target.write(bytes);
            }
            target.force(true);
        }
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

    public int keyBytes(long field) {
        return Layout.keyBytes(memory, field);
    }

    public int valueBytes(long field) {
        return Layout.valueBytes(memory, field);
    }

    /** Whether the field at the offset sets its key, and does not delete it. */
    public boolean isSet(long field) {
        return Layout.kind(memory, field) == Layout.SET;
    }

    /**
     * Whether the field at the offset, whose key has the same hash, has this key.
     *
     * @throws Damaged if it does not because it is not what was written
     */
    public boolean hasKey(long field, byte[] key) throws Damaged {
        long from = field + Layout.FIELD_KEY;
        if (!isBehindEnd(from + key.length) && keyBytes(field) == key.length && isAt(from, key)) {
            return true;
        }
        check(field);
        return false;
    }

    /**
     * Whether the field at the offset has the key of a field of another segment, or of this one, that has the same hash.
     *
     * @throws Damaged if it does not because one of them is not what was written
     */
    public boolean hasKeyOf(long field, Segment other, long otherField) throws Damaged {
        int length = keyBytes(field);
        long from = field + Layout.FIELD_KEY;
        long otherFrom = otherField + Layout.FIELD_KEY;
        if (other.keyBytes(otherField) == length
                && length >= 0
                && !isBehindEnd(from + length)
                && !other.isBehindEnd(otherFrom + length)
                && isAt(from, other.bytes(otherFrom, length))) {
            return true;
        }
        check(field);
        other.check(otherField);
        return false;
    }

    public byte[] key(long field) {
        return bytes(field + Layout.FIELD_KEY, keyBytes(field));
    }

    /**
     * The value of the field at the offset.
     *
     * @param key its key, as it was found there
     * @throws Damaged if the value, or what stands before it, is not what was written
     */
    public byte[] value(long field, byte[] key) {
        int length = possibleValueBytes(field, key.length);
        byte[] header = bytes(field, Layout.FIELD_KEY);
        byte[] value = bytes(field + Layout.FIELD_KEY + key.length, length);
        CRC32C crc = new CRC32C();
        crc.update(header, Integer.BYTES, Layout.FIELD_KEY - Integer.BYTES);
        crc.update(key, 0, key.length);
        crc.update(value, 0, length);
        if ((int) Layout.ARRAY_INT.get(header, Layout.FIELD_CHECKSUM) != (int) crc.getValue()) {
            throw damaged(field);
        }
        return value;
    }

    /**
     * The value of the field at the offset; reads its key, too.
     *
     * @throws Damaged if the value, or what stands before it, is not what was written
     */
    public byte[] value(long field) {
        check(field);
        return bytes(field + Layout.FIELD_KEY + Integer.toUnsignedLong(keyBytes(field)), valueBytes(field));
    }

    /**
     * The value of the field at the offset, uncopied. The segment is pinned until the value is released.
     *
     * @param key its key, as it was found there
     * @throws Damaged if its length is impossible
     */
    public HeldField held(long field, byte[] key) {
        int length = possibleValueBytes(field, key.length);
        if (!pin()) {
            throw new IllegalStateException("closed meanwhile: " + this);
        }
        return new HeldField(this, field, key.length, length);
    }

    /**
     * The length of the value of a field, checked against the end of the segment.
     *
     * @throws Damaged if it is impossible
     */
    private int possibleValueBytes(long field, int keyBytes) {
        int length = valueBytes(field);
        if (length < 0 || isBehindEnd(field + Layout.FIELD_KEY + keyBytes + length)) {
            throw damaged(field);
        }
        return length;
    }

    /** A part of the mapping, read-only. */
    ByteBuffer view(long offset, int length) {
        return memory.asSlice(offset, length).asReadOnly().asByteBuffer();
    }

    /** The checksum that the field at the offset was written with. */
    int checksum(long field) {
        return Layout.fieldChecksum(memory, field);
    }

    private void check(long field) {
        if (isBehindEnd(field + Layout.FIELD_KEY)) {
            // By whoever reads while that changes: the file may be cut off there, and a page have no place.
            throw damaged(field);
        }
        int key = keyBytes(field);
        int value = valueBytes(field);
        if (key < 0
                || value < 0
                || isBehindEnd(field + Layout.FIELD_KEY + key + value)
                || !isSound(field, key, value)) {
            throw damaged(field);
        }
    }

    public Damaged damaged(long field) {
        return new Damaged(path, field, "a field is not the one that was written");
    }

    /** Whether the field at the offset, with a key and a value of so many bytes, is the one that was written. */
    public boolean isSound(long field, int key, int value) {
        return Mapped.isSoundField(memory, field, key, value);
    }

    /** See {@link Mapped#checksum}. */
    public void checksum(CRC32C crc, long offset, int length) {
        Mapped.checksum(memory, crc, offset, length);
    }

    /** See {@link Mapped#checksum}. */
    void checksum(CRC32C crc, long offset, int length, byte[] part, Held.Seen seen) {
        Mapped.checksum(memory, crc, offset, length, part, seen);
    }

    public byte[] bytes(long offset, int length) {
        return Mapped.bytes(memory, offset, length);
    }

    private boolean isAt(long offset, byte[] expected) {
        return Mapped.isAt(memory, offset, expected, 0, expected.length);
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

    /** Whether the file holds a field, or the head of one, at an offset. */
    public boolean canRead(long field) {
        try (FileChannel file = FileChannel.open(path, READ)) {
            return file.read(ByteBuffer.allocate(Layout.FIELD_KEY), field) == Layout.FIELD_KEY;
        } catch (IOException unreadable) {
            return false;
        }
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

    /** Whether the mapping has ended. */
    boolean isClosed() {
        return mapping.isClosed();
    }

    /** Ends the mapping unless it is pinned; returns whether it has ended. */
    boolean isClosedUnpinned() {
        return mapping.isClosedUnpinned();
    }

    /** Ends the mapping though it is pinned; returns whether this call ended it. */
    boolean isCutOff() {
        return mapping.isCutOff();
    }

    /** Ends the mapping, unless it has ended. Concurrent reads throw {@link IllegalStateException}. */
    @Override
    public void close() {
        mapping.close();
    }

    /** Ends the mapping, and removes the file. */
    void discard() {
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
