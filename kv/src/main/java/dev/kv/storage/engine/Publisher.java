package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Layout;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Refused;
import java.util.List;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Gives buckets their names by one <i>publish</i> record each, whatever the buckets hold: makes a hidden bucket visible, and renames
 * one. A small value is written again instead. Any thread.
 */
public final class Publisher {
    private final BucketTable table;
    private final Log log;
    private final Changes changes;

    Publisher(BucketTable table, Changes changes) {
        this.table = table;
        this.log = table.log();
        this.changes = changes;
    }

    /**
     * Makes a bucket that no command sees until it is {@linkplain #publish published}. A bucket that is neither published nor
     * {@linkplain #abandon abandoned} is dropped at the next start.
     *
     * @param name the name under which it is to be published
     */
    public Bucket hidden(Bytes name) {
        Bucket bucket = new Bucket(name.array(), table.hash(name), log.nextGeneration());
        bucket.publication = new Publication();
        table.byGeneration().put(bucket.generation, bucket);
        return bucket;
    }

    /**
     * Changes a hidden bucket. Many small changes take no more time than a large one, and leave the lock of the shard to others between
     * them, and while the disk is behind. Not on an I/O loop.
     *
     * @throws Refused if the change could not be written: nothing is changed then
     */
    public void fill(Bucket hidden, Consumer<Edit> command) throws Refused {
        log.tail().awaitDisk();
        Shard shard = table.shard(hidden.hash);
        long stamp = shard.lock.writeLock();
        Change change = shard.change;
        try {
            // Nothing has expired: nobody reads the bucket before it is published.
            command.accept(change.begin(Turn.Limits.NONE, 0).of(hidden.name, hidden.hash, hidden));
            changes.commit(change);
        } finally {
            change.forget();
            shard.lock.unlockWrite(stamp);
        }
    }

    /**
     * Makes a hidden bucket visible under its name, in the place of the bucket that has the name, which is dropped. A hidden bucket
     * without keys that is not kept is dropped, too.
     *
     * @param takenMillis when the first node took the command
     * @param may looks at the bucket that has the name now, and decides
     * @return what {@code may} returned; if false, nothing is changed
     * @throws Refused if the record could not be written: nothing is changed then
     */
    public boolean publish(long takenMillis, Bucket hidden, Predicate<View> may) throws Refused {
        Shard shard = table.shard(hidden.hash);
        long stamp = shard.lock.writeLock();
        try {
            shard.check(Bytes.owning(hidden.name));
            Bucket there = shard.names.find(hidden.hash, hidden.name);
            if (!may.test(view(there, now(takenMillis)))) {
                return false;
            }
            if (hidden.isVain()) {
                Change drop = new Change(table.fields()).of(hidden.name, hidden.hash, there);
                drop.drop();
                changes.commit(drop);
                table.forget(shard, hidden);
            } else {
                publish(hidden, hidden.name, hidden.hash, there);
            }
            return true;
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }

    /** Drops a hidden bucket. */
    public void abandon(Bucket hidden) {
        Shard shard = table.shard(hidden.hash);
        long stamp = shard.lock.writeLock();
        try {
            table.forget(shard, hidden);
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }

    /**
     * Gives a bucket another name, in the place of the bucket that has that name, which is dropped.
     *
     * @param takenMillis when the first node took the command
     * @param may looks at the two buckets as they are now, and decides
     * @return whether the bucket was renamed; if false, nothing is changed
     * @throws Refused if the record could not be written: nothing is changed then
     */
    public boolean rename(long takenMillis, Bytes from, Bytes to, BiPredicate<View, View> may) throws Refused {
        int hash = table.hash(from);
        int toHash = table.hash(to);
        BucketTable.Locks locks = table.lock(hash, toHash);
        try {
            Shard shard = table.shard(hash);
            Shard toShard = table.shard(toHash);
            shard.check(from);
            toShard.check(to);
            Bucket bucket = shard.names.find(hash, from.array());
            Bucket there = from.equals(to) ? bucket : toShard.names.find(toHash, to.array());
            long now = now(takenMillis);
            if (!may.test(view(bucket, now), view(there, now)) || bucket == null || bucket == there) {
                return false;
            }
            if (isCopied(bucket)) {
                changes.commit(List.of(
                        new Change(table.fields()).dropOf(bucket),
                        new Change(table.fields())
                                .of(to.array(), toHash, there)
                                .valueOf(value(bucket), bucket.until())));
            } else {
                publish(bucket, to.array(), toHash, there);
            }
            return true;
        } finally {
            locks.unlock();
        }
    }

    /** Whether a rename writes it again under its new name: it takes no object then, however often values are renamed. */
    private static boolean isCopied(Bucket bucket) {
        return bucket.isValue && bucket.publication == null && bucket.bytes <= Fields.LARGE_MIN_BYTES;
    }

    private Bytes value(Bucket bucket) {
        return table.fields().get(bucket.index, View.VALUE, new Turn(Turn.Limits.NONE, 0));
    }

    /** See {@link Buckets#now}. */
    private long now(long takenMillis) {
        return table.fields().live().now(takenMillis);
    }

    private View view(Bucket bucket, long nowMillis) {
        return Reading.of(table.fields(), bucket, new Turn(Turn.Limits.NONE, nowMillis));
    }

    /** Writes the record that gives a bucket a name, and puts it into force. */
    private void publish(Bucket bucket, byte[] name, int hash, Bucket there) throws Refused {
        boolean leaves = bucket.publication == null;
        Draft record = new Draft()
                .begin(Layout.PUBLISH, leaves ? 0 : Layout.HIDDEN, bucket.generation, name)
                .recordName(bucket.recordName)
                .end();
        changes.checkRoom(record.cost() - (there == null ? 0 : there.cost()));
        long location = log.append(false, record);
        if (there != null) {
            table.forget(table.shard(hash), there);
        }
        if (leaves) {
            bucket.publication = new Publication();
            bucket.publication.isVisible = true;
            table.byGeneration().put(bucket.generation, bucket);
        }
        if (!bucket.isHidden()) {
            table.shard(bucket.hash).take(bucket);
        }
        published(bucket, name, hash, leaves, location, record.cost());
    }

    /**
     * Adds a bucket to the table under a name that no bucket has, under the lock of that name's shard.
     *
     * @param leaves whether its records were found by their own name before
     * @param location the publish record
     * @param cost what that takes in the log
     */
    void published(Bucket bucket, byte[] name, int hash, boolean leaves, long location, long cost) {
        bucket.name = name;
        bucket.hash = hash;
        bucket.publication.isVisible = true;
        Shard shard = table.shard(hash);
        shard.changed(bucket);
        shard.names.settle(bucket);
        shard.count(bucket);
        if (bucket.lifetime != null) {
            bucket.lifetime.lookAt = Expiries.NEVER;
            shard.expect(bucket);
        }
        long costBefore = bucket.publication.cost();
        if (leaves) {
            bucket.publication.left(location, cost);
        } else {
            bucket.publication.outlived(log);
            bucket.publication.published(location, cost);
        }
        log.liveBytes().addAndGet(bucket.publication.cost() - costBefore);
    }
}
