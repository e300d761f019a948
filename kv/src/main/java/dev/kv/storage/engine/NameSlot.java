package dev.kv.storage.engine;

import dev.kv.storage.log.Log;

/**
 * What a slot of a {@linkplain Names table of names} holds: where the record of a small bucket is, or the number of a {@link Bucket} object.
 *
 * <pre>
 * bits 63..32  id of a segment; bit 63 is set for an object
 * bit  31      the bucket is kept, and has a key
 * bit  30      0
 * bit  29      the name has a value
 * bit  28      the value, or the only key, expires
 * bits 27..0   offset of the record divided by 8, as in every location of the log; of an object, its number in the shard
 * </pre>
 */
final class NameSlot {
    private static final long OBJECT = Long.MIN_VALUE;

    /** No offset reaches this bit: no change, and so no segment, is longer than 0x7000_0000 bytes. */
    private static final long KEPT = 1L << 31;

    private static final long VALUE = 1L << 29;

    /** The bits that are no part of the location of a record. */
    static final long FLAGS = 0xF000_0000L;

    private NameSlot() {}

    static long object(int number) {
        return OBJECT | number;
    }

    static boolean isObject(long place) {
        return place < 0;
    }

    static int number(long object) {
        return (int) object;
    }

    /**
     * The place of a small bucket.
     *
     * @param record location of its record
     */
    static long of(long record, boolean isKept) {
        return isKept ? record | KEPT : record;
    }

    /**
     * The place of a value.
     *
     * @param record location of its record
     */
    static long ofValue(long record) {
        return record | VALUE;
    }

    /** Whether the value, or the only key, of a place that is not that of an object expires. */
    static boolean expires(long place) {
        return (place & Log.EXPIRES) != 0;
    }

    /** The location of the record of a small bucket. */
    static long record(long place) {
        return place & ~FLAGS;
    }

    static boolean isKept(long place) {
        return place > 0 && (place & KEPT) != 0;
    }

    /** Whether the place, which is not that of an object, is that of a value. */
    static boolean isValue(long place) {
        return (place & VALUE) != 0;
    }
}
