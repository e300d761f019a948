package dev.kv.storage;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The numbers of the format on disk, as {@code docs/format.md} describes it. All are little-endian. */
final class Layout {
    static final int VERSION = 1;

    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** A segment begins so. */
    static final byte[] SEGMENT_MAGIC = "kv-log\r\n".getBytes(US_ASCII);

    static final byte[] HINT_MAGIC = "kv-hnt\r\n".getBytes(US_ASCII);
    static final byte[] MARK_MAGIC = "kv-mrk\r\n".getBytes(US_ASCII);

    static final int SEGMENT_HEADER_BYTES = 64;
    static final int RECORD_HEADER_BYTES = 24;
    static final int FIELD_HEADER_BYTES = 16;
    static final int ALIGNMENT = 8;

    /** The most that is written as one change, and so the largest segment: what one Java buffer can hold, less some. */
    static final long CHANGE_MAX_BYTES = 0x7000_0000L;

    /** Sets and deletes fields of a bucket, all of them or none. */
    static final int WRITE = 1;
    /** The bucket exists, and carries this flag from now on. */
    static final int BUCKET = 2;
    /** The bucket of an older generation is gone with all that it held. */
    static final int DROP = 3;

    /** Flag of {@link #BUCKET}: the bucket stays when its last key goes. */
    static final int KEPT = 1;

    /** Flag of any record: the next one belongs to the same change, which happened as a whole or not at all. */
    static final int MORE = 0x80;

    /** Kinds of a field, none of them a type of record. */
    static final int SET = 0;

    static final int DELETE = 16;

    private Layout() {}

    /** Whether an entry of this kind only says that something older is gone. */
    static boolean isTombstone(int kind) {
        return kind == DELETE || kind == DROP;
    }

    static long padded(long bytes) {
        return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
    }

    /** What a field takes in the log in a record of its own. */
    static long fieldCost(int nameBytes, long keyBytes, long valueBytes) {
        return recordCost(nameBytes) + FIELD_HEADER_BYTES + padded(keyBytes + valueBytes);
    }

    /** What a record without fields takes in the log. */
    static long recordCost(int nameBytes) {
        return RECORD_HEADER_BYTES + padded(nameBytes);
    }
}
