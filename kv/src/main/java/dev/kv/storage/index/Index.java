package dev.kv.storage.index;

import java.util.Arrays;
import java.util.function.LongConsumer;
import java.util.random.RandomGenerator;

/**
 * Maps the 32-bit hash of a key to a location in the log, without an object per entry. Keys are in the log only: a caller compares the key
 * there, since several keys may have the same hash.
 *
 * <p>It is extendible hashing (Fagin, Nievergelt, Pippenger and Strong, "Extendible Hashing", 1979) over small open-addressing
 * tables. The first bits of a hash choose the table: growth splits one table at a time. Tables, and the slots in them, are in the order of
 * the hashes: a position in that order stays valid when the index grows. A small index is one table.
 *
 * <p>One thread at a time changes it. A read during a change ends, with a wrong answer or a {@link RuntimeException}; the reader has to
 * notice (see {@code Buckets.get}).
 */
public final class Index extends Slots {
    /** No location: the log never has one of this value. */
    public static final long NONE = 0;

    /** The highest hash. */
    public static final long POSITION_MAX = 0xFFFF_FFFFL;

    /** Null while there is only one table. */
    private Slots[] tables;

    private long size;

    /** Is shown entries. */
    @FunctionalInterface
    public interface Visitor {
        /** Returns whether it wants to see more. */
        boolean visit(int hash, long location);
    }

    public Index() {
        super(0, 1, 0);
    }

    private Slots table(int hash) {
        Slots[] all = tables;
        return all == null ? this : all[hash >>> (Integer.numberOfLeadingZeros(all.length) + 1)];
    }

    public long size() {
        return size;
    }

    /**
     * A location of a hash.
     *
     * @param after the result of the call before; {@link #NONE} for the first
     * @return {@link #NONE} if there is no further one
     */
    public long next(int hash, long after) {
        return table(hash).nextIn(hash, after);
    }

    /**
     * Reads a slot at which the search for a hash begins. Calls for several hashes, one after the other, wait for the memory at the same time; each
     * search by itself would wait for its own.
     *
     * @return a number without a meaning: whoever uses it keeps the read from being left out
     */
    public int touch(int hash) {
        return table(hash).touchIn(hash);
    }

    public boolean contains(int hash, long location) {
        return table(hash).slot(hash, location) >= 0;
    }

    /** The table of a hash, to be changed. A frozen one is replaced by a copy. */
    private Slots own(int hash) {
        Slots table = table(hash);
        if (table.epoch == epoch) {
            return table;
        }
        Slots copy = table.copy(epoch);
        put(hash, copy);
        return copy;
    }

    /** Adds a location of a hash. There must be none of the same key. */
    public void add(int hash, long location) {
        for (Slots table = table(hash); table.isFull() && !table.mayGrow(); table = table(hash)) {
            split(table, hash);
        }
        Slots table = own(hash);
        while (table.isFull()) {
            table.grow();
        }
        table.addIn(hash, location);
        size++;
    }

    /** Replaces a location; returns false if the index does not contain it. */
    public boolean replace(int hash, long location, long by) {
        return own(hash).replaceIn(hash, location, by);
    }

    /**
     * Replaces a location but for some of its bits, which stay as they are.
     *
     * @param flags the bits that are neither compared nor replaced, 0 in both locations
     * @return false if the index does not contain it
     */
    public boolean move(int hash, long location, long by, long flags) {
        return own(hash).moveIn(hash, location, by, flags);
    }

    /** Removes a location that the index contains. */
    public void remove(int hash, long location) {
        own(hash).removeIn(hash, location);
        size--;
        if (size == 0) {
            tables = null;
            clear(1);
        } else if (tables != null) {
            merge(hash);
        }
    }

    /**
     * An immutable copy. It shares the tables; each table is copied when it is changed here for the first time. The call copies one
     * reference for some thousand entries.
     */
    public Index frozen() {
        Index copy = new Index();
        copy.size = size;
        if (tables == null) {
            copy.copyFrom(this);
        } else {
            copy.tables = tables.clone();
            epoch++;
        }
        return copy;
    }

    /**
     * The location of a random entry; each has the same probability. The index must not be empty. It draws a table by its share of the
     * hashes, and accepts it by its share of entries: some tries, for any number of entries.
     */
    public long draw(RandomGenerator random) {
        Slots[] all = tables;
        if (all == null) {
            return drawIn(random);
        }
        while (true) {
            Slots table = all[random.nextInt(all.length)];
            // Beyond 2^32 entries tables have more than this, and their entries are drawn too seldom.
            long places = (long) ENTRIES_MAX * (all.length >> table.depth);
            if (random.nextLong(places) < table.count()) {
                return table.drawIn(random);
            }
        }
    }

    /** The location of the only entry, of an index of size 1. */
    public long only() {
        Slots[] all = tables;
        if (all == null) {
            return any();
        }
        int at = 0;
        while (all[at].count() == 0) {
            at++;
        }
        return all[at].any();
    }

    /** Shows all entries from a hash on, as unsigned numbers, in the order of the hashes, until the visitor has seen enough. */
    public void forEach(int from, Visitor visitor) {
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
     * Shows the locations of one table.
     *
     * @param position a hash in it, as an unsigned number
     * @return the position that the next table begins at, beyond {@link #POSITION_MAX} after the last
     */
    public long forEachLocation(long position, LongConsumer visitor) {
        Slots table = table((int) position);
        table.forEachLocation(visitor);
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
        put(first, table.half(first, half, epoch));
        put(first | half, table.half(first | half, half, epoch));
        if (table == this) {
            clear(0);
        }
    }

    /** Merges the table of a hash with its sibling when the two have few entries. */
    private void merge(int hash) {
        Slots table = table(hash);
        if (table.depth == 0) {
            return;
        }
        Slots other = table(hash ^ (1 << table.shift()));
        if (!table.mayMergeWith(other)) {
            return;
        }
        Slots merged = table.mergedWith(other, epoch);
        if (merged.depth == 0) {
            tables = null;
            copyFrom(merged);
            return;
        }
        put(hash, merged);
        while (!hasDeepest(hash)) {
            Slots[] half = new Slots[tables.length / 2];
            for (int i = 0; i < half.length; i++) {
                half[i] = tables[2 * i];
            }
            tables = half;
        }
    }

    /** Whether a table depends on all bits of a hash by which tables are chosen; the search begins at a hash. */
    private boolean hasDeepest(int hash) {
        int deepest = Integer.numberOfTrailingZeros(tables.length);
        int pairs = tables.length / 2;
        int from = pairs == 1 ? 0 : hash >>> (Integer.SIZE - Integer.numberOfTrailingZeros(pairs));
        for (int n = 0; n < pairs; n++) {
            int at = 2 * ((from + n) & (pairs - 1));
            if (tables[at].depth == deepest) {
                return true;
            }
        }
        return false;
    }

    /** Enters a table for all hashes that begin with the bits of the table. */
    private void put(int hash, Slots table) {
        int bits = Integer.numberOfTrailingZeros(tables.length);
        int same = 1 << (bits - table.depth);
        int first = (bits == 0 ? 0 : hash >>> (Integer.SIZE - bits)) & -same;
        Arrays.fill(tables, first, first + same, table);
    }
}
