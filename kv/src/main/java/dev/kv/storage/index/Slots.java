package dev.kv.storage.index;

import java.util.Arrays;
import java.util.function.LongConsumer;
import java.util.random.RandomGenerator;

/**
 * A small open-addressing table of an {@link Index}. A slot is three numbers: the hash, and the two halves of a location. The first half is
 * never 0 in a slot that is taken.
 */
class Slots {
    private static final int WIDTH = 3;

    /** A table of this many entries is split; two siblings with a quarter of that together are merged. */
    static final int ENTRIES_MAX = 4096;

    private static final int MERGED_MAX = ENTRIES_MAX / 4;
    private static final int DEPTH_MAX = 20;

    /** A table of at most this size may be full. */
    private static final int SMALL = 8;

    /** How many of the first bits are the same in all hashes of the table. */
    final int depth;

    private int[] slots;
    private int count;

    /** The epoch of its {@link Index} in which this table was made. A table of an earlier epoch is frozen. */
    int epoch;

    Slots(int depth, int capacity, int epoch) {
        this.depth = depth;
        this.slots = new int[WIDTH * capacity];
        this.epoch = epoch;
    }

    /** A copy that may be changed. */
    final Slots copy(int inEpoch) {
        Slots copy = new Slots(depth, 0, inEpoch);
        copy.copyFrom(this);
        return copy;
    }

    final void copyFrom(Slots other) {
        slots = other.slots.clone();
        count = other.count;
    }

    /** Removes all entries. */
    final void clear(int capacity) {
        slots = new int[WIDTH * capacity];
        count = 0;
    }

    /** How many bits of a hash differ between entries. */
    final int shift() {
        return Integer.SIZE - depth;
    }

    private static int entriesMax(int capacity) {
        return capacity <= SMALL ? capacity : capacity - capacity / 5;
    }

    final boolean isFull() {
        return count >= entriesMax(slots.length / WIDTH);
    }

    final boolean mayGrow() {
        return count < ENTRIES_MAX || depth == DEPTH_MAX;
    }

    final void grow() {
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

    /** A table of the entries whose hashes have the bits of {@code half} as {@code first} has them. */
    final Slots half(int first, int half, int inEpoch) {
        Slots table = new Slots(depth + 1, count / 2 + count / 4, inEpoch);
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

    /** Whether this table and its sibling have so few entries that they are merged. */
    final boolean mayMergeWith(Slots other) {
        return other.depth == depth && count + other.count <= MERGED_MAX;
    }

    /** This table and its sibling, merged. */
    final Slots mergedWith(Slots other, int inEpoch) {
        Slots table = new Slots(depth - 1, 2 * (count + other.count) + 1, inEpoch);
        table.insertAll(this);
        table.insertAll(other);
        return table;
    }

    private void insertAll(Slots other) {
        for (int at = 0; at < other.slots.length; at += WIDTH) {
            if (other.slots[at + 1] != 0) {
                insert(other.slots[at], other.slots[at + 1], other.slots[at + 2]);
                count++;
            }
        }
    }

    /** Number of entries. */
    final int count() {
        return count;
    }

    /** The location of a random entry; each has the same probability. The table must not be empty. */
    final long drawIn(RandomGenerator random) {
        int[] now = slots;
        int at;
        do {
            at = WIDTH * random.nextInt(now.length / WIDTH);
        } while (now[at + 1] == 0);
        return location(now, at);
    }

    private int home(int hash, int capacity) {
        return Probing.home(hash, depth, capacity);
    }

    private static long location(int[] slots, int at) {
        return (long) slots[at + 1] << Integer.SIZE | Integer.toUnsignedLong(slots[at + 2]);
    }

    /** See {@link Index#touch}. */
    final int touchIn(int hash) {
        int[] now = slots;
        return now[WIDTH * home(hash, now.length / WIDTH)];
    }

    /** See {@link Index#next}. */
    final long nextIn(int hash, long after) {
        int[] now = slots;
        int capacity = now.length / WIDTH;
        boolean isBehind = after == Index.NONE;
        int at = WIDTH * home(hash, capacity);
        for (int n = 0; n < capacity && now[at + 1] != 0; n++) {
            if (now[at] == hash) {
                long location = location(now, at);
                if (isBehind) {
                    return location;
                }
                isBehind = location == after;
            }
            at += WIDTH;
            if (at == now.length) {
                at = 0;
            }
        }
        return Index.NONE;
    }

    /** The slot of a location; -1 if the table does not contain it. */
    final int slot(int hash, long location) {
        return slot(hash, location, -1L);
    }

    /** The slot of a location, compared by some of its bits; -1 if the table does not contain it. */
    private int slot(int hash, long location, long mask) {
        int[] now = slots;
        int capacity = now.length / WIDTH;
        int at = WIDTH * home(hash, capacity);
        for (int n = 0; n < capacity && now[at + 1] != 0; n++) {
            if (now[at] == hash && (location(now, at) & mask) == location) {
                return at;
            }
            at += WIDTH;
            if (at == now.length) {
                at = 0;
            }
        }
        return -1;
    }

    final void addIn(int hash, long location) {
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

    final boolean replaceIn(int hash, long location, long by) {
        int at = slot(hash, location);
        if (at < 0) {
            return false;
        }
        slots[at + 1] = (int) (by >>> Integer.SIZE);
        slots[at + 2] = (int) by;
        return true;
    }

    /** See {@link Index#move}. */
    final boolean moveIn(int hash, long location, long by, long flags) {
        int at = slot(hash, location, ~flags);
        if (at < 0) {
            return false;
        }
        slots[at + 1] = (slots[at + 1] & (int) (flags >>> Integer.SIZE)) | (int) (by >>> Integer.SIZE);
        slots[at + 2] = (slots[at + 2] & (int) flags) | (int) by;
        return true;
    }

    /** Closes a gap by moving entries back that would not be found any more. */
    final void removeIn(int hash, long location) {
        int capacity = slots.length / WIDTH;
        int slot = slot(hash, location);
        if (slot < 0) {
            throw new IllegalStateException("the index does not contain the location");
        }
        int gap = slot / WIDTH;
        int next = gap;
        for (int n = 1; n < capacity; n++) {
            next = next + 1 == capacity ? 0 : next + 1;
            if (slots[WIDTH * next + 1] == 0) {
                break;
            }
            int home = home(slots[WIDTH * next], capacity);
            if (!Probing.isFoundBehind(gap, next, home)) {
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

    /** The location of some entry. The table must not be empty. */
    final long any() {
        int at = 0;
        while (slots[at + 1] == 0) {
            at += WIDTH;
        }
        return location(slots, at);
    }

    /** Shows all locations. */
    final void forEachLocation(LongConsumer visitor) {
        for (int at = 0; at < slots.length; at += WIDTH) {
            if (slots[at + 1] != 0) {
                visitor.accept(location(slots, at));
            }
        }
    }

    /** Shows the entries from a hash on, in order; returns false if the visitor has seen enough. */
    final boolean forEachIn(int from, Index.Visitor visitor) {
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
