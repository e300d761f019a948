package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.storage.format.Draft;
import dev.kv.storage.index.Index;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.StampedLock;

/**
 * The buckets whose names' hashes begin with the same bits, and the lock that guards them.
 *
 * <p>A caller holds the lock, or reads optimistically and discards the result if the stamp is not valid.
 */
final class Shard {
    final StampedLock lock = new StampedLock();

    /** Reused by the thread that holds the lock for writing, as is {@link #change}. */
    final Draft draft = new Draft();

    final Change change;

    /** The table of names. */
    final Names names;

    /** Null until a client watches a name. */
    private Watches watches;

    /** Names of which something may expire, by their hashes: for each, an entry of the time of the next, or of one before it. */
    final Expiries expiries = new Expiries();

    /** The time of the first of them, or an earlier one: read without the lock. */
    private volatile long nextExpiry = Expiries.NEVER;

    private int filled;
    private long keys;
    private int expiring;

    /** Lanes by bucket; null if no large change is under way. */
    private Map<Bytes, Lanes.Lane> lanes;

    /**
     * @param bits how many of the first bits of the hashes are the same
     */
    Shard(int bits, Fields fields) {
        this.names = new Names(bits, fields);
        this.change = new Change(fields);
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

    /** The watched names, under the lock for writing. */
    Watches watches() {
        if (watches == null) {
            watches = new Watches();
        }
        return watches;
    }

    /** What a name has is another now, or will be before the lock is given back. */
    void changed(Bucket named) {
        if (watches != null && !named.hasExpired) {
            watches.changed(named.hash, named.name);
        }
    }

    /** Sees to it that a bucket of the table is looked at when the next of what it holds expires. */
    void expect(Bucket bucket) {
        if (bucket.lifetime == null || bucket.lifetime.next() >= bucket.lifetime.lookAt) {
            return;
        }
        bucket.lifetime.lookAt = bucket.lifetime.next();
        expect(bucket.lifetime.lookAt, bucket.hash);
    }

    /** Has the names of a hash looked at. */
    void expect(long time, int hash) {
        expiries.add(time, hash);
        if (expiries.isCrowded(names.count())) {
            expiries.prune(names::mayExpire);
        }
        setNextExpiry();
    }

    /** Notes what {@link #nextExpiry} is. */
    void setNextExpiry() {
        if (nextExpiry != expiries.next()) {
            nextExpiry = expiries.next();
        }
    }

    /** The time before which nothing expires. Without the lock. */
    long nextExpiry() {
        return nextExpiry;
    }

    /** Number of names that have keys or a value. */
    int filled() {
        return filled;
    }

    /** The number of keys in all buckets. */
    long keys() {
        return keys;
    }

    /** Number of names that expire as a whole. */
    int expiring() {
        return expiring;
    }

    /** Counts a bucket of this shard after it has changed: its keys, and whether it expires. */
    void count(Bucket bucket) {
        count(bucket, bucket.index.size(), bucket.until() != 0);
    }

    private void count(Bucket bucket, long now, boolean expires) {
        if (expires != bucket.isCountedAsExpiring) {
            bucket.isCountedAsExpiring = expires;
            expiring += expires ? 1 : -1;
        }
        long before = bucket.countedKeys;
        if (now != before) {
            bucket.countedKeys = now;
            keys += bucket.isValue ? 0 : now - before;
            filled += Long.signum(now) - Long.signum(before);
        }
    }

    /** Reads what the next command on a name of this hash reads: see {@link dev.kv.storage.index.Index#touch}. */
    int touch(int hash, boolean expires) {
        return names.touch(hash) + (expires ? expiries.touch() : 0);
    }

    /**
     * Adds a name that this shard does not have, with a value.
     *
     * @param record the location of the record of the value
     * @param until when the value expires; 0 if it does not
     */
    void addValue(int hash, long record, long until) {
        names.addValue(hash, record, until != 0);
        filled++;
        if (until != 0) {
            expiring++;
            expect(until, hash);
        }
    }

    /** Removes a bucket of this shard that is dropped. */
    void remove(Bucket bucket) {
        bucket.goes();
        if (bucket.place != Index.NONE) {
            take(bucket);
        }
    }

    /** Removes a bucket from the table of names. */
    void take(Bucket bucket) {
        changed(bucket);
        names.remove(bucket);
        count(bucket, 0, false);
    }
}
