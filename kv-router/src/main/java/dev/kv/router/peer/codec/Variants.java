package dev.kv.router.peer.codec;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Values of a sealed type: a byte that says of which of its records, and the fields of that record.
 *
 * @param <T> the sealed type
 */
final class Variants<T> implements Encoding<T> {
    private static final int CODES = 256;

    private final String what;
    private final Map<Class<?>, Row<? extends T>> byType = new HashMap<>();
    private final Row<? extends T>[] byCode;

    /** All that the wire knows of one record. */
    record Row<V>(int code, Class<V> type, Encoding<V> fields, boolean isRead) {
        private long sizeOf(Object value) {
            return fields.size(type.cast(value));
        }

        /** The value is one of this row. */
        void writeFields(MessageWriter out, Object value) {
            fields.write(out, type.cast(value));
        }
    }

    /**
     * @param what errors call a value
     */
    @SuppressWarnings({"unchecked", "rawtypes"})
    Variants(String what, List<Row<? extends T>> rows) {
        this.what = what;
        this.byCode = new Row[CODES];
        for (Row<? extends T> row : rows) {
            if (byType.put(row.type(), row) != null || (row.isRead() && byCode[row.code()] != null)) {
                throw new IllegalArgumentException("two rows for " + row.code() + " or " + row.type());
            }
            if (row.isRead()) {
                byCode[row.code()] = row;
            }
        }
    }

    static <V> Row<V> row(int code, Class<V> type, Encoding<V> fields) {
        return new Row<>(code, type, fields, true);
    }

    /** A record that is written like another one, and read as that one. */
    static <V> Row<V> writtenLike(int code, Class<V> type, Encoding<V> fields) {
        return new Row<>(code, type, fields, false);
    }

    /** Without the byte that says what it is. */
    long sizeOfFields(T value) {
        return rowOf(value).sizeOf(value);
    }

    /** A code that has no row: a newer node may know it. */
    static final class UnknownCode extends MalformedMessage {
        private static final long serialVersionUID = 1L;

        final int code;

        UnknownCode(String what, int code) {
            super("unknown kind of " + what + " " + code);
            this.code = code;
        }
    }

    T readFields(int code, MessageReader in) throws MalformedMessage {
        Row<? extends T> row = byCode[code];
        if (row == null) {
            throw new UnknownCode(what, code);
        }
        return row.fields().read(in);
    }

    @Override
    public long size(T value) {
        return 1 + sizeOfFields(value);
    }

    @Override
    public void write(MessageWriter out, T value) {
        Row<? extends T> row = rowOf(value);
        out.u8(row.code());
        row.writeFields(out, value);
    }

    @Override
    public T read(MessageReader in) throws MalformedMessage {
        return readFields(in.u8(), in);
    }

    Row<? extends T> rowOf(T value) {
        Row<? extends T> row = byType.get(value.getClass());
        if (row == null) {
            throw new IllegalStateException("no row for a " + what + " of " + value.getClass());
        }
        return row;
    }
}
