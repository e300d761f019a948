package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Refused;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Removes what has expired, of which no command is told any more: names as a whole, and keys. In the background, with short holds of locks. */
public final class Expired {
    private static final Logger LOG = LoggerFactory.getLogger(Expired.class);

    /** How many keys of a bucket go by one record: some 100 us. No key. */
    private static final int KEYS_AT_ONCE = 128;

    /** How long the lock of a shard is held: less than a turn of a command. No key. */
    private static final long HOLD_NANOS = 500_000;

    /** How long all are left to others before the next hold of the same one: time for a thread that waits to wake up. */
    private static final long PAUSE_NANOS = 100_000;

    /** After this many milliseconds what could not be read is tried again. No key. */
    private static final long RETRY_MILLIS = 10_000;

    /** How long a bucket is left alone of which a large change is under way. No key. */
    private static final long LANE_MILLIS = 100;

    private final BucketTable table;
    private final Fields fields;
    private final Changes changes;

    Expired(BucketTable table, Changes changes) {
        this.table = table;
        this.fields = table.fields();
        this.changes = changes;
    }

    private record Entry(long time, int hash) {}

    /**
     * Removes what has expired by a time, in all shards.
     *
     * @param isEnding ends it between two holds of a lock
     * @throws Refused if the log takes no record: the rest stays until a later call
     */
    public void clean(long nowMillis, BooleanSupplier isEnding) throws Refused {
        long now = fields.live().now(nowMillis);
        while (cleanOnce(now, isEnding) && !isEnding.getAsBoolean()) {
            LockSupport.parkNanos(PAUSE_NANOS);
        }
        table.countGone();
    }

    /** Holds the lock of each shard once; returns whether one has more. */
    private boolean cleanOnce(long now, BooleanSupplier isEnding) throws Refused {
        boolean hasMore = false;
        for (Shard shard : table.shards()) {
            if (shard.nextExpiry() <= now && !isEnding.getAsBoolean()) {
                table.log().tail().awaitDisk();
                clean(shard, now);
                hasMore |= shard.nextExpiry() <= now;
            }
        }
        return hasMore;
    }

    /** Goes on with a shard. */
    private void clean(Shard shard, long now) throws Refused {
        List<Entry> again = new ArrayList<>();
        long stamp = shard.lock.writeLock();
        long until = System.nanoTime() + HOLD_NANOS;
        try {
            while (shard.expiries.next() <= now && System.nanoTime() - until < 0) {
                long next = shard.expiries.next();
                int hash = shard.expiries.poll();
                try {
                    next = clean(shard, hash, now, until);
                } catch (Damaged | InternalError unreadable) {
                    LOG.debug("not looked at for expiry now", unreadable);
                    next = now + RETRY_MILLIS;
                } finally {
                    if (next != Expiries.NEVER) {
                        again.add(new Entry(next, hash));
                    }
                }
            }
        } finally {
            again.forEach(entry -> shard.expect(entry.time(), entry.hash()));
            shard.setNextExpiry();
            shard.lock.unlockWrite(stamp);
        }
    }

    /**
     * Removes what has expired of the names of a hash.
     *
     * @param untilNanos when to leave the rest to a later call
     * @return when to look at them again
     */
    private long clean(Shard shard, int hash, long now, long untilNanos) throws Refused {
        long next = Expiries.NEVER;
        for (Bucket bucket : shard.names.expiring(hash)) {
            if (shard.openLane(Bytes.owning(bucket.name)).isPresent()) {
                // A large change of it is under way.
                next = Math.min(next, now + LANE_MILLIS);
                continue;
            }
            if (isGone(bucket, now)) {
                bucket.hasExpired = true;
                changes.drop(shard, bucket);
            } else if (bucket.mayHaveGoneKeys(now)) {
                do {
                    removeKeys(shard, bucket, now);
                } while (!bucket.isGone() && bucket.mayHaveGoneKeys(now) && System.nanoTime() - untilNanos < 0);
            }
            if (!bucket.isGone()) {
                bucket.lifetime.lookAt = bucket.lifetime.next();
                next = Math.min(next, bucket.lifetime.lookAt);
            }
        }
        return next;
    }

    /**
     * Whether a bucket or a value is gone as a whole, as far as that is known without a look at its keys: a look in each hold of the lock would
     * take longer than to remove them.
     */
    private boolean isGone(Bucket bucket, long now) {
        return fields.live().isGone(bucket.until(), now)
                || (!bucket.isKept() && fields.live().areAllGone(bucket, now));
    }

    /** Removes some keys of a bucket that have expired. What cannot be read is tried again later, and holds up no other key. */
    private void removeKeys(Shard shard, Bucket bucket, long now) throws Refused {
        Expiries queue = bucket.lifetime.keys();
        List<Entry> taken = new ArrayList<>();
        List<Entry> later = new ArrayList<>();
        boolean isDone = false;
        try {
            Change change = new Change(fields).of(bucket.name, bucket.hash, bucket);
            while (taken.size() < KEYS_AT_ONCE && queue.next() <= now) {
                Entry entry = new Entry(queue.next(), queue.poll());
                taken.add(entry);
                try {
                    removeKeys(bucket, entry.hash(), now, change, later);
                } catch (Damaged | InternalError unreadable) {
                    LOG.debug("a key is not looked at for expiry now", unreadable);
                    later.add(new Entry(now + RETRY_MILLIS, entry.hash()));
                }
            }
            if (change.isOfFieldsAlone()) {
                changes.write(shard, change);
            } else {
                // The last key takes the bucket along, with the time that it has itself.
                changes.commit(change);
            }
            isDone = true;
        } finally {
            (isDone ? later : taken).forEach(entry -> queue.add(entry.time(), entry.hash()));
        }
    }

    /** Has a change delete the keys of a hash that have expired. */
    private void removeKeys(Bucket bucket, int keyHash, long now, Change change, List<Entry> later) {
        for (long at = next(bucket, keyHash, Index.NONE); at != Index.NONE; at = next(bucket, keyHash, at)) {
            if (fields.live().isKeyGone(at, now)) {
                boolean _ = change.delete(fields.key(at));
            } else {
                later.add(new Entry(fields.live().until(at), keyHash));
            }
        }
    }

    private static long next(Bucket bucket, int keyHash, long after) {
        long at = bucket.index.next(keyHash, after);
        while (at != Index.NONE && (at & Log.EXPIRES) == 0) {
            at = bucket.index.next(keyHash, at);
        }
        return at;
    }
}
