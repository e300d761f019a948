package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.spi.Engine.BucketVisitor;
import dev.kv.storage.format.Hash;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.StampedLock;
import java.util.function.ToLongFunction;

/**
 * All buckets of the node: by name in {@link Shard}s, each with its lock, and by generation where the name in the records is not
 * the name of the bucket. Any thread.
 */
public final class BucketTable {
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

    /** The locks of the shards of two buckets, held for writing. */
    record Locks(StampedLock outer, long outerStamp, StampedLock inner, long innerStamp) {
        void unlock() {
            if (!inner.equals(outer)) {
                inner.unlockWrite(innerStamp);
            }
            outer.unlockWrite(outerStamp);
        }
    }

    /** Locks the shards of two names for writing, in an order that is the same for all threads. */
    Locks lock(int hash, int secondHash) {
        boolean isInOrder = Integer.compareUnsigned(hash, secondHash) <= 0;
        StampedLock outer = shard(isInOrder ? hash : secondHash).lock;
        StampedLock inner = shard(isInOrder ? secondHash : hash).lock;
        long outerStamp = outer.writeLock();
        return new Locks(outer, outerStamp, inner, inner.equals(outer) ? 0 : inner.writeLock());
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

    /** Shows every bucket that exists from the beginning of the call to its end, until the visitor has seen enough. */
    public void forEachBucket(BucketVisitor visitor) {
        forEachBucket(0, (_, bucket) -> visitor.visit(Bytes.owning(bucket.name()), bucket.bytes()));
    }

    /**
     * A copy of what a visitor is shown of a bucket.
     *
     * @param size number of keys
     * @param bytes what they take in the log
     */
    @SuppressWarnings("ArrayRecordComponent") // a name that nobody compares
    record Seen(byte[] name, int hash, long size, long bytes) {}

    /** Is shown buckets. */
    @FunctionalInterface
    interface Visitor {
        /** Returns whether it wants to see more. */
        boolean visit(long position, Seen bucket);
    }

    /**
     * Shows buckets from a position on, in the order of their positions, until the visitor has seen enough. The position of a
     * bucket is the hash of its name, as an unsigned number.
     */
    void forEachBucket(long fromPosition, Visitor visitor) {
        for (long at = fromPosition; at <= Index.POSITION_MAX; at = ((at >>> SHARD_SHIFT) + 1) << SHARD_SHIFT) {
            for (Seen bucket : seen(shard((int) at), (int) at)) {
                if (!visitor.visit(Integer.toUnsignedLong(bucket.hash()), bucket)) {
                    return;
                }
            }
        }
    }

    private static List<Seen> seen(Shard shard, int fromHash) {
        List<Seen> seen = new ArrayList<>();
        long stamp = shard.lock.readLock();
        try {
            shard.forEach(bucket -> {
                if (Integer.compareUnsigned(bucket.hash, fromHash) >= 0) {
                    seen.add(new Seen(bucket.name, bucket.hash, bucket.index.size(), bucket.bytes));
                }
            });
        } finally {
            shard.lock.unlockRead(stamp);
        }
        seen.sort((a, b) -> Integer.compareUnsigned(a.hash(), b.hash()));
        return seen;
    }

    /** Number of buckets. As the next two, it takes the same time for any number of buckets. */
    public long buckets() {
        return sum(Shard::count);
    }

    /** Number of buckets that have keys. */
    public long filled() {
        return sum(Shard::filled);
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
