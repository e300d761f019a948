package dev.kv.storage.format;

import dev.kv.router.Bytes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * A record builder, reused from record to record. It keeps references to the arrays of keys and values and reads them when the
 * record is written. One thread at a time.
 */
public final class Draft {
    private static final byte[] NOTHING = new byte[0];
    private static final int FIELDS_KEPT_MAX = 1024;

    private final CRC32C crc = new CRC32C();

    /** The header and the name, with the padding behind it. */
    private byte[] head = new byte[64];

    private int headBytes;
    private int nameBytes;

    private int fields;
    private byte[] headers = new byte[Layout.FIELD_KEY];
    private byte[][] keys = new byte[1][];
    private byte[][] values = new byte[1][];

    /** When each field expires; 0 if it does not. */
    private long[] times = new long[1];

    /** The bytes of one of them. */
    private final byte[] time = new byte[Layout.TIME_BYTES];

    private long[] offsets = new long[1];
    private long length;
    private int sets;
    private long cost;
    private long tombstoneBytes;

    /** Begins a record without fields so far. */
    public Draft begin(int type, int flags, long generation, byte[] name) {
        nameBytes = name.length;
        headBytes = (int) Layout.recordCost(name.length);
        if (head.length < headBytes) {
            head = new byte[headBytes];
        }
        Layout.ARRAY_LONG.set(head, Layout.RECORD_GENERATION, generation);
        Layout.ARRAY_INT.set(head, Layout.RECORD_TYPE, Layout.typeAndFlags(type, flags));
        Layout.ARRAY_INT.set(head, Layout.RECORD_NAME_BYTES, name.length);
        System.arraycopy(name, 0, head, Layout.RECORD_NAME, name.length);
        Arrays.fill(head, Layout.RECORD_NAME + name.length, headBytes, (byte) 0);
        fields = 0;
        sets = 0;
        length = headBytes;
        cost = Layout.hasFields(type) ? 0 : headBytes;
        tombstoneBytes = type == Layout.DROP ? headBytes : 0;
        return this;
    }

    /**
     * Adds a key.
     *
     * @param until when it expires; 0 if it does not
     */
    public Draft set(Bytes key, Bytes value, long until) {
        field(until == 0 ? Layout.SET : Layout.SET_UNTIL, key.array(), value.array(), until);
        sets++;
        return this;
    }

    public Draft delete(Bytes key) {
        field(Layout.DELETE, key.array(), NOTHING, 0);
        tombstoneBytes += fieldCost(fields - 1);
        return this;
    }

    /** Adds the name that the records of a published bucket carry. */
    public Draft recordName(byte[] name) {
        field(Layout.RECORD_NAMES, name, NOTHING, 0);
        cost = length;
        return this;
    }

    /** Adds the time of an {@link Layout#EXPIRE}. */
    public Draft expires(long until) {
        field(Layout.SET_UNTIL, NOTHING, NOTHING, until);
        cost = length;
        sets++;
        return this;
    }

    private static int timeBytes(int kind) {
        return kind == Layout.SET_UNTIL ? Layout.TIME_BYTES : 0;
    }

    private boolean hasTime(int field) {
        return (int) Layout.ARRAY_INT.get(headers, field * Layout.FIELD_KEY + Layout.FIELD_KIND) == Layout.SET_UNTIL;
    }

    /** Bytes of the value of a field, with the time before it. */
    private int valueBytes(int field) {
        return (int) Layout.ARRAY_INT.get(headers, field * Layout.FIELD_KEY + Layout.FIELD_VALUE_BYTES);
    }

    private void field(int kind, byte[] key, byte[] value, long until) {
        if (fields == keys.length) {
            int size = 2 * fields;
            keys = Arrays.copyOf(keys, size);
            values = Arrays.copyOf(values, size);
            times = Arrays.copyOf(times, size);
            offsets = Arrays.copyOf(offsets, size);
            headers = Arrays.copyOf(headers, size * Layout.FIELD_KEY);
        }
        int at = fields * Layout.FIELD_KEY;
        Layout.ARRAY_INT.set(headers, at + Layout.FIELD_KEY_BYTES, key.length);
        int valueBytes = value.length + timeBytes(kind);
        Layout.ARRAY_INT.set(headers, at + Layout.FIELD_VALUE_BYTES, valueBytes);
        Layout.ARRAY_INT.set(headers, at + Layout.FIELD_KIND, kind);
        crc.reset();
        crc.update(headers, at + Integer.BYTES, Layout.FIELD_KEY - Integer.BYTES);
        crc.update(key, 0, key.length);
        if (valueBytes > value.length) {
            Layout.ARRAY_LONG.set(time, 0, until);
            Layout.ARRAY_INT.set(time, Long.BYTES, Layout.timeChecksum(until));
            crc.update(time, 0, time.length);
        }
        crc.update(value, 0, value.length);
        Layout.ARRAY_INT.set(headers, at + Layout.FIELD_CHECKSUM, (int) crc.getValue());
        keys[fields] = key;
        values[fields] = value;
        times[fields] = until;
        offsets[fields] = length;
        length += Layout.fieldLength(key.length, valueBytes);
        cost += Layout.fieldCost(nameBytes, key.length, valueBytes);
        fields++;
    }

