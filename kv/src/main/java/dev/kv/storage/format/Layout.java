package dev.kv.storage.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.stream.IntStream;

/**
 * Records and fields on the disk: where each part of them stands, and what the numbers mean. {@code docs/format.md} describes
 * them. All numbers are little-endian. {@link SegmentHeader}, {@link Hint} and {@link Mark} have the other files.
 */
public final class Layout {
    /** The version of the format that this release writes. */
    static final int VERSION = 2;

    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    public static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** The same in arrays. */
    public static final VarHandle ARRAY_INT =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

    static final VarHandle ARRAY_LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    public static final int ALIGNMENT = 8;

    /** Size of the largest change in bytes, and so of the largest segment: somewhat less than a Java buffer holds. */
    public static final long CHANGE_MAX_BYTES = 0x7000_0000L;

    /** Of a record: the checksum of all behind it in the header and the name, and of the headers of all fields. */
    static final int RECORD_CHECKSUM = 0;

    public static final int RECORD_LENGTH = 4;
    static final int RECORD_GENERATION = 8;

    /** The type in the first byte, flags in the next three. */
    static final int RECORD_TYPE = 16;

    public static final int RECORD_NAME_BYTES = 20;

    /** The name, padded; the fields follow it. */
    public static final int RECORD_NAME = 24;

    /** Of a field: the checksum of all behind it in the header, of the key and the value. */
    public static final int FIELD_CHECKSUM = 0;

    static final int FIELD_KEY_BYTES = 4;
    static final int FIELD_VALUE_BYTES = 8;
    static final int FIELD_KIND = 12;

    /** The key, and behind it the value, padded together. */
    public static final int FIELD_KEY = 16;

    /** Sets and deletes fields of a bucket, all of them or none. */
    public static final int WRITE = 1;
    /** The bucket exists, and carries this flag from now on. */
    public static final int BUCKET = 2;
    /** The bucket of an older generation is gone with all that it held. */
    public static final int DROP = 3;
    /** Gives a bucket this name; the bucket that had it is dropped. */
    public static final int PUBLISH = 4;
    /** The name has a value in place of a bucket: one field that sets an empty key. */
    public static final int VALUE = 5;
    /** Says when the bucket expires: one field that holds nothing but the time, 0 for never. */
    public static final int EXPIRE = 6;

    /** No type of a record: the kind of the entry of a {@link #VALUE} that expires. */
    public static final int VALUE_UNTIL = 7;

    /** Flag of {@link #BUCKET}: the bucket stays when its last key is removed. */
    public static final int KEPT = 1;

    /** Flag of a record: its bucket is found by its generation alone. */
    public static final int HIDDEN = 2;

    /** Flag of any record: the next one belongs to the same change, which happened as a whole or not at all. */
    static final int MORE = 0x80;

    /** Kinds of a field. */
    public static final int SET = 0;

    /** Sets the key until a time: the value begins with that. */
    public static final int SET_UNTIL = 1;

    public static final int DELETE = 16;

    /** In a {@link #PUBLISH}: the key is the name that the records of the bucket carry. */
    static final int RECORD_NAMES = 32;

    /** The time of a {@link #SET_UNTIL}, in milliseconds since 1970, and the checksum of that. */
    public static final int TIME_BYTES = Long.BYTES + Integer.BYTES;

    private static final int FLAGS_SHIFT = 8;
    private static final int TYPE_MASK = (1 << FLAGS_SHIFT) - 1;

    private Layout() {}

    /** Whether the entries of a record of this type are its fields; of all others, the record is one as a whole. */
    static boolean hasFields(int type) {
        return type == WRITE || type == VALUE;
    }

    /** Whether an entry of this kind is a field of a record. */
    public static boolean isField(int kind) {
        return setsKey(kind) || kind == DELETE;
    }

    /** Whether an entry of this kind sets a key, or is a value. */
    public static boolean setsKey(int kind) {
        return kind == SET || kind == SET_UNTIL || isValue(kind);
    }

    /** Whether an entry of this kind is a value. */
    public static boolean isValue(int kind) {
        return kind == VALUE || kind == VALUE_UNTIL;
    }

    /** Whether an entry of this kind has a time. */
    public static boolean hasTime(int kind) {
        return kind == SET_UNTIL || kind == VALUE_UNTIL || kind == EXPIRE;
    }

    /** Whether an entry of this kind is a tombstone. */
    public static boolean isTombstone(int kind) {
        return kind == DELETE || kind == DROP;
    }

    /** Whether an entry of this kind may hide older entries even when it is not live. */
    public static boolean isAboutOlder(int kind) {
        return isTombstone(kind) || kind == PUBLISH;
    }

    public static long padded(long bytes) {
        return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
    }

    /** Bytes that a field takes in a record of its own. */
    public static long fieldCost(int nameBytes, long keyBytes, long valueBytes) {
        return recordCost(nameBytes) + fieldLength(keyBytes, valueBytes);
    }

