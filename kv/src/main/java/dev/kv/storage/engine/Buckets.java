package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Hash;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Refused;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;

/**
 * Runs one command on one bucket of the node, under the lock of its shard. Any thread: changes of buckets of one shard wait for
 * each other, a read of one key waits for none.
 */
public final class Buckets {
    private final BucketTable table;
    private final Fields fields;
    private final Changes changes;
    private final Expired expired;
    private final Publisher publisher;
    private final SeveralNames several;
    private final LiveEntries liveEntries;
    private final Turn.Limits turn;

    /**
     * @param maxBytes what all buckets together may take in the log; 0 for any
     * @param turn what a command may touch under the lock of a shard
     */
    public Buckets(Log log, Hash hash, long maxBytes, Turn.Limits turn) {
        this.table = new BucketTable(log, hash);
        this.fields = table.fields();
        this.changes = new Changes(table, maxBytes);
        this.expired = new Expired(table, changes);
        this.publisher = new Publisher(table, changes);
        this.several = new SeveralNames(table, changes, turn);
        this.liveEntries = new LiveEntries(table, changes);
        this.turn = turn;
    }

    /** All buckets. */
    public BucketTable table() {
        return table;
    }

    /**
     * The time as of which a command runs. Each takes it once, for all that it reads and changes, and when it has all its locks: what a command
     * before it was told to be gone is gone for it, too.
     *
     * @param takenMillis when the first node took the command, in milliseconds since 1970
     */
    long now(long takenMillis) {
        return fields.live().now(takenMillis);
    }

    /** Removes what has expired. */
    public Expired expired() {
        return expired;
    }

    /** Makes hidden buckets visible, and renames buckets. */
    public Publisher publisher() {
        return publisher;
    }

    /** Runs commands on several names. */
    SeveralNames several() {
        return several;
    }

    /** What the buckets need of the log. */
    public LiveEntries liveEntries() {
        return liveEntries;
    }

    /**
     * Reads a key.
     *
     * @param takenMillis when the first node took the command, in milliseconds since 1970; so for all methods
     * @return {@link Reply.Value}, {@link Reply.LargeValue}, {@link Reply#ABSENT}, {@link Reply#NOT_FOUND} or
     *     {@link Commands#WRONG_TYPE}
     * @throws Turn.TooMuch if the value is more than a turn
     */
    Reply get(long takenMillis, Bytes name, Bytes key) {
        return get(takenMillis, name, key, false);
    }

    /** Reads a value; as {@link #get} of a key. */
    Reply get(long takenMillis, Bytes name) {
        return get(takenMillis, name, View.VALUE, true);
    }

    private Reply get(long takenMillis, Bytes name, Bytes key, boolean isValue) {
        int hash = table.hash(name);
        Shard shard = table.shard(hash);
        long optimistic = shard.lock.tryOptimisticRead();
        if (optimistic != 0 && !shard.hasLanes()) {
            try {
                Reply reply = get(takenMillis, shard, hash, name, key, isValue);
                if (shard.lock.validate(optimistic)) {
                    return reply;
                }
                Held.releaseIn(reply);
            } catch (RuntimeException | InternalError e) {
                // The read may have seen half of a change, unless the stamp is still valid.
                boolean isValid = shard.lock.validate(optimistic);
                if (isValid && (e instanceof Damaged || e instanceof Turn.TooMuch)) {
                    throw e;
                }
                if (!isValid && e instanceof Damaged met) {
                    table.log()
                            .segments()
                            .live()
                            .forEach(segment -> segment.fields().forget(met));
                }
            }
        }
        long stamp = shard.lock.readLock();
        try {
            shard.check(name);
            return get(takenMillis, shard, hash, name, key, isValue);
        } finally {
            shard.lock.unlockRead(stamp);
        }
    }

    private Reply get(long takenMillis, Shard shard, int hash, Bytes name, Bytes key, boolean isValue) {
        long place = shard.names.place(hash, name.array());
        if (place == Index.NONE) {
            return isValue ? Reply.ABSENT : Reply.NOT_FOUND;
        }
        if (NameSlot.isObject(place)) {
            Bucket bucket = shard.names.object(place);
            long now = bucket.lifetime == null ? 0 : fields.live().now(takenMillis);
            if (fields.live().isGone(bucket, now)) {
                return isValue ? Reply.ABSENT : Reply.NOT_FOUND;
            }
            if (bucket.isValue == isValue) {
                return fields.read(bucket.index, key, now, turn);
            }
            return fields.live().hasKeys(bucket, now) ? Commands.WRONG_TYPE : Reply.ABSENT;
        }
        if (NameSlot.expires(place)
                && fields.live()
                        .isSmallGone(NameSlot.record(place), fields.live().now(takenMillis))) {
            return isValue || NameSlot.isKept(place) ? Reply.ABSENT : Reply.NOT_FOUND;
        }
        if (NameSlot.isValue(place) == isValue) {
            return fields.readSmall(NameSlot.record(place), name.size(), key, turn);
        }
        return fields.hasField(NameSlot.record(place), name.size()) ? Commands.WRONG_TYPE : Reply.ABSENT;
    }

