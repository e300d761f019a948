package dev.kv.storage.log;

import static java.nio.file.StandardOpenOption.READ;

import dev.kv.router.Held;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mapped;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.zip.CRC32C;

/**
 * The keys and values in a segment, each read at the offset of its field. What is read was checked against its checksum where the
 * method says so. Any thread; a read of a segment that was closed meanwhile throws an {@link IllegalStateException}, and one of a page
 * that the disk does not give an {@link InternalError}.
 */
public final class StoredFields {
    /**
     * What the record of a small bucket takes at most. Whoever asks the bucket for another key reads all of it, to tell that it is sound. No
     * key: what an object takes beside a larger record does not matter.
     */
    public static final int SMALL_MAX_BYTES = 4096;

    private final Segment segment;
    private final MemorySegment memory;
    private final AtomicReference<Damaged> damageMet = new AtomicReference<>();

    StoredFields(Segment segment, MemorySegment memory) {
        this.segment = segment;
        this.memory = memory;
    }

    public int keyBytes(long field) {
        return Layout.keyBytes(memory, field);
    }

    /** The length of the value, without the time before it. */
    public int valueBytes(long field) {
        return Layout.valueBytes(memory, field) - Layout.timeBytes(memory, field);
    }

    /** Whether the field at the offset sets its key, and does not delete it. */
    public boolean isSet(long field) {
        return Layout.setsKey(Layout.kind(memory, field));
    }

    /** Whether the field at the offset, which is sound, expires. */
    public boolean expires(long field) {
        return Layout.timeBytes(memory, field) > 0;
    }

    /**
     * When the field at the offset, which was written with a time, expires: in milliseconds since 1970.
     *
     * @throws Damaged if the time, or that there is one, is not what was written
     */
    public long until(long field) {
        long end = field + Layout.FIELD_KEY + Integer.toUnsignedLong(keyBytes(field)) + Layout.TIME_BYTES;
        long until = !expires(field) || segment.isBehindEnd(end) ? -1 : Layout.until(memory, field);
        if (until < 0) {
            throw damaged(field);
        }
        return until;
    }

    /** Whether the record at the offset, which is sound, is a value. */
    public boolean isValue(long record) {
        return Layout.type(memory, record) == Layout.VALUE;
    }

    /** The name in the record of a small bucket at the offset. */
    public byte[] name(long record) {
        if (segment.isBehindEnd(record + Layout.RECORD_NAME)) {
            throw damagedRecord(record);
        }
        int length = Layout.nameBytes(memory, record);
        // A reader without a lock may come to any offset: what it finds there for a length must not become an array of
        // that size.
        if (length < 0 || length > SMALL_MAX_BYTES || segment.isBehindEnd(record + Layout.RECORD_NAME + length)) {
            throw damagedRecord(record);
        }
        return bytes(record + Layout.RECORD_NAME, length);
    }

    /**
     * Whether the record at the offset, which has at most one field, has this name.
     *
     * @throws Damaged if it does not because it is not what was written
     */
    public boolean hasName(long record, byte[] name) throws Damaged {
        long from = record + Layout.RECORD_NAME;
        if (!segment.isBehindEnd(from + name.length)
                && Layout.nameBytes(memory, record) == name.length
                && isAt(from, name)) {
            return true;
        }
        long _ = checkedGeneration(record, name(record).length);
        return false;
    }

    /** Offset of the field of a record that sets one key, or is a value; 0 if the record at the offset has no fields. */
    public long onlyField(long record) {
        return Layout.hasFields(memory, record) ? record + Layout.recordCost(memory, record) : 0;
    }

    /**
     * The generation of a record of at most one field, which is verified but for the key and the value.
     *
     * @throws Damaged if it is not what was written
     */
    public long checkedGeneration(long record, int nameBytes) throws Damaged {
        int checked = (int) Layout.recordCost(nameBytes) + (onlyField(record) == 0 ? 0 : Layout.FIELD_KEY);
        if (segment.isBehindEnd(record + checked) || !Mapped.isSoundHead(bytes(record, checked))) {
            throw damagedRecord(record);
        }
        return Layout.generation(memory, record);
    }