    /** Bytes that the field at an offset takes in a record of its own. */
    public static long fieldCost(int nameBytes, MemorySegment memory, long field) {
        return recordCost(nameBytes) + fieldLength(memory, field);
    }

    /** Bytes that a record without fields takes. */
    public static long recordCost(int nameBytes) {
        return RECORD_NAME + padded(nameBytes);
    }

    /** Bytes of the head of the record at an offset. The length of its name is widened as {@link #fieldLength} does. */
    public static long recordCost(MemorySegment memory, long record) {
        return RECORD_NAME + padded(Integer.toUnsignedLong(nameBytes(memory, record)));
    }

    /** Bytes that a field takes in its record. */
    public static long fieldLength(long keyBytes, long valueBytes) {
        return FIELD_KEY + padded(keyBytes + valueBytes);
    }

    /**
     * Bytes that the field at an offset takes in its record; its lengths count without their sign.
     */
    public static long fieldLength(MemorySegment memory, long field) {
        long keyBytes = Integer.toUnsignedLong(keyBytes(memory, field));
        return fieldLength(keyBytes, Integer.toUnsignedLong(valueBytes(memory, field)));
    }

    /** The type in the word at {@link #RECORD_TYPE}. */
    static int type(int typeAndFlags) {
        return typeAndFlags & TYPE_MASK;
    }

    /**
     * The length at an offset, which follows a word of as many bytes. It is taken out of a long, as the length of a value is: on an
     * unreadable page, compiled code that extends the sign of an int that it loads ends the JVM, and other loads throw an {@link
     * InternalError}.
     */
    private static int upper(MemorySegment memory, long offset) {
        return (int) (memory.get(LONG, offset - Integer.BYTES) >>> Integer.SIZE);
    }

    /** The word at {@link #RECORD_TYPE}. */
    static int typeAndFlags(int type, int flags) {
        return type | flags << FLAGS_SHIFT;
    }

    public static int recordLength(MemorySegment memory, long record) {
        return upper(memory, record + RECORD_LENGTH);
    }

    public static long generation(MemorySegment memory, long record) {
        return memory.get(LONG, record + RECORD_GENERATION);
    }

    /** Whether the record at an offset is of a type that has fields. */
    public static boolean hasFields(MemorySegment memory, long record) {
        return hasFields(type(memory, record));
    }

    public static int type(MemorySegment memory, long record) {
        return type(memory.get(INT, record + RECORD_TYPE));
    }

    static int flags(MemorySegment memory, long record) {
        return memory.get(INT, record + RECORD_TYPE) >>> FLAGS_SHIFT;
    }

    public static int nameBytes(MemorySegment memory, long record) {
        return upper(memory, record + RECORD_NAME_BYTES);
    }

    /** The checksum that a record carries. */
    public static int recordChecksum(MemorySegment memory, long record) {
        return memory.get(INT, record + RECORD_CHECKSUM);
    }

    public static int keyBytes(MemorySegment memory, long field) {
        return upper(memory, field + FIELD_KEY_BYTES);
    }

    /** Bytes of the value, with the time before it if the field expires. */
    public static int valueBytes(MemorySegment memory, long field) {
        return (int) memory.get(LONG, field + FIELD_VALUE_BYTES);
    }

    /** Bytes of the time before the value: 0 if the field does not expire. */
    public static int timeBytes(MemorySegment memory, long field) {
        return kind(memory, field) == SET_UNTIL ? TIME_BYTES : 0;
    }

    /** When the field, which is a {@link #SET_UNTIL}, expires; -1 if that is not what was written. */
    public static long until(MemorySegment memory, long field) {
        long at = field + FIELD_KEY + Integer.toUnsignedLong(keyBytes(memory, field));
        long until = memory.get(LONG, at);
        return until >= 0 && timeChecksum(until) == memory.get(INT, at + Long.BYTES) ? until : -1;
    }

    /** The CRC-32C of a time, without an object for it: a time is read, and has to be known to be right, without the value. */
    static int timeChecksum(long until) {
        int crc = -1;
        for (int shift = 0; shift < Long.SIZE; shift += Byte.SIZE) {
            crc = crc >>> Byte.SIZE ^ CRC_OF_BYTE[(crc ^ (int) (until >>> shift)) & 0xFF];
        }
        return ~crc;
    }

    private static final int CRC32C_POLYNOMIAL = 0x82F6_3B78;

    private static final int[] CRC_OF_BYTE =
            IntStream.range(0, 1 << Byte.SIZE).map(Layout::crcOfByte).toArray();

    private static int crcOfByte(int value) {
        int crc = value;
        for (int bit = 0; bit < Byte.SIZE; bit++) {
            crc = crc >>> 1 ^ ((crc & 1) == 0 ? 0 : CRC32C_POLYNOMIAL);
        }
        return crc;
    }

    public static int kind(MemorySegment memory, long field) {
        return memory.get(INT, field + FIELD_KIND);
    }

    /** The checksum that a field carries. */
    public static int fieldChecksum(MemorySegment memory, long field) {
        return memory.get(INT, field + FIELD_CHECKSUM);
    }
}