    /**
     * Sets values of several names in one change, unless one of them has a value or a bucket with keys.
     *
     * @return whether they were set
     * @throws Refused if the change could not be written: nothing is changed then
     * @throws Turn.TooMuch if it touches more than a turn: nothing is changed then
     * @throws Lanes.Busy if a large change of one of the names is under way
     */
    boolean setAbsent(long takenMillis, Map<Bytes, Bytes> values) throws Refused {
        Turn ofAll = new Turn(turn, 0);
        values.forEach((name, value) -> ofAll.take((long) name.size() + value.size()));
        // First with one lock at a time: what is read under all of them is in memory then.
        for (Bytes name : values.keySet()) {
            if (isTaken(takenMillis, name)) {
                return false;
            }
        }
        BucketTable.Locks locks =
                table.lock(values.keySet().stream().mapToInt(table::hash).toArray());
        try {
            long now = now(takenMillis);
            List<Change> all = new ArrayList<>(values.size());
            for (Map.Entry<Bytes, Bytes> each : values.entrySet()) {
                Bytes name = each.getKey();
                int hash = table.hash(name);
                Shard shard = table.shard(hash);
                shard.check(name);
                Bucket there = shard.names.find(hash, name.array());
                if (fields.live().isTaken(there, now)) {
                    return false;
                }
                all.add(new Change(fields, new Turn(Turn.Limits.NONE, now))
                        .of(name.array(), hash, there)
                        .valueOf(each.getValue(), 0));
            }
            changes.commit(all);
            return true;
        } finally {
            locks.unlock();
        }
    }

    private boolean isTaken(long takenMillis, Bytes name) {
        int hash = table.hash(name);
        Shard shard = table.shard(hash);
        long stamp = shard.lock.readLock();
        try {
            shard.check(name);
            return fields.live().isTaken(shard.names.find(hash, name.array()), now(takenMillis));
        } finally {
            shard.lock.unlockRead(stamp);
        }
    }

    /**
     * Has a command read a bucket.
     *
     * @throws Turn.TooMuch if it reads more than a turn
     * @throws Lanes.Busy if a large change of the bucket is under way
     */
    public Reply read(long takenMillis, Bytes name, Function<View, Reply> command) {
        int hash = table.hash(name);
        Shard shard = table.shard(hash);
        long stamp = shard.lock.readLock();
        try {
            shard.check(name);
            Bucket bucket = shard.names.find(hash, name.array());
            return command.apply(Reading.of(fields, bucket, new Turn(turn, now(takenMillis))));
        } finally {
            shard.lock.unlockRead(stamp);
        }
    }

    /**
     * Has a command change a bucket.
     *
     * @throws Refused if the change could not be written: nothing is changed then
     * @throws Turn.TooMuch if it touches more than a turn: nothing is changed then
     * @throws Lanes.Busy if a large change of the bucket is under way
     */
    public Reply edit(long takenMillis, Bytes name, Function<Edit, Reply> command) throws Refused {
        int hash = table.hash(name);
        Shard shard = table.shard(hash);
        long stamp = shard.lock.writeLock();
        Change change = shard.change;
        try {
            shard.check(name);
            Bucket bucket = shard.names.find(hash, name.array());
            Reply reply = command.apply(change.begin(turn, now(takenMillis)).of(name.array(), hash, bucket));
            if (change.isOfFieldsAlone()) {
                changes.write(shard, change);
            } else {
                changes.commit(change);
            }
            return reply;
        } catch (Refused | RuntimeException | Error e) {
            change.releaseHeld();
            throw e;
        } finally {
            change.forget();
            shard.lock.unlockWrite(stamp);
        }
    }

    /**
     * A bucket as it is now.
     *
     * @throws Lanes.Busy if a large change of it is under way
     */
    public Frozen frozen(long takenMillis, Bytes name) {
        return frozen(takenMillis, name, (_, _) -> {});
    }

    /**
     * Begins a large change of a bucket: other commands on it wait until {@link Lanes#end}.
     *
     * @throws Lanes.Busy if another one is under way
     */
    LargeChange beginLarge(long takenMillis, Bytes name) {
        Lanes.Lane[] lane = new Lanes.Lane[1];
        Frozen frozen = frozen(takenMillis, name, (shard, bucket) -> {
            lane[0] = shard.lane(name);
            if (bucket != null) {
                // Compaction moves its entries meanwhile. If nothing comes of the change, it is given back.
                shard.names.own(bucket);
                shard.names.list(bucket);
            }
        });
        return new LargeChange(changes, frozen, lane[0]);
    }

    /**
     * @param then runs under the lock of the shard, after all that can fail; its bucket is null if there is none of the name
     */
    private Frozen frozen(long takenMillis, Bytes name, BiConsumer<Shard, Bucket> then) {
        int hash = table.hash(name);
        Shard shard = table.shard(hash);
        long stamp = shard.lock.writeLock();
        try {
            shard.check(name);
            Bucket bucket = shard.names.find(hash, name.array());
            Frozen frozen = new Frozen(table.log(), fields, name.array(), hash, bucket, now(takenMillis));
            then.accept(shard, bucket);
            return frozen;
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }
}
