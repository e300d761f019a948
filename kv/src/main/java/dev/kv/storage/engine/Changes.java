package dev.kv.storage.engine;

import dev.kv.router.Reply.Word;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Layout;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Refused;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes changes of buckets to the log, then applies them to the indexes of the buckets. */
final class Changes {
    private static final Logger LOG = LoggerFactory.getLogger(Changes.class);

    private final Log log;
    private final Fields fields;
    private final BucketTable table;
    private final long maxBytes;

    /** Held for reading from the append of a large change until all of it is applied. */
    private final ReentrantReadWriteLock underWay = new ReentrantReadWriteLock();

    /**
     * @param maxBytes what all buckets together may take in the log; 0 for any
     */
    Changes(BucketTable table, long maxBytes) {
        this.log = table.log();
        this.fields = table.fields();
        this.table = table;
        this.maxBytes = maxBytes;
    }

    /** Writes a change that only sets and removes keys, without allocation for a single key. Under the lock of the shard. */
    void write(Shard shard, Change change) throws Refused {
        change.forgetVain();
        if (change.count() == 0) {
            return;
        }
        change.begin(change.bucket() == null ? log.nextGeneration() : change.bucket().generation);
        Draft record = shard.draft;
        try {
            write(shard, change, record);
        } finally {
            // A refused value of many mebibytes would stay in memory until the next write of the shard.
            record.forget();
        }
    }

    private void write(Shard shard, Change change, Draft record) throws Refused {
        long growth = draftFields(change, record);
        boolean frees = record.end().sets() == 0;
        if (!frees) {
            checkRoom(growth);
        }
        long location = log.append(frees, record);
        Bucket bucket = bucket(change);
        long costBefore = bucket.cost();
        for (int i = 0; i < change.count(); i++) {
            put(bucket, change.pending(i), record, i, location);
        }
        settle(shard, bucket, costBefore);
    }

    /** Writes that a bucket is dropped, without a change of it. Under the lock of the shard. */
    void drop(Shard shard, Bucket bucket) throws Refused {
        boolean frees = true;
        log.append(
                frees,
                shard.draft
                        .begin(Layout.DROP, 0, log.nextGeneration(), bucket.name)
                        .end());
        table.forget(shard, bucket);
    }

    /** Writes any change, under the lock of its shard. */
    void commit(Change change) throws Refused {
        Records records = records(change);
        if (!records.drafts().isEmpty()) {
            apply(change, records.drafts().iterator(), append(records, log::append), Slices.NONE);
        }
    }

    /** Writes changes of different names as one, under the locks of their shards. */
    void commit(List<Change> all) throws Refused {
        List<Draft> drafts = new ArrayList<>(all.size());
        List<Change> drafted = new ArrayList<>(all.size());
        long growth = 0;
        for (Change change : all) {
            int before = drafts.size();
            change.forgetVain();
            growth += draft(change, drafts);
            if (drafts.size() > before) {
                drafted.add(change);
            }
        }
        if (drafted.isEmpty()) {
            return;
        }
        Records records = records(drafts, drafted.stream().noneMatch(Change::keeps), growth);
        long location = append(records, log::append);
        Iterator<Draft> written = drafts.iterator();
        for (Change change : drafted) {
            location = apply(change, written, location, Slices.NONE);
        }
    }

    /**
     * Writes a change of a frozen bucket, which no other thread changes until all of it is applied. It takes and leaves the lock of the
     * shard by itself, so that other buckets of the shard are used meanwhile.
     */
    void commitLarge(Change change) throws Refused {
        Records records = records(change);
        if (records.drafts().isEmpty()) {
            return;
        }
        underWay.readLock().lock();
        try {
            long location = append(records, log::appendLarge);
            try (Slices slices = new Slices(table.shard(change.hash()).lock)) {
                apply(change, records.drafts().iterator(), location, slices);
            }
        } finally {
            underWay.readLock().unlock();
        }
    }

    /** Waits until every large change that was appended by now is applied. */
    void awaitLarge() {
        underWay.writeLock().lock();
        try {
            LOG.trace("no large change is under way");
        } finally {
            underWay.writeLock().unlock();
        }
    }

