package dev.kv.storage;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.router.node.Storage.BucketVisitor;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;

/**
 * The buckets on this node by name, in memory as far as they have to be: where their fields are in the log. Any thread may
 * call; who changes buckets of one shard waits for its turn, who reads does not.
 */
final class Buckets {
    private static final int SHARD_BITS = 8;

    private final Log log;
    private final Fields fields;
    private final long maxBytes;
    private final Shard[] shards = new Shard[1 << SHARD_BITS];

    /** Buckets that are gone, and whose fields still count as needed in the log. */
    private final Queue<Bucket> gone = new ConcurrentLinkedQueue<>();

    /**
     * @param maxBytes what all buckets together may take in the log; 0 for any
     */
    Buckets(Log log, Hash hash, long maxBytes) {
        this.log = log;
        this.fields = new Fields(log, hash);
        this.maxBytes = maxBytes;
        for (int i = 0; i < shards.length; i++) {
            shards[i] = new Shard(SHARD_BITS);
        }
    }

    Fields fields() {
        return fields;
    }

    private Shard shard(int hash) {
        return shards[hash >>> (Integer.SIZE - SHARD_BITS)];
    }

    /**
     * Reads a key.
     *
     * @return {@link Reply.Value}, {@link Reply#ABSENT} or {@link Reply#NOT_FOUND}
     */
    Reply get(Bytes name, Bytes key) {
        int hash = fields.hash().of(name.array());
        Shard shard = shard(hash);
        long optimistic = shard.lock.tryOptimisticRead();
        if (optimistic != 0) {
            try {
                Reply reply = get(shard, hash, name, key);
                if (shard.lock.validate(optimistic)) {
                    return reply;
                }
            } catch (RuntimeException e) {
                // What was read may have been half of a change: a valid stamp alone tells.
                if (shard.lock.validate(optimistic) && e instanceof Damaged) {
                    throw e;
                }
            }
        }
        long stamp = shard.lock.readLock();
        try {
            return get(shard, hash, name, key);
        } finally {
            shard.lock.unlockRead(stamp);
        }
    }

    private Reply get(Shard shard, int hash, Bytes name, Bytes key) {
        Bucket bucket = shard.find(hash, name.array());
        if (bucket == null) {
            return Reply.NOT_FOUND;
        }
        Bytes value = fields.get(bucket, key);
        return value == null ? Reply.ABSENT : new Reply.Value(value);
    }

    /** A bucket as it was at one moment; its fields are in segments that {@link Compaction#pin} keeps in place. */
    record Frozen(Index index, boolean isKept) {}

