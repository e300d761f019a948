package dev.kv.storage;

import java.util.Arrays;

/**
 * Where the fields of a bucket are: from the 32-bit hash of a key to a location in the log, without an object per entry. Keys
 * themselves stand in the log only, so that whoever looks one up says how to tell it from others of the same hash.
 *
 * <p>It is extendible hashing (Fagin, Nievergelt, Pippenger and Strong, "Extendible Hashing", 1979) over small open-addressing
 * tables: the first bits of a hash choose the table, so that no step of growth takes long, and tables as well as the slots
 * within them are in the order of the hashes, so that a position in that order outlives every growth.
 *
 * <p>One thread at a time changes it. Who reads meanwhile may get a wrong answer or a {@link RuntimeException}, and must be able
 * to tell (see {@link Buckets}); it always gets one.
 */
final class Index {
    /** No location: the log never has one of this value. */
    static final long NONE = 0;

    private Table[] tables = {new Table(0, 1)};
    private long size;

    /** Tells a key from others of the same hash. */
    interface Key {
        int hash();

        /** Whether the field at the location has this key. */
        boolean isAt(long location);
    }

    /** Sees entries. */
    @FunctionalInterface
    interface Visitor {
        /** Returns whether it wants to see more. */
        boolean visit(int hash, long location);
    }

    private Table table(int hash) {
        Table[] all = tables;
        return all[all.length == 1 ? 0 : hash >>> (Integer.numberOfLeadingZeros(all.length) + 1)];
    }

    long size() {
        return size;
    }

    /** The location of the key; {@link #NONE} if it is not there. */
    long find(Key key) {
        return table(key.hash()).find(key);
    }

    /** Adds a location of a hash; that of an equal key must not be there. */
    void add(int hash, long location) {
        Table table = owned(hash);
        while (table.isFull()) {
            if (table.mayGrow()) {
                table.grow();
            } else {
                split(table, hash);
                table = owned(hash);
            }
        }
        table.add(hash, location);
        size++;
    }

    /** Puts a location in the place of another one; returns false if that is not there. */
    boolean replace(int hash, long location, long by) {
        if (!table(hash).contains(hash, location)) {
            return false;
        }
        owned(hash).replace(hash, location, by);
        return true;
    }

    boolean contains(int hash, long location) {
        return table(hash).contains(hash, location);
    }

    /** Removes a location, which is there. */
    void remove(int hash, long location) {
        owned(hash).remove(hash, location);
        size--;
        if (size == 0) {
            tables = new Table[] {new Table(0, 1)};
        }
    }

    /** A copy that does not change any more. The tables are shared until one of them is changed here. */
    Index frozen() {
        Index copy = new Index();
        copy.tables = tables.clone();
        copy.size = size;
        for (Table table : tables) {
            table.isShared = true;
        }
        return copy;
    }

    /** Shows all entries from a hash on, as unsigned numbers, in the order of the hashes, until the visitor has seen enough. */
    void forEach(int from, Visitor visitor) {
        long next = Integer.toUnsignedLong(from);
        while (next <= 0xFFFF_FFFFL) {
            Table table = table((int) next);
            if (!table.forEach((int) next, visitor)) {
                return;
            }
            next = ((next >>> table.shift()) << table.shift()) + (1L << table.shift());
        }
    }

    private Table owned(int hash) {
        Table table = table(hash);
        if (table.isShared) {
            Table copy = new Table(table);
            put(hash, copy);
            return copy;
        }
        return table;
    }

    /** Puts the table where all hashes find it that begin like this one, as far as the table tells them apart. */
    private void put(int hash, Table table) {
        int bits = Integer.numberOfTrailingZeros(tables.length);
        int same = 1 << (bits - table.depth);
        int first = (bits == 0 ? 0 : hash >>> (Integer.SIZE - bits)) & -same;
        Arrays.fill(tables, first, first + same, table);
    }

    private void split(Table table, int hash) {
        if (1 << table.depth == tables.length) {
            Table[] twice = new Table[2 * tables.length];
            for (int i = 0; i < twice.length; i++) {
                twice[i] = tables[i >> 1];
            }
            tables = twice;
        }
        int half = Integer.MIN_VALUE >>> table.depth;
        int first = table.depth == 0 ? 0 : hash & (-1 << (Integer.SIZE - table.depth));
        put(first, table.half(first, half));
        put(first | half, table.half(first | half, half));
    }

    /** Slots of three numbers each: the hash and the two halves of a location, of which the first is never 0. */
    private static final class Table {
        private static final int WIDTH = 3;
        private static final int ENTRIES_MAX = 4096;
        private static final int DEPTH_MAX = 20;

        /** Up to this size all slots may be taken. */
        private static final int SMALL = 8;

        /** How many of the first bits of the hashes are the same for all entries. */
        private final int depth;

        private int[] slots;
        private int count;
        private boolean isShared;

        Table(int depth, int capacity) {
            this.depth = depth;
            this.slots = new int[WIDTH * capacity];
        }

        Table(Table other) {
            this.depth = other.depth;
            this.slots = other.slots.clone();
            this.count = other.count;
        }

