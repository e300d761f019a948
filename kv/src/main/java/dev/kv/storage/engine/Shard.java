package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.storage.format.Draft;
import dev.kv.storage.index.Probing;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.StampedLock;
import java.util.function.Consumer;

/**
 * The buckets whose names' hashes begin with the same bits, in the order of the hashes, and the lock that guards them: an open-addressing
 * table.
 *
 * <p>A caller holds the lock, or reads optimistically and discards the result if the stamp is not valid.
 */
final class Shard {
    private static final int CAPACITY_MIN = 4;

    final StampedLock lock = new StampedLock();

    /** Reused by the thread that holds the lock for writing, as is {@link #change}. */
    final Draft draft = new Draft();

    final Change change;

    private final int bits;
    private Bucket[] slots = new Bucket[CAPACITY_MIN];

    /** Hashes of the buckets in {@link #slots}: a slot of another bucket is passed without a cache miss. */
    private int[] hashes = new int[CAPACITY_MIN];

    private int count;
    private int filled;
    private long keys;

    /** Lanes by bucket; null if no large change is under way. */
    private Map<Bytes, Lanes.Lane> lanes;

    /**
     * @param bits how many of the first bits of the hashes are the same
     */
    Shard(int bits, Fields fields) {
        this.bits = bits;
        this.change = new Change(fields);
    }

    int count() {
        return count;
    }

    /** Whether a large change of any bucket is under way. */
    boolean hasLanes() {
        return lanes != null;
    }

    /**
     * Lets a command pass if no large change of its bucket is under way, or this thread makes it.
     *
     * @throws Lanes.Busy if it has to wait
     */
    void check(Bytes bucket) {
        Lanes.Lane lane = lanes == null ? null : lanes.get(bucket);
        if (lane != null) {
            lane.check();
        }
    }

    /** The lane of a bucket, if there is one. */
    Optional<Lanes.Lane> openLane(Bytes bucket) {
        return lanes == null ? Optional.empty() : Optional.ofNullable(lanes.get(bucket));
    }

    /** The lane of a bucket, made if there is none. */
    Lanes.Lane lane(Bytes bucket) {
        if (lanes == null) {
            lanes = new HashMap<>();
        }
        return lanes.computeIfAbsent(bucket, Lanes.Lane::new);
    }

    /** Removes a lane that has ended. */
    void remove(Lanes.Lane lane) {
        lanes.remove(lane.bucket());
        if (lanes.isEmpty()) {
            lanes = null;
        }
    }

    /** Number of buckets that have keys. */
    int filled() {
        return filled;
    }

    /** Counts the keys of a bucket of this shard after they have changed. */
    void countKeys(Bucket bucket) {
        countKeys(bucket, bucket.index.size());
    }

    private void countKeys(Bucket bucket, long now) {
        long before = bucket.countedKeys;
        if (now != before) {
            bucket.countedKeys = now;
            keys += now - before;
            filled += Long.signum(now) - Long.signum(before);
        }
    }

    /** The bucket of a name; null if there is none. */
    Bucket find(int hash, byte[] name) {
        Bucket[] now = slots;
        int[] nowHashes = hashes;
        int at = home(hash, now.length);
        for (int n = 0; n < now.length; n++) {
            Bucket bucket = now[at];
            if (bucket == null) {
                return null;
            }
            if (nowHashes[at] == hash && Arrays.equals(bucket.name, name)) {
                return bucket;
            }
            at = at + 1 == now.length ? 0 : at + 1;
        }
        return null;
    }

    /** Adds a bucket whose name is not in the table. */
    void add(Bucket bucket) {
        if (count >= slots.length - slots.length / 4) {
            resize(slots.length + slots.length / 2);
        }
        insert(bucket);
        count++;
    }

    private void resize(int capacity) {
        Bucket[] old = slots;
        slots = new Bucket[capacity];
        hashes = new int[capacity];
        for (Bucket bucket : old) {
            if (bucket != null) {
                insert(bucket);
            }
        }
    }

    private void insert(Bucket bucket) {
        int at = home(bucket.hash, slots.length);
        while (slots[at] != null) {
            at = at + 1 == slots.length ? 0 : at + 1;
        }
        slots[at] = bucket;
        hashes[at] = bucket.hash;
    }

    /** Removes a bucket of this shard that is dropped. */
    void remove(Bucket bucket) {
        bucket.goes();
        take(bucket);
    }

    /** Removes a bucket of this shard, and closes the gap in the table. */
    void take(Bucket bucket) {
        int gap = home(bucket.hash, slots.length);
        while (slots[gap] != bucket) {
            gap = gap + 1 == slots.length ? 0 : gap + 1;
        }
        int next = gap;
        for (int n = 1; n < slots.length; n++) {
            next = next + 1 == slots.length ? 0 : next + 1;
            if (slots[next] == null) {
                break;
            }
            int home = home(hashes[next], slots.length);
            if (!Probing.isFoundBehind(gap, next, home)) {
                slots[gap] = slots[next];
                hashes[gap] = hashes[next];
                gap = next;
            }
        }
        slots[gap] = null;
        count--;
        countKeys(bucket, 0);
        if (slots.length > CAPACITY_MIN && count < slots.length / 4) {
            resize(Math.max(CAPACITY_MIN, slots.length / 2));
        }
    }

    /** Shows all buckets. */
    void forEach(Consumer<Bucket> visitor) {
        for (Bucket bucket : slots) {
            if (bucket != null) {
                visitor.accept(bucket);
            }
        }
    }

    /** The number of keys in all buckets. */
    long keys() {
        return keys;
    }

    private int home(int hash, int capacity) {
        return Probing.home(hash, bits, capacity);
    }
}