    /**
     * The records of a change.
     *
     * @param frees whether it only frees space
     * @param growth by how many bytes the live bytes of the log grow
     */
    private record Records(List<Draft> drafts, boolean frees, long growth) {}

    private Records records(Change change) {
        List<Draft> drafts = new ArrayList<>(1);
        change.forgetVain();
        long growth = draft(change, drafts);
        return records(drafts, !change.keeps(), growth);
    }

    private static Records records(List<Draft> drafts, boolean mayFree, long growth) {
        boolean frees = mayFree;
        for (int i = 0; i < drafts.size(); i++) {
            Draft draft = i < drafts.size() - 1 ? drafts.get(i).continued() : drafts.get(i);
            frees &= draft.end().sets() == 0;
        }
        return new Records(drafts, frees, growth);
    }

    @FunctionalInterface
    private interface Append {
        long append(boolean frees, Draft... change) throws Refused;
    }

    private long append(Records records, Append append) throws Refused {
        if (!records.frees()) {
            checkRoom(records.growth());
        }
        return append.append(records.frees(), records.drafts().toArray(Draft[]::new));
    }

    void checkRoom(long growth) throws Refused {
        if (maxBytes > 0 && growth > 0 && log.liveBytes().get() + growth > maxBytes) {
            throw new Refused(
                    Word.NOSPACE,
                    "the buckets on this node take %d of at most %d bytes, and this does not fit: delete keys, or raise"
                                    .formatted(log.liveBytes().get(), maxBytes)
                            + " kv.storage.max-bytes");
        }
    }

    /** Adds the records of a change; returns by how many bytes the live bytes of the log grow. */
    private long draft(Change change, List<Draft> drafts) {
        if (change.count() == 0 && !change.keeps() && !change.expires() && change.dropped() == null) {
            return 0;
        }
        long growth = change.dropped() == null ? 0 : -change.dropped().cost();
        // A bucket that is dropped and made again by one change gets a new generation.
        long generation = change.bucket() == null ? log.nextGeneration() : change.bucket().generation;
        change.begin(generation);
        if (change.keeps()) {
            Draft record = begin(new Draft(), Layout.BUCKET, Layout.KEPT, change);
            growth += record.cost();
            drafts.add(record);
        }
        if (change.count() > 0) {
            Draft record = new Draft();
            growth += draftFields(change, record);
            drafts.add(record);
        } else if (!change.keeps() && !change.expires()) {
            drafts.add(new Draft().begin(Layout.DROP, 0, generation, change.name()));
        }
        if (change.expires()) {
            Draft record = begin(new Draft(), Layout.EXPIRE, 0, change).expires(change.until());
            boolean hasOne = change.bucket() != null && change.bucket().hasExpireRecord();
            growth += record.cost() - (hasOne ? change.bucket().expireCost() : 0);
            drafts.add(record);
        }
        return growth;
    }

    /** Begins a record with the fields of a change; returns by how many bytes the live bytes of the log grow. */
    private long draftFields(Change change, Draft record) {
        begin(record, change.isValue() ? Layout.VALUE : Layout.WRITE, 0, change);
        long growth = 0;
        for (int i = 0; i < change.count(); i++) {
            ChangedKey pending = change.pending(i);
            if (pending.value == null) {
                record.delete(pending.key);
            } else {
                record.set(pending.key, pending.value, pending.until);
                growth += record.fieldCost(record.fields() - 1);
            }
            growth -= pending.costBefore;
        }
        return growth;
    }

    private static Draft begin(Draft record, int type, int flags, Change change) {
        Bucket bucket = change.bucket();
        return bucket == null
                ? record.begin(type, flags, change.generation(), change.name())
                : record.begin(type, flags | bucket.flags(), change.generation(), bucket.recordName);
    }

