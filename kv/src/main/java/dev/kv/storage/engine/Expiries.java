package dev.kv.storage.engine;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * A queue of hashes by the time at which what they stand for may expire: a binary heap without an object per entry. An entry stays when its
 * thing goes or expires later; whoever takes it looks the thing up. One thread at a time.
 *
 * <p>What is added stands behind the heap until the next entry is taken: an addition writes to one place in memory, and what is replaced
 * before it expires is not sorted in.
 *
 * <p>A heap that is full becomes two, by the next bit of the hashes: so that no call copies or sorts more than one of them.
 */
final class Expiries {
    /** The time when the queue is empty. */
    static final long NEVER = Long.MAX_VALUE;

    /** A queue of fewer entries is not cleared of those of things that are gone. */
    private static final int CROWDED_MIN = 64;

    /** Entries of one heap: to sort them takes some 2 ms. */
    private static final int HEAP_MAX = 1 << 15;

    /** After a call of {@link #prune} this part of what it has looked at is added before the next. */
    private static final int PRUNED_TO_ADDED = 16;

    /** An entry is three numbers: the two halves of the time, and the hash. */
    private static final int WIDTH = 3;

    private static final int[] NONE = {};

    /** By which bit of the hashes its halves differ. */
    private final int bit;

    private int[] entries = NONE;
    private int count;

    /** How many of the entries, from the first on, are a heap. */
    private int heaped;

    /** The queues of the hashes in which the bit is 0, and 1; null while this is one heap. */
    private Expiries[] halves;

    /** The time of the first entry of both. */
    private long next = NEVER;

    /** Which of them {@link #prune} has looked at last. */
    private int pruned;

    /** How many entries are to be added before it looks at the other one. */
    private int addedMin;

    Expiries() {
        this(0);
    }

    private Expiries(int bit) {
        this.bit = bit;
    }

    /** The time of the first entry, or {@link #NEVER}. */
    long next() {
        return next;
    }

    int count() {
        return count;
    }

    /** Whether so many entries of so many things are more than are needed. */
    boolean isCrowded(long things) {
        return count > CROWDED_MIN && count > 2 * things && addedMin == 0;
    }

    /** Reads what the next {@link #add} writes to: see {@link dev.kv.storage.index.Index#touch}. */
    int touch() {
        int at = WIDTH * count;
        return at < entries.length ? entries[at] : 0;
    }

    void add(long time, int hash) {
        if (halves == null && count == HEAP_MAX) {
            split();
        }
        addedMin -= addedMin > 0 ? 1 : 0;
        if (halves == null) {
            append(time, hash);
        } else {
            half(hash).add(time, hash);
            join();
        }
    }

    private Expiries half(int hash) {
        return halves[hash >>> bit & 1];
    }

    private void split() {
        // Entries of few hashes would all come to one half.
        pruneHeap(_ -> true);
        if (count <= HEAP_MAX / 2) {
            return;
        }
        halves = new Expiries[] {new Expiries(bit + 1), new Expiries(bit + 1)};
        for (int i = 0; i < count; i++) {
            half(hash(i)).add(time(i), hash(i));
        }
        entries = NONE;
        heaped = 0;
    }

    private long time(int at) {
        return (long) entries[WIDTH * at] << Integer.SIZE | Integer.toUnsignedLong(entries[WIDTH * at + 1]);
    }

    private int hash(int at) {
        return entries[WIDTH * at + 2];
    }

    private void put(int at, long time, int hash) {
        entries[WIDTH * at] = (int) (time >> Integer.SIZE);
        entries[WIDTH * at + 1] = (int) time;
        entries[WIDTH * at + 2] = hash;
    }

    private void append(long time, int hash) {
        if (WIDTH * count == entries.length) {
            entries = Arrays.copyOf(entries, WIDTH * (count + count / 2 + 1));
        }
        put(count, time, hash);
        count++;
        next = Math.min(next, time);
    }

    /** Makes all entries a heap. */
    private void heap() {
        if (heaped < count / 2) {
            heapAll();
        }
        while (heaped < count) {
            rise(heaped++);
        }
    }

    private void heapAll() {
        for (int at = count / 2 - 1; at >= 0; at--) {
            sink(at, time(at), hash(at));
        }
        heaped = count;
    }

    private void rise(int from) {
        long time = time(from);
        int hash = hash(from);
        int at = from;
        while (at > 0 && time((at - 1) / 2) > time) {
            put(at, time((at - 1) / 2), hash((at - 1) / 2));
            at = (at - 1) / 2;
        }
        put(at, time, hash);
    }

    /** Takes the first entry, of a queue that has one; returns its hash. */
    int poll() {
        int hash;
        if (halves == null) {
            hash = pop();
            next = count == 0 ? NEVER : time(0);
        } else {
            hash = halves[halves[0].next <= halves[1].next ? 0 : 1].poll();
            join();
        }
        return hash;
    }

    /** Notes what the halves hold now. */
    private void join() {
        count = halves[0].count + halves[1].count;
        next = Math.min(halves[0].next, halves[1].next);
        if (count == 0) {
            halves = null;
        }
    }

    private int pop() {
        heap();
        int hash = hash(0);
        count--;
        heaped = count;
        if (count > 0) {
            sink(0, time(count), hash(count));
        }
        if (entries.length > WIDTH * CROWDED_MIN && WIDTH * count < entries.length / 4) {
            entries = Arrays.copyOf(entries, entries.length / 2 / WIDTH * WIDTH);
        }
        return hash;
    }

    private void sink(int from, long time, int hash) {
        int at = from;
        int child = 2 * at + 1;
        while (child < count) {
            if (child + 1 < count && time(child + 1) < time(child)) {
                child++;
            }
            if (time(child) >= time) {
                break;
            }
            put(at, time(child), hash(child));
            at = child;
            child = 2 * at + 1;
        }
        put(at, time, hash);
    }

    /**
     * Keeps the first entry of each hash that still stands for something: of one heap, by turns. Calls by {@link #isCrowded} come to all of
     * them while entries are added.
     */
    void prune(IntPredicate isLive) {
        addedMin = pruneNext(isLive) / PRUNED_TO_ADDED;
    }

    /** Returns how many entries it has looked at. */
    private int pruneNext(IntPredicate isLive) {
        if (halves == null) {
            return pruneHeap(isLive);
        }
        pruned = 1 - pruned;
        int lookedAt = halves[pruned].pruneNext(isLive);
        join();
        return lookedAt;
    }

    private int pruneHeap(IntPredicate isLive) {
        int lookedAt = count;
        long[] byHash = new long[count];
        for (int i = 0; i < count; i++) {
            byHash[i] = (long) hash(i) << Integer.SIZE | i;
        }
        Arrays.sort(byHash);
        Expiries kept = new Expiries();
        for (int i = 0; i < byHash.length; ) {
            int hash = (int) (byHash[i] >> Integer.SIZE);
            long first = NEVER;
            for (; i < byHash.length && (int) (byHash[i] >> Integer.SIZE) == hash; i++) {
                first = Math.min(first, time((int) byHash[i]));
            }
            if (isLive.test(hash)) {
                kept.append(first, hash);
            }
        }
        entries = Arrays.copyOf(kept.entries, WIDTH * kept.count);
        count = kept.count;
        heaped = 0;
        next = kept.next;
        return lookedAt;
    }
}
