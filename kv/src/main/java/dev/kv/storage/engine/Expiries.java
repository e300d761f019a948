package dev.kv.storage.engine;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * A queue of hashes by the time at which what they stand for may expire: a binary heap without an object per entry. An entry stays when its
 * thing goes or expires later; whoever takes it looks the thing up. One thread at a time.
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

    private static final long[] NO_TIMES = {};
    private static final int[] NO_HASHES = {};

    /** By which bit of the hashes its halves differ. */
    private final int bit;

    private long[] times = NO_TIMES;
    private int[] hashes = NO_HASHES;
    private int count;

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

    /** Reads what the next {@link #add} of a late time reads: see {@link dev.kv.storage.index.Index#touch}. */
    int touch() {
        int last = count - 1;
        return halves != null || count == 0 ? 0 : hashes[last] + (int) times[last] + (int) times[last / 2];
    }

    void add(long time, int hash) {
        if (halves == null && count == HEAP_MAX) {
            split();
        }
        addedMin -= addedMin > 0 ? 1 : 0;
        if (halves == null) {
            push(time, hash);
            next = times[0];
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
            half(hashes[i]).add(times[i], hashes[i]);
        }
        times = NO_TIMES;
        hashes = NO_HASHES;
    }

    private void push(long time, int hash) {
        if (count == times.length) {
            int size = count + count / 2 + 1;
            times = Arrays.copyOf(times, size);
            hashes = Arrays.copyOf(hashes, size);
        }
        int at = count++;
        while (at > 0 && times[(at - 1) / 2] > time) {
            put(at, times[(at - 1) / 2], hashes[(at - 1) / 2]);
            at = (at - 1) / 2;
        }
        put(at, time, hash);
    }

    /** Takes the first entry, of a queue that has one; returns its hash. */
    int poll() {
        int hash;
        if (halves == null) {
            hash = pop();
            next = count == 0 ? NEVER : times[0];
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
        int hash = hashes[0];
        count--;
        if (count > 0) {
            sink(0, times[count], hashes[count]);
        }
        if (times.length > CROWDED_MIN && count < times.length / 4) {
            times = Arrays.copyOf(times, times.length / 2);
            hashes = Arrays.copyOf(hashes, hashes.length / 2);
        }
        return hash;
    }

    private void put(int at, long time, int hash) {
        times[at] = time;
        hashes[at] = hash;
    }

    private void sink(int from, long time, int hash) {
        int at = from;
        int child = 2 * at + 1;
        while (child < count) {
            if (child + 1 < count && times[child + 1] < times[child]) {
                child++;
            }
            if (times[child] >= time) {
                break;
            }
            put(at, times[child], hashes[child]);
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
            byHash[i] = (long) hashes[i] << Integer.SIZE | i;
        }
        Arrays.sort(byHash);
        long[] keptTimes = new long[count];
        int[] keptHashes = new int[count];
        int kept = 0;
        for (int i = 0; i < byHash.length; ) {
            int hash = (int) (byHash[i] >> Integer.SIZE);
            long first = NEVER;
            for (; i < byHash.length && (int) (byHash[i] >> Integer.SIZE) == hash; i++) {
                first = Math.min(first, times[(int) byHash[i]]);
            }
            if (isLive.test(hash)) {
                keptTimes[kept] = first;
                keptHashes[kept] = hash;
                kept++;
            }
        }
        times = Arrays.copyOf(keptTimes, kept);
        hashes = Arrays.copyOf(keptHashes, kept);
        count = kept;
        for (int at = count / 2 - 1; at >= 0; at--) {
            sink(at, times[at], hashes[at]);
        }
        next = count == 0 ? NEVER : times[0];
        return lookedAt;
    }
}