    /** Applies a change whose records were written at a location; returns the location behind them. */
    private long apply(Change change, Iterator<Draft> written, long location, Slices slices) {
        Shard shard = table.shard(change.hash());
        if (change.dropped() != null) {
            table.forget(shard, change.dropped());
        }
        if (change.count() == 0 && !change.keeps() && !change.expires()) {
            return location + written.next().length() / Layout.ALIGNMENT;
        }
        Bucket bucket = bucket(change);
        if (slices.areUsed()) {
            shard.names.own(bucket);
        }
        long costBefore = bucket.cost();
        long next = location;
        if (change.keeps()) {
            bucket.keptBy = next;
            next += written.next().length() / Layout.ALIGNMENT;
        }
        if (change.count() > 0) {
            Draft record = written.next();
            applyFields(bucket, change, record, next, slices);
            next += record.length() / Layout.ALIGNMENT;
        }
        if (change.expires()) {
            expire(bucket, change.until(), next);
            next += written.next().length() / Layout.ALIGNMENT;
        }
        settle(shard, bucket, costBefore);
        return next;
    }

    /** Notes the record that says when a bucket expires from now on. */
    private void expire(Bucket bucket, long until, long location) {
        if (bucket.hasExpireRecord()) {
            log.segment(bucket.lifetime.by).space().died(bucket.expireCost());
        }
        bucket.lifetime().until = until;
        bucket.lifetime().by = location;
    }

    /** The bucket of a change, made if there is none: {@link #settle} adds it to the table. */
    private static Bucket bucket(Change change) {
        Bucket bucket = change.bucket();
        if (bucket == null) {
            bucket = new Bucket(change.name(), change.hash(), change.generation());
        }
        if (change.isValue() && !bucket.isValue) {
            bucket.isValue = true;
        }
        return bucket;
    }

    private void applyFields(Bucket bucket, Change change, Draft record, long location, Slices slices) {
        for (int i = 0; i < change.count(); i++) {
            slices.next(i);
            ChangedKey pending = change.pending(i);
            if (slices.areUsed()) {
                pending.before = now(bucket, pending);
            }
            put(bucket, pending, record, i, location);
        }
    }

    /** The location of a key now: compaction may have moved it since the index was frozen. */
    private long now(Bucket bucket, ChangedKey pending) {
        long at = pending.before == Index.NONE ? Index.NONE : bucket.index.next(pending.hash, Index.NONE);
        while (at != Index.NONE && at != pending.before) {
            at = bucket.index.next(pending.hash, at);
        }
        return at == pending.before ? at : fields.find(bucket.index, pending.hash, pending.key);
    }

    private void settle(Shard shard, Bucket bucket, long costBefore) {
        if (bucket.cost() != costBefore) {
            log.liveBytes().addAndGet(bucket.cost() - costBefore);
        }
        if (bucket.isHidden()) {
            return;
        }
        shard.changed(bucket);
        shard.count(bucket);
        if (bucket.isVain()) {
            forgetVain(shard, bucket);
        } else {
            shard.names.settle(bucket);
            shard.expect(bucket);
        }
    }

    private void forgetVain(Shard shard, Bucket bucket) {
        if (bucket.publication == null && !bucket.hasExpireRecord()) {
            shard.remove(bucket);
        } else {
            table.forget(shard, bucket);
        }
    }

    /**
     * Applies the change of one key.
     *
     * @param record the record that was written
     * @param field the number of the key in it
     * @param at the location of the record
     */
    private void put(Bucket bucket, ChangedKey pending, Draft record, int field, long at) {
        long growth = (pending.value == null ? 0 : record.fieldCost(field)) - pending.costBefore;
        if (growth != 0) {
            // A write would take the cache line from other cores even if the value stayed the same.
            bucket.bytes += growth;
        }
        if (pending.before != Index.NONE) {
            log.segment(pending.before).space().died(pending.costBefore);
        }
        if (pending.value == null) {
            bucket.index.remove(pending.hash, pending.before);
            bucket.removed(pending.before);
            return;
        }
        long location = at + record.offset(field) / Layout.ALIGNMENT;
        if (pending.until != 0) {
            location |= Log.EXPIRES;
        }
        if (pending.before == Index.NONE) {
            bucket.index.add(pending.hash, location);
        } else {
            bucket.index.replace(pending.hash, pending.before, location);
        }
        bucket.wrote(record.fields() == 1);
        if (pending.until != 0 || bucket.lifetime != null) {
            bucket.expires(pending.hash, pending.until, pending.before == Index.NONE ? 0 : pending.untilBefore);
        }
    }
}
