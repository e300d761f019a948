package dev.kv.storage.engine;

import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Recovery;
import dev.kv.storage.log.Segment;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fills the table of buckets from the log when it is opened, entry by entry in the order of the log. By one thread, before any command
 * runs.
 *
 * <p>Compaction drops a publish record when a later one renames the same bucket. Until the later one is read, the bucket has a name that
 * it had before, and gives it up when another bucket of that name is read. So a bucket with a {@link Publication} is not dropped before
 * {@link #end}.
 */
public final class Replay {
    private static final Logger LOG = LoggerFactory.getLogger(Replay.class);

    private final BucketTable table;
    private final Publisher publisher;
    private final Fields fields;
    private final Log log;
    private final Map<Long, Bucket> byGeneration;
    private final ReplayedSegment reader;

    public Replay(Buckets buckets) {
        this.table = buckets.table();
        this.publisher = buckets.publisher();
        this.fields = table.fields();
        this.log = table.log();
        this.byGeneration = table.byGeneration();
        this.reader = new ReplayedSegment(this, fields.hash());
    }

    /** Reads the entries of a segment, before the next one is begun. */
    public Recovery.Reader of(Segment segment) {
        return reader.begin(segment);
    }

    private Shard shard(int hash) {
        return table.shard(hash);
    }

    /**
     * The bucket of a name and generation, made if there is none; null if the name has a bucket of a later generation. It is in the table
     * after the next entry about it.
     */
    Bucket bucket(byte[] name, int hash, long generation) {
        log.sawGeneration(generation);
        Shard shard = shard(hash);
        Bucket bucket = shard.names.find(hash, name);
        if (bucket != null && bucket.generation < generation) {
            displace(bucket);
            bucket = null;
        }
        if (bucket == null) {
            bucket = new Bucket(name, hash, generation);
        }
        return bucket.generation == generation ? bucket : null;
    }

    /**
     * The bucket of a generation, whatever its name is; made as a hidden one if there is none. A bucket that was read under the name in
     * its records keeps that name until its publish record is read.
     */
    Bucket hidden(byte[] recordName, int hash, long generation) {
        log.sawGeneration(generation);
        Bucket bucket = byGeneration.get(generation);
        if (bucket == null) {
            Bucket there = shard(hash).names.find(hash, recordName);
            boolean isIt = there != null && there.generation == generation;
            bucket = isIt ? there : new Bucket(recordName, hash, generation);
            bucket.publication = new Publication();
            bucket.publication.isVisible = isIt;
            if (isIt) {
                // Its key is found by the hash from now on.
                fields.checkKey(bucket);
                shard(hash).names.own(bucket);
            }
            byGeneration.put(generation, bucket);
        }
        return bucket;
    }

    /** See {@link Index#touch}. */
    int touch(int nameHash, boolean expires) {
        return shard(nameHash).touch(nameHash, expires);
    }

    /** Whether a bucket is as the last entry about it has left it. */
    boolean isCurrent(Bucket bucket) {
        return !bucket.isGone()
                && (!bucket.isOfPlace() || shard(bucket.hash).names.holds(bucket));
    }

    /**
     * Gives a value to a name that has nothing, without an object: of millions of names that is most of the time of a start.
     *
     * @param until when it expires; 0 if it does not
     * @return false if the name may have something, or the value needs an object: nothing is done then
     */
    boolean setNew(byte[] name, int hash, long generation, Segment segment, long field, long cost, long until) {
        Shard shard = shard(hash);
        if (!Bucket.isSmallName(name) || shard.names.place(hash, name) != Index.NONE) {
            return false;
        }
        log.sawGeneration(generation);
        log.liveBytes().addAndGet(cost);
        shard.addValue(hash, Fields.record(Log.location(segment, field), name.length), until);
        return true;
    }

    /**
     * Sets a key.
     *
     * @param until when it expires; 0 if it does not
     * @param isFirst whether the field is the first one of its record
     */
    void set(Bucket bucket, int keyHash, Segment segment, long field, long cost, long until, boolean isFirst) {
        long location = Log.location(segment, field) | (until == 0 ? 0 : Log.EXPIRES);
        long before = find(bucket, keyHash, segment, field);
        long untilBefore = before == Index.NONE ? 0 : fields.live().until(before);
        bucket.bytes += cost;
        log.liveBytes().addAndGet(cost);
        if (before == Index.NONE) {
            bucket.index.add(keyHash, location);
        } else {
            died(bucket, before);
            bucket.index.replace(keyHash, before, location);
        }
        bucket.wrote(isFirst);
        bucket.expires(keyHash, until, before == Index.NONE ? 0 : untilBefore);
        settle(bucket);
    }

    private long find(Bucket bucket, int keyHash, Segment segment, long field) {
        long location = fields.find(bucket.index, keyHash, segment, field);
        if (location == Index.NONE) {
            fields.checkKey(bucket);
        }
        return location;
    }

    /** Deletes a key; see {@link #set}. */
    void delete(Bucket bucket, int keyHash, Segment segment, long field, boolean isFirst) {
        long before = find(bucket, keyHash, segment, field);
        if (before != Index.NONE) {
            died(bucket, before);
            bucket.index.remove(keyHash, before);
        }
        bucket.hasOwnRecords &= isFirst;
        bucket.removed(before);
        // One with a record that says when it expires may have keys in later records, and needs it then.
        if (bucket.isVain() && bucket.publication == null && !bucket.hasExpireRecord()) {
            shard(bucket.hash).remove(bucket);
        } else {
            settle(bucket);
        }
    }

    private void settle(Bucket bucket) {
        if (!bucket.isHidden()) {
            Shard shard = shard(bucket.hash);
            shard.count(bucket);
            shard.names.settle(bucket);
            shard.expect(bucket);
        }
    }

    private void died(Bucket bucket, long location) {
        long cost = fields.cost(bucket, location);
        bucket.bytes -= cost;
        log.liveBytes().addAndGet(-cost);
        fields.died(bucket, location);
    }

    void keep(Bucket bucket, long location, long cost) {
        if (bucket.isKept()) {
            log.segment(bucket.keptBy).space().died(cost);
        } else {
            log.liveBytes().addAndGet(cost);
        }
        shard(bucket.hash).names.keep(bucket, location);
        settle(bucket);
    }

    /** Says when a bucket expires; it may have no keys yet. */
    void expire(Bucket bucket, long location, long cost, long until) {
        if (bucket.hasExpireRecord()) {
            log.segment(bucket.lifetime.by).space().died(cost);
        } else {
            // It is an object from now on: its key is found by the hash.
            fields.checkKey(bucket);
            log.liveBytes().addAndGet(cost);
        }
        bucket.lifetime().until = until;
        bucket.lifetime().by = location;
        settle(bucket);
    }

    void drop(byte[] name, int hash, long generation) {
        log.sawGeneration(generation);
        Bucket bucket = shard(hash).names.find(hash, name);
        if (bucket != null && bucket.generation < generation) {
            displace(bucket);
        }
    }

    /**
     * Gives a bucket a name.
     *
     * @param recordName the name in its records
     * @param leaves whether it had that name before
     */
    void publish(byte[] name, int hash, long generation, byte[] recordName, boolean leaves, long location, long cost) {
        Bucket bucket = hidden(recordName, fields.hash().of(recordName), generation);
        if (!bucket.isHidden()) {
            shard(bucket.hash).take(bucket);
        }
        if (leaves) {
            // It stood there, so nothing older did: the record that said so may be gone.
            drop(recordName, fields.hash().of(recordName), generation);
        }
        Bucket there = shard(hash).names.find(hash, name);
        if (there != null) {
            displace(there);
        }
        publisher.published(bucket, name, hash, leaves, location, cost);
    }

    /** Takes the name from a bucket. */
    private void displace(Bucket bucket) {
        Shard shard = shard(bucket.hash);
        if (bucket.publication == null) {
            table.forget(shard, bucket);
            table.countGone();
        } else {
            shard.take(bucket);
            bucket.publication.isVisible = false;
        }
    }

    /** Drops the buckets that have no name, or neither keys nor a record that keeps them: those that were never published were not complete when the process ended. */
    public void end() {
        long incomplete = 0;
        for (Bucket bucket : byGeneration.values()) {
            if (bucket.isHidden() || bucket.isVain()) {
                incomplete += bucket.publication.wasPublished() ? 0 : 1;
                table.forget(shard(bucket.hash), bucket);
            }
        }
        for (Shard shard : table.shards()) {
            for (Bucket bucket : shard.names.objects()) {
                if (bucket.publication == null && bucket.isVain()) {
                    table.forget(shard, bucket);
                }
            }
        }
        table.countGone();
        if (incomplete > 0) {
            LOG.info("{} buckets that were not complete when the process ended are dropped", incomplete);
        }
    }
}
