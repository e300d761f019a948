package dev.kv.storage;

import java.util.Arrays;

/**
 * Where the fields of a bucket are: from the 32-bit hash of a key to a location in the log, without an object per entry. Keys
 * themselves stand in the log only, so that whoever looks one up has to tell it from others of the same hash.
 *
 * <p>It is extendible hashing (Fagin, Nievergelt, Pippenger and Strong, "Extendible Hashing", 1979) over small open-addressing
 * tables: the first bits of a hash choose the table, so that no step of growth takes long, and tables as well as the slots
 * within them are in the order of the hashes, so that a position in that order outlives every growth. As long as one table is
 * enough, the index is that table itself.
 *
 * <p>One thread at a time changes it. Who reads meanwhile may get a wrong answer or a {@link RuntimeException}, and must be able
 * to tell (see {@link Buckets}); it always gets one.
 */
final class Index extends Slots {
    /** No location: the log never has one of this value. */
    static final long NONE = 0;

    /** The highest hash. */
    static final long POSITION_MAX = 0xFFFF_FFFFL;

    /** Null as long as this table is the only one. */
    private Slots[] tables;

    private long size;

    /** Sees entries. */
    @FunctionalInterface
    interface Visitor {
        /** Returns whether it wants to see more. */
        boolean visit(int hash, long location);
    }

    Index() {
        super(0, 1);
    }

    private Slots table(int hash) {
        Slots[] all = tables;
        return all == null ? this : all[hash >>> (Integer.numberOfLeadingZeros(all.length) + 1)];
    }

    long size() {
        return size;
    }

    /**
     * A location of a hash.
     *
     * @param after the one that was got before; {@link #NONE} for the first
     * @return {@link #NONE} if there is no other
     */
    long next(int hash, long after) {
        return table(hash).nextIn(hash, after);
    }

    /** Adds a location of a hash; that of an equal key must not be there. */
    void add(int hash, long location) {
        Slots table = table(hash);
        while (table.isFull()) {
            if (table.mayGrow()) {
                table.grow();
            } else {
                split(table, hash);
                table = table(hash);
            }
        }
        table.addIn(hash, location);
        size++;
    }

    /** Puts a location in the place of another one; returns false if that is not there. */
    boolean replace(int hash, long location, long by) {
        return table(hash).replaceIn(hash, location, by);
    }

    /** Removes a location, which is there. */
    void remove(int hash, long location) {
        table(hash).removeIn(hash, location);
        size--;
        if (size == 0) {
            tables = null;
            clear(1);
        }
    }

    /** A copy that does not change any more. What both hold is shared until it is changed here. */
    Index frozen() {
        Index copy = new Index();
        copy.size = size;
        if (tables == null) {
            shareWith(copy);
            return copy;
        }
        copy.tables = new Slots[tables.length];
        int same;
        for (int i = 0; i < tables.length; i += same) {
            same = tables.length >> tables[i].depth;
            Arrays.fill(copy.tables, i, i + same, tables[i].frozenSlots());
        }
        return copy;
    }

    /** Shows all entries from a hash on, as unsigned numbers, in the order of the hashes, until the visitor has seen enough. */
    void forEach(int from, Visitor visitor) {
        long next = Integer.toUnsignedLong(from);
        while (next <= POSITION_MAX) {
            Slots table = table((int) next);
            if (!table.forEachIn((int) next, visitor)) {
                return;
            }
            next = behind(table, next);
        }
    }

    /**
     * Adds the locations of one table.
     *
     * @param position a hash in it, as an unsigned number
     * @return the position that the next table begins at, beyond {@link #POSITION_MAX} after the last
     */
    long addTable(long position, Live live) {
        Slots table = table((int) position);
        table.addTo(live);
        return behind(table, position);
    }

    private static long behind(Slots table, long position) {
        return ((position >>> table.shift()) << table.shift()) + (1L << table.shift());
    }

    private void split(Slots table, int hash) {
        if (tables == null) {
            tables = new Slots[] {this};
        }
        if (1 << table.depth == tables.length) {
            Slots[] twice = new Slots[2 * tables.length];
            for (int i = 0; i < twice.length; i++) {
                twice[i] = tables[i >> 1];
            }
            tables = twice;
        }
        int half = Integer.MIN_VALUE >>> table.depth;
        int first = table.depth == 0 ? 0 : hash & (-1 << (Integer.SIZE - table.depth));
        put(first, table.half(first, half));
        put(first | half, table.half(first | half, half));
        table.clear(0);
    }

    /** Puts the table where all hashes find it that begin like this one, as far as the table tells them apart. */
    private void put(int hash, Slots table) {
        int bits = Integer.numberOfTrailingZeros(tables.length);
        int same = 1 << (bits - table.depth);
        int first = (bits == 0 ? 0 : hash >>> (Integer.SIZE - bits)) & -same;
        Arrays.fill(tables, first, first + same, table);
    }
}
