package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.spi.Engine.BucketVisitor;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Hash;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Pin;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.StampedLock;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All buckets of the node: by name in {@link Shard}s, each with its lock, and by generation where the name in the records is not
 * the name of the bucket. Any thread.
 */
public final class BucketTable {
    private static final Logger LOG = LoggerFactory.getLogger(BucketTable.class);

    /** 1024 shards: two threads seldom meet in one, and a walk over all of them is short. */
    private static final int SHARD_BITS = 10;

    private static final int SHARD_SHIFT = Integer.SIZE - SHARD_BITS;

    private final Log log;
    private final Fields fields;
    private final Shard[] shards = new Shard[1 << SHARD_BITS];

    /** Buckets that are, or once were, hidden or renamed. */
    private final Map<Long, Bucket> byGeneration = new ConcurrentHashMap<>();

    private final GoneBuckets gone;

    BucketTable(Log log, Hash hash) {
        this.log = log;
        this.fields = new Fields(log, hash);
        this.gone = new GoneBuckets(log, bucket -> byGeneration.remove(bucket.generation));
        for (int i = 0; i < shards.length; i++) {
            shards[i] = new Shard(SHARD_BITS, fields);
        }
    }

    Log log() {
        return log;
    }

    Fields fields() {
        return fields;
    }

    /** The hash of a bucket's name, by which its shard is found. */
    int hash(byte[] name) {
        return fields.hash().of(name);
    }

    int hash(Bytes name) {
        return hash(name.array());
    }

    /** The shard of names that have this hash. */
    Shard shard(int hash) {
        return shards[hash >>> SHARD_SHIFT];
    }

    Shard[] shards() {
        return shards;
    }

    /** The buckets that have a {@link Publication}, until all that the log holds of them is counted as dead. */
    Map<Long, Bucket> byGeneration() {
        return byGeneration;
    }

    /** The locks of the shards of several names, held for writing. */
    static final class Locks {
        private final StampedLock[] locks;
        private final long[] stamps;

        private Locks(StampedLock[] locks) {
            this.locks = locks;
            this.stamps = new long[locks.length];
            for (int i = 0; i < locks.length; i++) {
                stamps[i] = locks[i].writeLock();
            }
        }

        void unlock() {
            for (int i = locks.length - 1; i >= 0; i--) {
                locks[i].unlockWrite(stamps[i]);
            }
        }
    }

    /** Locks the shards of the names of these hashes for writing, in an order that is the same for all threads. */
    Locks lock(int... hashes) {
        return new Locks(Arrays.stream(hashes)
                .map(hash -> hash >>> SHARD_SHIFT)
                .sorted()
                .distinct()
                .mapToObj(number -> shards[number].lock)
                .toArray(StampedLock[]::new));
    }

    /** Removes a bucket with all its keys, under the lock of its shard. {@link #countGone} counts its entries as dead. */
    void forget(Shard shard, Bucket bucket) {
        if (bucket.isHidden()) {
            bucket.goes();
        } else {
            shard.remove(bucket);
        }
        log.liveBytes().addAndGet(-bucket.cost());
        gone.add(bucket);
    }

    /** Counts the entries of removed buckets as dead in their segments. */
    public void countGone() {
        gone.count();
    }

    /** How many objects {@link #giveBack} looks at under one hold of a lock: some 100 us. */
    private static final int GIVEN_AT_ONCE = 1024;

    /** In how many parts {@link #giveBack} comes to all shards: the keeper takes four of them in a second. */
    public static final int PARTS = 32;

    private int nextShard;

    /**
     * Gives back the objects of buckets that have been small for 8 to 16 s, in the next part of the shards. By the thread that compacts, but
     * not while it looks for what is live: it would miss what goes from one table to another.
     */
    void giveBack() {
        for (int i = 0; i < shards.length / PARTS; i++) {
            Shard shard = shards[nextShard];
            nextShard = (nextShard + 1) % shards.length;
            giveBack(shard);
        }
    }

    private static void giveBack(Shard shard) {
        int left = Integer.MAX_VALUE;
        while (left > 0) {
            long stamp = shard.lock.writeLock();
            try {
                left = shard.hasLanes() ? 0 : shard.names.giveBack(left, GIVEN_AT_ONCE);
            } finally {
                shard.lock.unlockWrite(stamp);
            }
        }
    }

    /**
     * Shows every bucket that exists from the beginning of the call to its end, but for those whose records are damaged, until the visitor
     * has seen enough.
     */
    public void forEachBucket(BucketVisitor visitor) {
        forEachSoundBucket(0, bucket -> visitor.visit(Bytes.owning(bucket.name()), bucket.bytes()));
    }

    /** Does the same with more of each bucket, as at a time. */
    void forEachSoundBucket(long nowMillis, Predicate<Seen> visitor) {
        forEachBucket(
                nowMillis, 0, (_, bucket) -> visitor.test(bucket), damage -> LOG.debug("a bucket is left out", damage));
    }

