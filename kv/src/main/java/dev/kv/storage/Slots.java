package dev.kv.storage;

import java.util.Arrays;

/**
 * A small open-addressing table of an {@link Index}. Its slots have three numbers each: the hash and the two halves of a location,
 * of which the first is never 0.
 */
class Slots {
    private static final int WIDTH = 3;
    private static final int ENTRIES_MAX = 4096;
    private static final int DEPTH_MAX = 20;

    /** Up to this size all slots may be taken. */
    private static final int SMALL = 8;

    /** How many of the first bits of the hashes are the same for all entries. */
    final int depth;

    private int[] slots;
    private int count;

    /** Whether {@link #slots} are those of another table, too, so that they have to be copied before they are changed. */
    private boolean isShared;

    Slots(int depth, int capacity) {
        this.depth = depth;
        this.slots = new int[WIDTH * capacity];
    }

    /** A copy that does not change; the slots are shared until they are changed here. */
    final Slots frozenSlots() {
        Slots copy = new Slots(depth, 0);
        shareWith(copy);
        return copy;
    }

    final void shareWith(Slots copy) {
        copy.slots = slots;
        copy.count = count;
        isShared = true;
    }

    private void own() {
        if (isShared) {
            slots = slots.clone();
            isShared = false;
        }
    }

    /** Forgets all. */
    final void clear(int capacity) {
        slots = new int[WIDTH * capacity];
        count = 0;
        isShared = false;
    }

    /** How many bits of a hash are not the same for all entries. */
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
        isShared = false;
        for (int at = 0; at < old.length; at += WIDTH) {
            if (old[at + 1] != 0) {
                insert(old[at], old[at + 1], old[at + 2]);
            }
        }
    }

    /** The entries whose hashes have the bits of {@code half} as {@code first} has them. */
    final Slots half(int first, int half) {
        Slots table = new Slots(depth + 1, count / 2 + count / 4);
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

    final void addIn(int hash, long location) {
        own();
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
        own();
        slots[at + 1] = (int) (by >>> Integer.SIZE);
        slots[at + 2] = (int) by;
        return true;
    }

    /** Closes the gap by moving back what would no longer be found (Knuth, TAOCP 3, 6.4, algorithm R). */
    final void removeIn(int hash, long location) {
        own();
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

    /** Adds all locations. */
    final void addTo(Live live) {
        for (int at = 0; at < slots.length; at += WIDTH) {
            if (slots[at + 1] != 0) {
                live.add(location(slots, at));
            }
        }
    }

    /** Shows the entries from a hash on in order; false if the visitor has seen enough. */
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
