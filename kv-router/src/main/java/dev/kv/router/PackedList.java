package dev.kv.router;

import java.nio.ByteBuffer;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;

/**
 * An immutable list of values in a few large arrays: each value is its length in 4 bytes, big-endian, and its bytes, as in a message
 * between nodes. Millions of values as objects of their own, or hundreds of megabytes in arrays of some kilobytes, make the
 * garbage collector stop all threads for hundreds of milliseconds while it copies them. It copies no array of more than half a
 * region of its heap, so these arrays cost it nothing.
 *
 * <p>It is to be read with its iterator; {@link #get} takes time in proportion to the index.
 */
public final class PackedList extends AbstractList<Bytes> {
    /** A list of at most as many values, of at most as many bytes, keeps them as objects. */
    static final int OBJECTS_MAX = 4096;

    static final int OBJECTS_MAX_BYTES = 1 << 20;

    /** Less than this and its doubles, since an array has a header: from half a region of the heap on it takes whole ones. */
    private static final int FIRST_ARRAY_BYTES = (64 << 10) - 64;

    private static final int ARRAY_MAX_BYTES = (4 << 20) - 64;

    /** Each from 0 to its limit; no value stands in two of them. */
    private final List<ByteBuffer> arrays;

    private final int size;
    private final long bytes;

    private PackedList(List<ByteBuffer> arrays, int size) {
        this.arrays = List.copyOf(arrays);
        this.size = size;
        this.bytes = this.arrays.stream().mapToLong(ByteBuffer::limit).sum();
    }

    /**
     * The values that stand in the buffer, from its position to its limit, as in a message. It is not copied if they are many or long: then
     * it must not change afterwards.
     */
    public static List<Bytes> of(ByteBuffer values, int count) {
        if (isPacked(count, values.remaining())) {
            return new PackedList(List.of(values.slice()), count);
        }
        Builder builder = new Builder();
        for (int i = 0; i < count; i++) {
            builder.add(values, values.getInt());
        }
        return builder.build();
    }

    /** Whether as many values, of as many bytes, are not kept as objects. */
    public static boolean isPacked(int count, long bytes) {
        return count > OBJECTS_MAX || bytes > OBJECTS_MAX_BYTES;
    }

    /** Takes the values of a list one after another. */
    @FunctionalInterface
    public interface Visitor {
        /** The value is so many bytes of the buffer, from this position; the buffer's own position means nothing. */
        void visit(ByteBuffer array, int position, int length);
    }

    /** Shows all values without copying them. */
    public void visit(Visitor visitor) {
        for (ByteBuffer array : arrays) {
            int position = 0;
            while (position < array.limit()) {
                int length = array.getInt(position);
                visitor.visit(array, position + Integer.BYTES, length);
                position += Integer.BYTES + length;
            }
        }
    }

    /** Takes values one after another. One thread at a time. */
    public static final class Builder {
        private final List<Bytes> objects = new ArrayList<>();
        private final List<ByteBuffer> full = new ArrayList<>();
        private ByteBuffer last = ByteBuffer.allocate(0);
        private int packed;
        private long objectBytes;

        /** Adds a value at the end. */
        public void add(Bytes value) {
            if (isObject(value.size())) {
                objects.add(value);
            } else {
                packObjects();
                room(value.size()).putInt(value.size()).put(value.array());
                packed++;
            }
        }

        /** Adds a value of a length from the buffer, whose position moves behind it. */
        public void add(ByteBuffer from, int length) {
            if (isObject(length)) {
                objects.add(Bytes.read(from, length));
            } else {
                packObjects();
                ByteBuffer to = room(length).putInt(length);
                to.put(to.position(), from, from.position(), length).position(to.position() + length);
                from.position(from.position() + length);
                packed++;
            }
        }

        /** Whether the next value, of this length, is kept as an object. */
        private boolean isObject(int length) {
            if (packed > 0) {
                return false;
            }
            objectBytes += Integer.BYTES + length;
            return !isPacked(objects.size() + 1, objectBytes);
        }

        private void packObjects() {
            for (Bytes value : objects) {
                room(value.size()).putInt(value.size()).put(value.array());
                packed++;
            }
            objects.clear();
        }

        private ByteBuffer room(int valueBytes) {
            int needed = Integer.BYTES + valueBytes;
            if (last.remaining() < needed) {
                int capacity = Math.clamp(2L * last.capacity(), FIRST_ARRAY_BYTES, ARRAY_MAX_BYTES);
                full.add(last.flip());
                last = ByteBuffer.allocate(Math.max(capacity, needed));
            }
            return last;
        }

        /** The last array may be far from full. */
        private static ByteBuffer trimmed(ByteBuffer array) {
            return array.capacity() - array.limit() > array.limit() / 8
                    ? ByteBuffer.allocate(array.limit()).put(array).flip()
                    : array;
        }

        /** The values that were added. The builder must not be used any more. */
        public List<Bytes> build() {
            if (packed == 0) {
                return List.copyOf(objects);
            }
            full.add(trimmed(last.flip()));
            return new PackedList(full.stream().filter(ByteBuffer::hasRemaining).toList(), packed);
        }
    }

    @Override
    public int size() {
        return size;
    }

    /** The length of the longest value. */
    public int longest() {
        int longest = 0;
        for (ByteBuffer array : arrays) {
            int position = 0;
            while (position < array.limit()) {
                int length = array.getInt(position);
                longest = Math.max(longest, length);
                position += Integer.BYTES + length;
            }
        }
        return longest;
    }

    /** What the values take here: 4 bytes more than each of them has. */
    public long bytes() {
        return bytes;
    }

    /** The values with their lengths, as they stand in a message. Each buffer is to be read from 0 to its limit, and not changed. */
    public List<ByteBuffer> arrays() {
        return arrays;
    }

    @Override
    public Bytes get(int index) {
        if (index < 0 || index >= size) {
            throw new IndexOutOfBoundsException(index);
        }
        int left = index;
        for (Bytes value : this) {
            if (left-- == 0) {
                return value;
            }
        }
        throw new IllegalStateException("fewer values than counted");
    }

    /** In one pass: the method that is inherited gets element by element. */
    @Override
    public boolean equals(Object other) {
        if (!(other instanceof List<?> list) || list.size() != size) {
            return false;
        }
        Iterator<?> others = list.iterator();
        for (Bytes value : this) {
            if (!others.hasNext() || !value.equals(others.next())) {
                return false;
            }
        }
        return true;
    }

    @Override
    public int hashCode() {
        return super.hashCode();
    }

    @Override
    public Iterator<Bytes> iterator() {
        return new Iterator<>() {
            private int array;
            private int position;

            @Override
            public boolean hasNext() {
                return array < arrays.size();
            }

            @Override
            public Bytes next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                ByteBuffer from = arrays.get(array);
                byte[] value = new byte[from.getInt(position)];
                from.get(position + Integer.BYTES, value);
                position += Integer.BYTES + value.length;
                if (position == from.limit()) {
                    array++;
                    position = 0;
                }
                return Bytes.owning(value);
            }
        };
    }

    /** The values as a list that never changes: this one if it is such a list, else a copy. */
    static List<Bytes> copyOf(List<Bytes> values) {
        return values instanceof PackedList ? values : List.copyOf(values);
    }
}