    /** A bucket as it is now; null if there is none. */
    Frozen frozen(Bytes name) {
        int hash = fields.hash().of(name.array());
        Shard shard = shard(hash);
        long stamp = shard.lock.writeLock();
        try {
            Bucket bucket = shard.find(hash, name.array());
            return bucket == null ? null : new Frozen(bucket.index.frozen(), bucket.isKept());
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }

    /** Has a command look at a bucket. */
    Reply read(Bytes name, Function<View, Reply> command) {
        int hash = fields.hash().of(name.array());
        Shard shard = shard(hash);
        long stamp = shard.lock.readLock();
        try {
            return command.apply(new Change(fields, shard.find(hash, name.array())));
        } finally {
            shard.lock.unlockRead(stamp);
        }
    }

    /**
     * Has a command change a bucket.
     *
     * @throws Refused if the change could not be written: nothing is changed then
     */
    Reply edit(Bytes name, Function<Edit, Reply> command) throws Refused {
        int hash = fields.hash().of(name.array());
        Shard shard = shard(hash);
        long stamp = shard.lock.writeLock();
        try {
            Change change = new Change(fields, shard.find(hash, name.array()));
            Reply reply = command.apply(change);
            commit(shard, hash, name.array(), change);
            return reply;
        } finally {
            shard.draft.forget();
            shard.lock.unlockWrite(stamp);
        }
    }

    private void commit(Shard shard, int hash, byte[] name, Change change) throws Refused {
        Bucket bucket = change.bucket();
        if (!change.pending().isEmpty()) {
            write(shard, hash, name, change);
        } else if (change.isKept() && (bucket == null || !bucket.isKept())) {
            keep(shard, hash, name, change);
        } else if (change.dropped() != null) {
            log.append(
                    shard.draft
                            .begin(Layout.DROP, 0, log.nextGeneration(), name)
                            .end(),
                    true);
            forget(shard, change.dropped());
        }
    }

    private void keep(Shard shard, int hash, byte[] name, Change change) throws Refused {
        long generation = change.bucket() == null ? log.nextGeneration() : change.bucket().generation;
        Draft record =
                shard.draft.begin(Layout.BUCKET, Layout.KEPT, generation, name).end();
        checkRoom(record.cost() - (change.dropped() == null ? 0 : change.dropped().bytes));
        long location = log.append(record, false);
        Bucket bucket = settled(shard, hash, name, generation, change);
        bucket.keptBy = location;
        log.liveBytes().addAndGet(record.cost());
    }

    private void write(Shard shard, int hash, byte[] name, Change change) throws Refused {
        if (change.isKept() && (change.bucket() == null || !change.bucket().isKept())) {
            throw new IllegalStateException("one record cannot keep a bucket and write fields");
        }
        long generation = change.bucket() == null ? log.nextGeneration() : change.bucket().generation;
        Draft record = shard.draft.begin(Layout.WRITE, 0, generation, name);
        long growth = change.dropped() == null ? 0 : -change.dropped().bytes;
        for (Map.Entry<Bytes, Change.Pending> entry : change.pending().entrySet()) {
            Change.Pending pending = entry.getValue();
            if (pending.value == null) {
                record.delete(entry.getKey());
            } else {
                record.set(entry.getKey(), pending.value);
                growth += record.fieldCost(record.fields() - 1);
            }
            growth -= pending.before == Index.NONE ? 0 : fields.cost(change.bucket(), pending.before);
        }
        if (record.length() > Layout.RECORD_MAX_BYTES) {
            throw new Refused(
                    Word.TOOLARGE, "so many fields at once do not fit into one record: write them in several steps");
        }
        boolean isFreeing = record.sets() == 0;
        if (!isFreeing) {
            checkRoom(growth);
        }
        long location = log.append(record.end(), isFreeing);
        Bucket bucket = settled(shard, hash, name, generation, change);
        long bytesBefore = bucket.bytes;
        int field = 0;
        for (Map.Entry<Bytes, Change.Pending> entry : change.pending().entrySet()) {
            long at = location + record.offset(field) / Layout.ALIGNMENT;
            put(bucket, fields.hash().of(entry.getKey().array()), entry.getValue(), at, record.fieldCost(field));
            field++;
        }
        log.liveBytes().addAndGet(bucket.bytes - bytesBefore);
        if (bucket.isVain()) {
            shard.remove(bucket);
        }
    }

    private void put(Bucket bucket, int keyHash, Change.Pending pending, long location, long cost) {
        if (pending.before != Index.NONE) {
            bucket.bytes -= fields.cost(bucket, pending.before);
            fields.died(bucket, pending.before);
        }
        if (pending.value == null) {
            bucket.index.remove(keyHash, pending.before);
            return;
        }
        bucket.bytes += cost;
        if (pending.before == Index.NONE) {
            bucket.index.add(keyHash, location);
        } else {
            bucket.index.replace(keyHash, pending.before, location);
        }
    }

    /** The bucket that is written to, after what the change drops has gone. */
    private Bucket settled(Shard shard, int hash, byte[] name, long generation, Change change) {
        if (change.dropped() != null) {
            forget(shard, change.dropped());
        }
        Bucket bucket = change.bucket();
        if (bucket == null) {
            bucket = new Bucket(name, hash, generation);
            shard.add(bucket);
        }
        return bucket;
    }

    private void forget(Shard shard, Bucket bucket) {
        shard.remove(bucket);
        log.liveBytes().addAndGet(-bucket.bytes - (bucket.isKept() ? Layout.recordCost(bucket.name.length) : 0));
        gone.add(bucket);
    }

    private void checkRoom(long growth) throws Refused {
        if (maxBytes > 0 && growth > 0 && log.liveBytes().get() + growth > maxBytes) {
            throw new Refused(
                    Word.NOSPACE,
                    "the buckets on this node take %d of at most %d bytes, and this does not fit: delete keys, or raise"
                                    .formatted(log.liveBytes().get(), maxBytes)
                            + " kv.storage.max-bytes");
        }
    }

    /** Counts in the log what buckets held that are gone. By one thread at a time. */
    void countGone() {
        for (Bucket bucket = gone.peek(); bucket != null; bucket = gone.peek()) {
            Bucket counted = bucket;
            counted.index.forEach(0, (_, location) -> {
                if (log.segment(location) != null) {
                    fields.died(counted, location);
                }
                return true;
            });
            if (counted.isKept() && log.segment(counted.keptBy) != null) {
                log.segment(counted.keptBy).died(Layout.recordCost(counted.name.length));
            }
            gone.poll();
        }
    }

    /** Waits until every change has come to its end that had begun by now. */
    void awaitChanges() {
        for (Shard shard : shards) {
            shard.lock.unlockWrite(shard.lock.writeLock());
        }
    }

    /** Whether the entry at which the scan stands is still needed. */
    boolean isLive(Scan scan, Segment segment) {
        byte[] name = scan.name();
        int hash = fields.hash().of(name);
        Shard shard = shard(hash);
        long stamp = shard.lock.readLock();
        try {
            Bucket bucket = shard.find(hash, name);
            if (bucket == null || bucket.generation != scan.generation()) {
                return false;
            }
            long location = Log.location(segment, scan.entry());
            return switch (scan.kind()) {
                case Layout.SET -> bucket.index.contains(fields.hash().of(segment.key(scan.entry())), location);
                case Layout.BUCKET -> bucket.keptBy == location;
                default -> false;
            };
        } finally {
            shard.lock.unlockRead(stamp);
        }
    }

    /** See {@link Log.Moves}. */
    boolean move(Scan scan, Segment to, long fromLocation, long toLocation) {
        byte[] name = scan.name();
        int hash = fields.hash().of(name);
        Shard shard = shard(hash);
        long stamp = shard.lock.writeLock();
        try {
            Bucket bucket = shard.find(hash, name);
            if (bucket == null || bucket.generation != scan.generation()) {
                return false;
            }
            return switch (scan.kind()) {
                case Layout.SET ->
                    bucket.index.replace(fields.hash().of(to.key(scan.entry())), fromLocation, toLocation);
                case Layout.BUCKET -> {
                    boolean isIt = bucket.keptBy == fromLocation;
                    bucket.keptBy = isIt ? toLocation : bucket.keptBy;
                    yield isIt;
                }
                default -> false;
            };
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }

    /** Shows every bucket that is there all the while, in the order of the hashes of the names. */
    void forEachBucket(BucketVisitor visitor) {
        for (Shard shard : shards) {
            Bucket[] buckets;
            long[] bytes;
            long stamp = shard.lock.readLock();
            try {
                buckets = shard.sorted();
                bytes = new long[buckets.length];
                for (int i = 0; i < bytes.length; i++) {
                    bytes[i] = buckets[i].bytes;
                }
            } finally {
                shard.lock.unlockRead(stamp);
            }
            for (int i = 0; i < bytes.length; i++) {
                visitor.visit(Bytes.owning(buckets[i].name), bytes[i]);
            }
        }
    }

    /** How many there are. */
    record Count(long buckets, long keys) {}

    Count count() {
        long buckets = 0;
        long keys = 0;
        for (Shard shard : shards) {
            long stamp = shard.lock.readLock();
            try {
                buckets += shard.count();
                for (Bucket bucket : shard.sorted()) {
                    keys += bucket.index.size();
                }
            } finally {
                shard.lock.unlockRead(stamp);
            }
        }
        return new Count(buckets, keys);
    }

    /** What the log says, entry by entry in its order, when it is opened. By one thread, before anybody else. */
    final class Replay {
        /** The bucket of that generation, made if there is none; null if there is one of a later generation. */
        Bucket bucket(byte[] name, int hash, long generation) {
            log.sawGeneration(generation);
            Shard shard = shard(hash);
            Bucket bucket = shard.find(hash, name);
            if (bucket != null && bucket.generation < generation) {
                remove(shard, bucket);
                bucket = null;
            }
            if (bucket == null) {
                bucket = new Bucket(name, hash, generation);
                shard.add(bucket);
            }
            return bucket.generation == generation ? bucket : null;
        }

        void set(Bucket bucket, int keyHash, Segment segment, long field, long cost) {
            long location = Log.location(segment, field);
            long before = fields.find(bucket, keyHash, segment, field);
            bucket.bytes += cost;
            log.liveBytes().addAndGet(cost);
            if (before == Index.NONE) {
                bucket.index.add(keyHash, location);
            } else {
                died(bucket, before);
                bucket.index.replace(keyHash, before, location);
            }
        }

        void delete(Bucket bucket, int keyHash, Segment segment, long field) {
            long before = fields.find(bucket, keyHash, segment, field);
            if (before != Index.NONE) {
                died(bucket, before);
                bucket.index.remove(keyHash, before);
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
                log.segment(bucket.keptBy).died(cost);
            } else {
                log.liveBytes().addAndGet(cost);
            }
            bucket.keptBy = location;
        }

        /** Removes a bucket that has come to nothing; true if it has. */
        boolean settle(Bucket bucket) {
            if (bucket.isVain()) {
                shard(bucket.hash).remove(bucket);
                return true;
            }
            return false;
        }

        void drop(byte[] name, int hash, long generation) {
            log.sawGeneration(generation);
            Shard shard = shard(hash);
            Bucket bucket = shard.find(hash, name);
            if (bucket != null && bucket.generation < generation) {
                remove(shard, bucket);
            }
        }

        private void remove(Shard shard, Bucket bucket) {
            forget(shard, bucket);
            countGone();
        }
    }
}