    /** Marks the next record as part of the same change. */
    public Draft continued() {
        int word = (int) Layout.ARRAY_INT.get(head, Layout.RECORD_TYPE);
        Layout.ARRAY_INT.set(head, Layout.RECORD_TYPE, word | Layout.typeAndFlags(0, Layout.MORE));
        return this;
    }

    /** Completes the record; nothing is added after that. */
    public Draft end() {
        if (Layout.type((int) Layout.ARRAY_INT.get(head, Layout.RECORD_TYPE)) == Layout.VALUE
                && (fields != 1 || sets != 1 || keys[0].length > 0)) {
            throw new IllegalStateException("a value with " + fields + " fields");
        }
        Layout.ARRAY_INT.set(head, Layout.RECORD_LENGTH, (int) length);
        crc.reset();
        crc.update(head, Integer.BYTES, headBytes - Integer.BYTES);
        crc.update(headers, 0, fields * Layout.FIELD_KEY);
        Layout.ARRAY_INT.set(head, Layout.RECORD_CHECKSUM, (int) crc.getValue());
        return this;
    }

    /** Length in the log, in bytes. */
    public long length() {
        return length;
    }

    public int fields() {
        return fields;
    }

    public int sets() {
        return sets;
    }

    /** Offset of a field in the record. */
    public long offset(int field) {
        return offsets[field];
    }

    /** Bytes that a field would take in a record of its own. */
    public long fieldCost(int field) {
        return Layout.fieldCost(nameBytes, keys[field].length, valueBytes(field));
    }

    /** Bytes that the record would take with each field in a record of its own. */
    public long cost() {
        return cost;
    }

    /** The part of the cost that is for tombstones. */
    public long tombstoneBytes() {
        return tombstoneBytes;
    }

    public void writeTo(MemorySegment memory, long at) {
        MemorySegment.copy(head, 0, memory, ValueLayout.JAVA_BYTE, at, headBytes);
        for (int i = 0; i < fields; i++) {
            long field = at + offsets[i];
            byte[] key = keys[i];
            byte[] value = values[i];
            MemorySegment.copy(headers, i * Layout.FIELD_KEY, memory, ValueLayout.JAVA_BYTE, field, Layout.FIELD_KEY);
            long content = field + Layout.FIELD_KEY;
            MemorySegment.copy(key, 0, memory, ValueLayout.JAVA_BYTE, content, key.length);
            long valueAt = content + key.length;
            if (hasTime(i)) {
                memory.set(Layout.LONG, valueAt, times[i]);
                memory.set(Layout.INT, valueAt + Long.BYTES, Layout.timeChecksum(times[i]));
                valueAt += Layout.TIME_BYTES;
            }
            MemorySegment.copy(value, 0, memory, ValueLayout.JAVA_BYTE, valueAt, value.length);
        }
    }

    /**
     * Whether memory holds the record as it was written. A page that was not written holds none of it, so that a record on one
     * page is checked by its checksum alone.
     */
    public boolean standsIn(MemorySegment memory, long at) {
        // It is to be read again, and not known by what was written.
        VarHandle.acquireFence();
        if (Layout.recordChecksum(memory, at) != (int) Layout.ARRAY_INT.get(head, Layout.RECORD_CHECKSUM)) {
            return false;
        }
        boolean isOnOnePage = at / Mapped.PAGE_MIN_BYTES == (at + length - 1) / Mapped.PAGE_MIN_BYTES;
        return isOnOnePage || standsWholly(memory, at);
    }

    private boolean standsWholly(MemorySegment memory, long at) {
        boolean stands = Mapped.isAt(memory, at, head, 0, headBytes);
        for (int i = 0; stands && i < fields; i++) {
            long field = at + offsets[i];
            long content = field + Layout.FIELD_KEY;
            long timeAt = content + keys[i].length;
            long valueAt = timeAt + (hasTime(i) ? Layout.TIME_BYTES : 0);
            stands = Mapped.isAt(memory, field, headers, i * Layout.FIELD_KEY, Layout.FIELD_KEY)
                    && Mapped.isAt(memory, content, keys[i], 0, keys[i].length)
                    && (valueAt == timeAt || Layout.until(memory, field) == times[i])
                    && Mapped.isAt(memory, valueAt, values[i], 0, values[i].length);
        }
        return stands;
    }

    /** Drops the references to keys and values, and buffers that only a very large record needed. */
    public void forget() {
        if (keys.length > FIELDS_KEPT_MAX) {
            keys = new byte[1][];
            values = new byte[1][];
            times = new long[1];
            offsets = new long[1];
            headers = new byte[Layout.FIELD_KEY];
        } else {
            Arrays.fill(keys, 0, fields, null);
            Arrays.fill(values, 0, fields, null);
        }
    }
}