    /**
     * Whether the field at the offset, whose key has the same hash, has this key.
     *
     * @throws Damaged if it does not because it is not what was written
     */
    public boolean hasKey(long field, byte[] key) throws Damaged {
        long from = field + Layout.FIELD_KEY;
        if (!segment.isBehindEnd(from + key.length) && keyBytes(field) == key.length && isAt(from, key)) {
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
        if (other.fields().keyBytes(otherField) == length
                && length >= 0
                && !segment.isBehindEnd(from + length)
                && !other.isBehindEnd(otherFrom + length)
                && isAt(from, other.fields().bytes(otherFrom, length))) {
            return true;
        }
        check(field);
        other.fields().check(otherField);
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
        int length = valueBytes(field, key.length);
        int timeBytes = Layout.timeBytes(memory, field);
        byte[] header = bytes(field, Layout.FIELD_KEY);
        long at = field + Layout.FIELD_KEY + key.length;
        byte[] value = bytes(at + timeBytes, length);
        CRC32C crc = new CRC32C();
        crc.update(header, Integer.BYTES, Layout.FIELD_KEY - Integer.BYTES);
        crc.update(key, 0, key.length);
        if (timeBytes > 0) {
            crc.update(bytes(at, timeBytes), 0, timeBytes);
        }
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
        return bytes(valueAt(field), valueBytes(field));
    }

    /**
     * A part of the value of the field at the offset.
     *
     * @throws Damaged if the field is not what was written
     */
    public byte[] part(long field, int from, int to) {
        check(field);
        return bytes(valueAt(field) + from, to - from);
    }

    private long valueAt(long field) {
        return field + Layout.FIELD_KEY + Integer.toUnsignedLong(keyBytes(field)) + Layout.timeBytes(memory, field);
    }

    /**
     * The value of the field at the offset, uncopied. The segment is pinned until the value is released.
     *
     * @param key its key, as it was found there
     * @throws Damaged if its length is impossible
     */
    public HeldField held(long field, byte[] key) {
        int length = valueBytes(field, key.length);
        if (!segment.mapping().pin()) {
            throw new IllegalStateException("closed meanwhile: " + segment);
        }
        return new HeldField(segment, field, key.length + Layout.timeBytes(memory, field), length);
    }

    /**
     * The length of the value of a field whose key has a length, checked against the end of the segment.
     *
     * @throws Damaged if it is impossible
     */
    public int valueBytes(long field, int keyBytes) {
        int length = valueBytes(field);
        if (length < 0
                || segment.isBehindEnd(field
                        + Layout.FIELD_KEY
                        + keyBytes
                        + Integer.toUnsignedLong(Layout.valueBytes(memory, field)))) {
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

    /**
     * Verifies the field at the offset.
     *
     * @throws Damaged if it is not what was written
     */
    public void check(long field) throws Damaged {
        if (segment.isBehindEnd(field + Layout.FIELD_KEY)) {
            // A reader may race with a rescue: the file may be truncated there, and the page may have no block.
            throw damaged(field);
        }
        int key = keyBytes(field);
        int value = Layout.valueBytes(memory, field);
        if (key < 0
                || value < 0
                || segment.isBehindEnd(field + Layout.FIELD_KEY + key + value)
                || !isSound(field, key, value)) {
            throw damaged(field);
        }
    }

    /** Records that a reader met a damaged field; returns the failure. */
    public Damaged damaged(long field) {
        return met(field, "the checksum of a field is wrong");
    }

    /** Records that a reader met a damaged record; returns the failure. */
    public Damaged damagedRecord(long record) {
        return met(record, "the checksum of a record is wrong");
    }

    private Damaged met(long offset, String what) {
        Damaged met = new Damaged(segment.path(), offset, what);
        damageMet.compareAndSet(null, met);
        return met;
    }

    /** Takes back a damage: it was met where nothing had been written, at a location that was never in an index. */
    public void forget(Damaged met) {
        damageMet.compareAndSet(met, null);
    }

    /** The first damage that a reader met since the start; empty if there was none. */
    public Optional<Damaged> damageMet() {
        return Optional.ofNullable(damageMet.get());
    }

    /**
     * Whether the field at the offset has the checksum that it carries.
     *
     * @param value the length of its value, with the time before it
     */
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

    /** Whether the disk gives the head of the field at an offset: it is read from the file, not from the mapping. */
    public boolean canRead(long field) {
        try (FileChannel file = FileChannel.open(segment.path(), READ)) {
            return file.read(ByteBuffer.allocate(Layout.FIELD_KEY), field) == Layout.FIELD_KEY;
        } catch (IOException unreadable) {
            return false;
        }
    }
}