        /** How many bits of a hash are not the same for all entries. */
        int shift() {
            return Integer.SIZE - depth;
        }

        private static int entriesMax(int capacity) {
            return capacity <= SMALL ? capacity : capacity - capacity / 5;
        }

        boolean isFull() {
            return count >= entriesMax(slots.length / WIDTH);
        }

        boolean mayGrow() {
            return count < ENTRIES_MAX || depth == DEPTH_MAX;
        }

        void grow() {
            int capacity = slots.length / WIDTH;
            resize(capacity + Math.max(1, capacity / 4));
        }

        private void resize(int capacity) {
            int[] old = slots;
            slots = new int[WIDTH * capacity];
            for (int at = 0; at < old.length; at += WIDTH) {
                if (old[at + 1] != 0) {
                    insert(old[at], old[at + 1], old[at + 2]);
                }
            }
        }

        /** The entries whose hashes have the bits of {@code half} as {@code first} has them. */
        Table half(int first, int half) {
            Table table = new Table(depth + 1, count / 2 + count / 4);
            for (int at = 0; at < slots.length; at += WIDTH) {
                if (slots[at + 1] != 0 && ((slots[at] ^ first) & half) == 0) {
                    while (table.isFull()) {
                        table.grow();
                    }
                    table.insert(slots[at], slots[at + 1], slots[at + 2]);
                    table.count++;
                }
            }
            return table;
        }

        private int home(int hash, int capacity) {
            return (int) ((Integer.toUnsignedLong(hash << depth) * capacity) >>> Integer.SIZE);
        }

        private static long location(int[] slots, int at) {
            return (long) slots[at + 1] << Integer.SIZE | Integer.toUnsignedLong(slots[at + 2]);
        }

        long find(Key key) {
            int[] now = slots;
            int hash = key.hash();
            int capacity = now.length / WIDTH;
            int at = WIDTH * home(hash, capacity);
            for (int n = 0; n < capacity && now[at + 1] != 0; n++) {
                if (now[at] == hash) {
                    long location = location(now, at);
                    if (key.isAt(location)) {
                        return location;
                    }
                }
                at += WIDTH;
                if (at == now.length) {
                    at = 0;
                }
            }
            return NONE;
        }

        /** The slot of a location; -1 if it has none. */
        private int slot(int hash, long location) {
            int[] now = slots;
            int capacity = now.length / WIDTH;
            int at = WIDTH * home(hash, capacity);
            for (int n = 0; n < capacity && now[at + 1] != 0; n++) {
                if (now[at] == hash && location(now, at) == location) {
                    return at;
                }
                at += WIDTH;
                if (at == now.length) {
                    at = 0;
                }
            }
            return -1;
        }

        boolean contains(int hash, long location) {
            return slot(hash, location) >= 0;
        }

        void add(int hash, long location) {
            insert(hash, (int) (location >>> Integer.SIZE), (int) location);
            count++;
        }

        private void insert(int hash, int high, int low) {
            int at = WIDTH * home(hash, slots.length / WIDTH);
            while (slots[at + 1] != 0) {
                at += WIDTH;
                if (at == slots.length) {
                    at = 0;
                }
            }
            slots[at] = hash;
            slots[at + 1] = high;
            slots[at + 2] = low;
        }

        void replace(int hash, long location, long by) {
            int at = slot(hash, location);
            slots[at + 1] = (int) (by >>> Integer.SIZE);
            slots[at + 2] = (int) by;
        }

        /** Closes the gap by moving back what would no longer be found (Knuth, TAOCP 3, 6.4, algorithm R). */
        void remove(int hash, long location) {
            int capacity = slots.length / WIDTH;
            int gap = slot(hash, location) / WIDTH;
            int next = gap;
            for (int n = 1; n < capacity; n++) {
                next = next + 1 == capacity ? 0 : next + 1;
                if (slots[WIDTH * next + 1] == 0) {
                    break;
                }
                int home = home(slots[WIDTH * next], capacity);
                boolean isBetween = gap <= next ? gap < home && home <= next : gap < home || home <= next;
                if (!isBetween) {
                    System.arraycopy(slots, WIDTH * next, slots, WIDTH * gap, WIDTH);
                    gap = next;
                }
            }
            Arrays.fill(slots, WIDTH * gap, WIDTH * gap + WIDTH, 0);
            count--;
            if (capacity > SMALL && count < capacity / 4) {
                resize(Math.max(SMALL, capacity / 2));
            }
        }

        /** Shows the entries from a hash on in order; false if the visitor has seen enough. */
        boolean forEach(int from, Visitor visitor) {
            long[] order = new long[count];
            int n = 0;
            for (int at = 0; at < slots.length; at += WIDTH) {
                if (slots[at + 1] != 0 && Integer.compareUnsigned(slots[at], from) >= 0) {
                    order[n++] = Integer.toUnsignedLong(slots[at]) << (Integer.SIZE - 1) | at;
                }
            }
            Arrays.sort(order, 0, n);
            for (int i = 0; i < n; i++) {
                int at = (int) (order[i] & Integer.MAX_VALUE);
                if (!visitor.visit(slots[at], location(slots, at))) {
                    return false;
                }
            }
            return true;
        }
    }
}
