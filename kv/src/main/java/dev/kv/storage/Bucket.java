package dev.kv.storage;

import dev.kv.router.Bytes;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** Values by key. Any thread; writers of one bucket take turns, readers never wait. */
final class Bucket {
    /** What a pair takes beside its bytes: an entry of the map, and the objects around the key and the value. */
    static final int OVERHEAD_BYTES = 128;

    private final ConcurrentHashMap<Bytes, Bytes> values = new ConcurrentHashMap<>(1);
    private final Room room;
    private long bytes;

    Bucket(Room room) {
        this.room = room;
    }

    /** Sets the key, or changes nothing and answers false if there is no room. */
    synchronized boolean put(Bytes key, Bytes value) {
        Bytes old = values.get(key);
        long growth = old == null ? cost(key, value) : value.size() - old.size();
        if (growth > 0 && !room.take(growth)) {
            return false;
        }
        values.put(key, value);
        bytes += growth;
        if (growth < 0) {
            room.giveBack(-growth);
        }
        return true;
    }

    Optional<Bytes> get(Bytes key) {
        return Optional.ofNullable(values.get(key));
    }

    synchronized void delete(Bytes key) {
        Bytes old = values.remove(key);
        if (old != null) {
            long cost = cost(key, old);
            bytes -= cost;
            room.giveBack(cost);
        }
    }

    /** The number of keys. */
    long size() {
        return values.mappingCount();
    }

    /** What its pairs take, as {@link Room} counts. */
    synchronized long bytes() {
        return bytes;
    }

    private static long cost(Bytes key, Bytes value) {
        return (long) OVERHEAD_BYTES + key.size() + value.size();
    }
}