    /**
     * A copy of what a visitor is shown of a bucket.
     *
     * @param size number of keys; 1 for a value; 0 if all of it has expired
     * @param bytes what they take in the log
     */
    @SuppressWarnings("ArrayRecordComponent") // a name that nobody compares
    record Seen(byte[] name, int hash, long size, boolean isValue, long bytes) {}

    /** Is shown buckets. */
    @FunctionalInterface
    interface Visitor {
        /** Returns whether it wants to see more. */
        boolean visit(long position, Seen bucket);
    }

    /**
     * Shows buckets from a position on, in the order of their positions, until the visitor has seen enough. The position of a
     * bucket is the hash of its name, as an unsigned number.
     *
     * @param nowMillis the time as of which it is shown
     * @throws Damaged if the name of a bucket cannot be read
     */
    void forEachBucket(long nowMillis, long fromPosition, Visitor visitor) {
        forEachBucket(nowMillis, fromPosition, visitor, damage -> {
            throw damage;
        });
    }

    private void forEachBucket(long nowMillis, long fromPosition, Visitor visitor, Consumer<Damaged> onDamage) {
        int atOnce = SEEN_MIN;
        long at = fromPosition;
        while (at <= Index.POSITION_MAX) {
            Part part = new Part(atOnce, nowMillis);
            List<Seen> seen;
            try (Pin _ = part.find(shard((int) at), (int) at)) {
                seen = part.seen(onDamage);
            }
            for (Seen bucket : seen) {
                if (!visitor.visit(Integer.toUnsignedLong(bucket.hash()), bucket)) {
                    return;
                }
            }
            at = Math.min(part.next, ((at >>> SHARD_SHIFT) + 1) << SHARD_SHIFT);
            atOnce = Math.min(2 * atOnce, SEEN_MAX);
        }
    }

    /** How many buckets are found under one hold of a lock, at first and at most. */
    private static final int SEEN_MIN = 16;

    private static final int SEEN_MAX = 1024;

    /** Some buckets of a shard, found under its lock. */
    private final class Part {
        private final int atOnce;
        private final long nowMillis;
        private final List<Supplier<Seen>> found = new ArrayList<>();
        private int last;

        /** The position behind them. */
        private long next = Index.POSITION_MAX + 1;

        Part(int atOnce, long nowMillis) {
            this.atOnce = atOnce;
            this.nowMillis = nowMillis;
        }

        /** Finds buckets; returns a pin of the segments that have their names. */
        Pin find(Shard shard, int fromHash) {
            long stamp = shard.lock.readLock();
            try {
                shard.names.forEach(fromHash, (hash, place) -> isTaken(shard, hash, place));
                return log.segments().pinKnown();
            } finally {
                shard.lock.unlockRead(stamp);
            }
        }

        private boolean isTaken(Shard shard, int hash, long place) {
            // Those of one position stay together.
            if (found.size() >= atOnce && hash != last) {
                next = Integer.toUnsignedLong(hash);
                return false;
            }
            last = hash;
            if (!NameSlot.isObject(place)) {
                return found.add(() -> fields.seen(NameSlot.record(place), hash, NameSlot.expires(place), nowMillis));
            }
            Bucket bucket = shard.names.object(place);
            boolean isThere = !fields.live().isGone(bucket.until(), nowMillis)
                    && fields.live().hasKeys(bucket, nowMillis);
            long size = isThere ? bucket.index.size() : 0;
            Seen seen = new Seen(bucket.name, hash, size, bucket.isValue, bucket.bytes);
            return found.add(() -> seen);
        }

        /** Reads their names, without the lock: they may have to come from the disk. */
        List<Seen> seen(Consumer<Damaged> onDamage) {
            List<Seen> seen = new ArrayList<>();
            for (Supplier<Seen> bucket : found) {
                try {
                    seen.add(bucket.get());
                } catch (Damaged e) {
                    onDamage.accept(e);
                }
            }
            return seen;
        }
    }

    /** Number of buckets. As the next three, it takes the same time for any number of buckets. */
    public long buckets() {
        return sum(shard -> shard.names.count());
    }

    /** Number of buckets that have keys. */
    public long filled() {
        return sum(Shard::filled);
    }

    /** Number of buckets and values that expire as a whole. */
    public long expiring() {
        return sum(Shard::expiring);
    }

    /** Number of keys in all buckets. */
    public long keys() {
        return sum(Shard::keys);
    }

    private long sum(ToLongFunction<Shard> part) {
        long sum = 0;
        for (Shard shard : shards) {
            long stamp = shard.lock.readLock();
            try {
                sum += part.applyAsLong(shard);
            } finally {
                shard.lock.unlockRead(stamp);
            }
        }
        return sum;
    }
}
