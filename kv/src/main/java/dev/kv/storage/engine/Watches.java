package dev.kv.storage.engine;

import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The names of a shard that clients watch, each by two hashes of it, so that it takes the same memory for any name. Each has a number until
 * it changes. A client that has the number needs no connection to the node, and nothing is kept for the client. Guarded by the lock of the
 * shard.
 */
final class Watches {
    /**
     * When there are more, the one that was watched first counts as changed: a client repeats its transaction then. No key: those of all
     * shards are 65 536, and take some 8 MiB.
     */
    private static final int NAMES_MAX = 64;

    /** Begins at random: the numbers of an earlier process are those of no name. */
    private static final AtomicLong NUMBERS = new AtomicLong(new SecureRandom().nextLong());

    private final Map<Long, Watched> byHashes = new LinkedHashMap<>();

    /**
     * @param isThere whether the name had keys or a value: if that has expired, it has changed
     */
    private record Watched(long number, boolean isThere) {}

    /**
     * The number of a name as it is now.
     *
     * @param hash that of the name
     */
    long watch(int hash, byte[] name, boolean isThere) {
        Watched watched = byHashes.get(hashes(hash, name));
        if (watched == null || watched.isThere != isThere) {
            watched = new Watched(NUMBERS.incrementAndGet(), isThere);
            byHashes.put(hashes(hash, name), watched);
            if (byHashes.size() > NAMES_MAX) {
                Iterator<Long> first = byHashes.keySet().iterator();
                first.next();
                first.remove();
            }
        }
        return watched.number;
    }

    /** Whether a name is as it was when it got the number. */
    boolean isSame(int hash, byte[] name, long number, boolean isThere) {
        Watched watched = byHashes.get(hashes(hash, name));
        return watched != null && watched.number == number && watched.isThere == isThere;
    }

    void changed(int hash, byte[] name) {
        byHashes.remove(hashes(hash, name));
    }

    private static long hashes(int hash, byte[] name) {
        return (long) hash << Integer.SIZE | Integer.toUnsignedLong(Arrays.hashCode(name));
    }
}
