package dev.kv.storage.engine;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * A queue of hashes by the time at which what they stand for may expire: a binary heap without an object per entry. An entry stays when its
 * thing goes or expires later; whoever takes it looks the thing up. One thread at a time.
 */
final class Expiries {
    /** The time when the queue is empty. */
    static final long NEVER = Long.MAX_VALUE;

    /** A queue of fewer entries is not cleared of those of things that are gone. */
    private static final int CROWDED_MIN = 64;

    private long[] times = new long[1];
    private int[] hashes = new int[1];
    private int count;

    /** The time of the first entry, or {@link #NEVER}. */
    long next() {
        return count == 0 ? NEVER : times[0];
    }

    int count() {
        return count;
    }

    /** Whether so many entries of so many things are more than are needed. */
    boolean isCrowded(long things) {
        return count > CROWDED_MIN && count > 2 * things;
    }

    void add(long time, int hash) {
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

    /** Keeps the first entry of each hash that still stands for something. */
    void prune(IntPredicate isLive) {
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
        times = Arrays.copyOf(keptTimes, Math.max(1, kept));
        hashes = Arrays.copyOf(keptHashes, Math.max(1, kept));
        count = kept;
        for (int at = count / 2 - 1; at >= 0; at--) {
            sink(at, times[at], hashes[at]);
        }
    }
}
