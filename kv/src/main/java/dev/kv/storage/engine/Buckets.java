package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.spi.Engine.BucketVisitor;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Draft;
import dev.kv.storage.format.Hash;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Scan;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Pin;
import dev.kv.storage.log.Refused;
import dev.kv.storage.log.Rescue;
import dev.kv.storage.log.Segment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.StampedLock;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongConsumer;
import java.util.function.Predicate;

/**
 * The buckets on this node by name, in memory as far as they have to be: where their fields are in the log. Any thread may
 * call; who changes buckets of one shard waits for its turn, who reads does not.
 */
public final class Buckets implements Rescue.Moves {
    /** So many that threads seldom meet in one, and few enough to go through all of them for a question about all buckets. */
    private static final int SHARD_BITS = 10;

    private static final int SHARD_SHIFT = Integer.SIZE - SHARD_BITS;

    /** So many tables of fields, of some thousand each, are gone through while a lock is held. */
    private static final int TABLES_AT_ONCE = 16;

    private final Log log;
    private final Fields fields;
    private final Changes changes;
    private final Turn.Limits turn;
    private final Shard[] shards = new Shard[1 << SHARD_BITS];

    private final GoneBuckets gone;

    /** Those whose name in their records is not what says where they are: hidden ones, and those that were. */
    private final Map<Long, Bucket> byGeneration = new ConcurrentHashMap<>();

    /**
     * @param maxBytes what all buckets together may take in the log; 0 for any
     * @param turn what a command may touch under the lock of a shard
     */
    public Buckets(Log log, Hash hash, long maxBytes, Turn.Limits turn) {
        this.log = log;
        this.fields = new Fields(log, hash);
        this.gone = new GoneBuckets(log, bucket -> byGeneration.remove(bucket.generation));
        this.changes = new Changes(log, fields, this, maxBytes);
        this.turn = turn;
        for (int i = 0; i < shards.length; i++) {
            shards[i] = new Shard(SHARD_BITS, fields);
        }
    }

    Fields fields() {
        return fields;
    }

    /** The buckets that are found by their generation, as long as anything in the log counts as theirs. */
    Map<Long, Bucket> byGeneration() {
        return byGeneration;
    }

    /** Where buckets are whose names have such a hash. */
    Shard shard(int hash) {
        return shards[hash >>> SHARD_SHIFT];
    }

    /**
     * Reads a key.
     *
     * @return {@link Reply.Value}, {@link Reply.LargeValue}, {@link Reply#ABSENT} or {@link Reply#NOT_FOUND}
     * @throws Turn.TooMuch if the value is more than a turn
     */
    Reply get(Bytes name, Bytes key) {
        int hash = fields.hash().of(name.array());
        Shard shard = shard(hash);
        long optimistic = shard.lock.tryOptimisticRead();
        if (optimistic != 0 && !shard.hasLanes()) {
            try {
                Reply reply = get(shard, hash, name, key);
                if (shard.lock.validate(optimistic)) {
                    return reply;
                }
                Held.releaseIn(reply);
            } catch (RuntimeException | InternalError e) {
                // What was read may have been half of a change: a valid stamp alone tells.
                if (shard.lock.validate(optimistic) && (e instanceof Damaged || e instanceof Turn.TooMuch)) {
                    throw e;
                }
            }
        }
        long stamp = shard.lock.readLock();
        try {
            shard.check(name);
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
        return fields.read(bucket.index, key, turn);
    }

    /** A bucket as it was at one moment, until it is closed. */
    public final class Frozen implements AutoCloseable {
        private final Bucket bucket;
        private final Index index;
        private final boolean isKept;
        private final long bytesMin;
        private final Pin pin;

        private Frozen(Bucket bucket) {
            this.bucket = bucket;
            this.index = bucket == null ? new Index() : bucket.index.frozen();
            this.isKept = bucket != null && bucket.isKept();
            this.bytesMin = bucket == null ? 0 : bucket.contentBytesMin();
            this.pin = log.segments().pinKnown();
        }

        /** A change of the bucket, which nobody else changes. */
        Change change(Bytes name) {
            int hash = fields.hash().of(name.array());
            return new Change(fields).of(name.array(), hash, bucket, index, Turn.Limits.NONE);
        }

        /** Whether there was such a bucket. */
        public boolean exists() {
            return bucket != null;
        }

        public boolean isKept() {
            return isKept;
        }

        /** To be read as long as it takes. */
        public View view() {
            return new Reading(fields, index, isKept, bytesMin, new Turn(Turn.Limits.NONE));
        }

        /** Whether it was held for so long that it is no longer there. */
        public boolean isCutOff() {
            return pin.isCutOff();
        }

        /** The segments that it is in may go. */
        @Override
        public void close() {
            pin.close();
        }
    }

    /**
     * A bucket as it is now.
     *
     * @throws Lanes.Busy if a large change of it is under way
     */
    public Frozen frozen(Bytes name) {
        return frozen(name, _ -> {});
    }

    /**
     * Begins a large change of a bucket: it is the change's alone until {@link #end}.
     *
     * @throws Lanes.Busy if another one is under way
     */
    LargeChange beginLarge(Bytes name) {
        Lanes.Lane[] lane = new Lanes.Lane[1];
        Frozen frozen = frozen(name, shard -> lane[0] = shard.lane(name));
        return new LargeChange(changes, frozen, lane[0]);
    }

    /**
     * @param then is done under the lock of the shard, when nothing can fail any more
     */
    private Frozen frozen(Bytes name, Consumer<Shard> then) {
        int hash = fields.hash().of(name.array());
        Shard shard = shard(hash);
        long stamp = shard.lock.writeLock();
        try {
            shard.check(name);
            Frozen frozen = new Frozen(shard.find(hash, name.array()));
            then.accept(shard);
            return frozen;
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }

    /**
     * Has a command on two buckets wait for both, if a large change of one of them is under way.
     *
     * @return whether it waits, or why not
     */
    Lanes.Place park(Lanes lanes, Bytes first, Bytes second, Lanes.Parked command) {
        int hash = fields.hash().of(first.array());
        int secondHash = fields.hash().of(second.array());
        Locks locks = lock(hash, secondHash);
        try {
            List<Lanes.Lane> busy = new ArrayList<>();
            shard(hash).openLane(first).ifPresent(busy::add);
            shard(secondHash).openLane(second).ifPresent(busy::add);
            if (busy.isEmpty()) {
                return Lanes.Place.ENDED;
            }
            if (!lanes.hasRoom(command)) {
                return Lanes.Place.REFUSED;
            }
            lanes.parkInBoth(List.of(shard(hash).lane(first), shard(secondHash).lane(second)), busy, command);
            return Lanes.Place.WAITS;
        } finally {
            locks.unlock();
        }
    }

    /** Has a command wait in the lane of its bucket, which is opened if there is none. */
    Lanes.Opening parkOrOpen(Lanes lanes, Bytes name, Lanes.Parked command) {
        Shard shard = shard(fields.hash().of(name.array()));
        long stamp = shard.lock.writeLock();
        try {
            boolean isOpen = shard.openLane(name).isPresent();
            Lanes.Lane lane = shard.lane(name);
            Lanes.Place place = lanes.park(lane, command);
            if (!isOpen && place == Lanes.Place.REFUSED) {
                shard.remove(lane);
                return new Lanes.Opening(place, Optional.empty());
            }
            return new Lanes.Opening(place, isOpen ? Optional.empty() : Optional.of(lane));
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }

    /** Ends a lane, unless something waits there. */
    boolean end(Lanes lanes, Lanes.Lane lane) {
        Shard shard = shard(fields.hash().of(lane.bucket().array()));
        long stamp = shard.lock.writeLock();
        try {
            if (!lanes.end(lane)) {
                return false;
            }
            shard.remove(lane);
            return true;
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }

    /**
     * Has a command look at a bucket.
     *
     * @throws Turn.TooMuch if it looks at more than a turn
     */
    public Reply read(Bytes name, Function<View, Reply> command) {
        int hash = fields.hash().of(name.array());
        Shard shard = shard(hash);
        long stamp = shard.lock.readLock();
        try {
            shard.check(name);
            return command.apply(Reading.of(fields, shard.find(hash, name.array()), new Turn(turn)));
        } finally {
            shard.lock.unlockRead(stamp);
        }
    }

    /**
     * Has a command change a bucket.
     *
     * @throws Refused if the change could not be written: nothing is changed then
     */
    public Reply edit(Bytes name, Function<Edit, Reply> command) throws Refused {
        int hash = fields.hash().of(name.array());
        Shard shard = shard(hash);
        long stamp = shard.lock.writeLock();
        Change change = shard.change;
        try {
            shard.check(name);
            Reply reply = command.apply(change.of(name.array(), hash, shard.find(hash, name.array()), turn));
            if (change.isOfFieldsAlone()) {
                changes.write(shard, change);
            } else {
                changes.commit(change);
            }
            return reply;
        } finally {
            change.forget();
            shard.lock.unlockWrite(stamp);
        }
    }

    /** The locks of the shards of two buckets, held for writing. */
    private record Locks(StampedLock outer, long outerStamp, StampedLock inner, long innerStamp) {
        void unlock() {
            if (!inner.equals(outer)) {
                inner.unlockWrite(innerStamp);
            }
            outer.unlockWrite(outerStamp);
        }
    }

    private Locks lock(int hash, int secondHash) {
        // In an order that is the same for all.
        boolean isInOrder = Integer.compareUnsigned(hash, secondHash) <= 0;
        StampedLock outer = shard(isInOrder ? hash : secondHash).lock;
        StampedLock inner = shard(isInOrder ? secondHash : hash).lock;
        long outerStamp = outer.writeLock();
        return new Locks(outer, outerStamp, inner, inner.equals(outer) ? 0 : inner.writeLock());
    }

    /**
     * Makes a bucket that nobody sees until it is {@linkplain #publish published}; one that is neither published nor
     * {@linkplain #abandon abandoned} when the process ends is gone.
     *
     * @param name under which it is to be published
     */
    public Bucket hidden(Bytes name) {
        Bucket bucket = new Bucket(name.array(), fields.hash().of(name.array()), log.nextGeneration());
        bucket.publication = new Publication();
        byGeneration.put(bucket.generation, bucket);
        return bucket;
    }

    /**
     * Changes a hidden bucket. Many small changes of one take no more than one large one, and others get their turn between
     * them.
     *
     * @throws Refused if the change could not be written: nothing is changed then
     */
    public void fill(Bucket hidden, Consumer<Edit> command) throws Refused {
        Shard shard = shard(hidden.hash);
        long stamp = shard.lock.writeLock();
        Change change = shard.change;
        try {
            command.accept(change.of(hidden.name, hidden.hash, hidden));
            changes.commit(change);
        } finally {
            change.forget();
            shard.lock.unlockWrite(stamp);
        }
    }

    /**
     * Has a hidden bucket stand under its name from now on; what stood there is gone. It is one small change, whatever the two
     * hold. A hidden bucket without keys that is not kept is gone, too.
     *
     * @param may looks at what stands under the name now, and decides
     * @return whether that is done; else the bucket is as it was
     * @throws Refused if the change could not be written: nothing is changed then
     */
    public boolean publish(Bucket hidden, Predicate<View> may) throws Refused {
        Shard shard = shard(hidden.hash);
        long stamp = shard.lock.writeLock();
        try {
            shard.check(Bytes.owning(hidden.name));
            Bucket there = shard.find(hidden.hash, hidden.name);
            if (!may.test(view(there))) {
                return false;
            }
            if (hidden.isVain()) {
                Change drop = new Change(fields).of(hidden.name, hidden.hash, there);
                drop.drop();
                changes.commit(drop);
                forget(shard, hidden);
            } else {
                publish(hidden, hidden.name, hidden.hash, there);
            }
            return true;
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }

    /** Gives up a hidden bucket. */
    public void abandon(Bucket hidden) {
        Shard shard = shard(hidden.hash);
        long stamp = shard.lock.writeLock();
        try {
            forget(shard, hidden);
        } finally {
            shard.lock.unlockWrite(stamp);
        }
    }

    /**
     * Gives a bucket another name; what stood under that is gone. It is one small change, whatever the two hold.
     *
     * @param may looks at what stands under the two names now, and decides
     * @return whether that is done; else, and where there is no such bucket, nothing is changed
     * @throws Refused if the change could not be written: nothing is changed then
     */
    public boolean rename(Bytes from, Bytes to, BiPredicate<View, View> may) throws Refused {
        int hash = fields.hash().of(from.array());
        int toHash = fields.hash().of(to.array());
        Locks locks = lock(hash, toHash);
        try {
            shard(hash).check(from);
            shard(toHash).check(to);
            Bucket bucket = shard(hash).find(hash, from.array());
            Bucket there = shard(toHash).find(toHash, to.array());
            if (!may.test(view(bucket), view(there)) || bucket == null || bucket == there) {
                return false;
            }
            publish(bucket, to.array(), toHash, there);
            return true;
        } finally {
            locks.unlock();
        }
    }

    private View view(Bucket bucket) {
        return Reading.of(fields, bucket, new Turn(Turn.Limits.NONE));
    }

    /** Writes that a bucket has this name from now on, and puts that into force. */
    private void publish(Bucket bucket, byte[] name, int hash, Bucket there) throws Refused {
        boolean leaves = bucket.publication == null;
        Draft record = new Draft()
                .begin(Layout.PUBLISH, leaves ? 0 : Layout.HIDDEN, bucket.generation, name)
                .recordName(bucket.recordName)
                .end();
        changes.checkRoom(record.cost() - (there == null ? 0 : there.cost()));
        long location = log.append(false, record);
        if (there != null) {
            forget(shard(hash), there);
        }
        if (leaves) {
            bucket.publication = new Publication();
            bucket.publication.isVisible = true;
            byGeneration.put(bucket.generation, bucket);
        }
        if (!bucket.isHidden()) {
            shard(bucket.hash).take(bucket);
        }
        name(bucket, name, hash);
        published(bucket, leaves, location, record.cost());
    }

    /** Has a bucket stand under a name, where none does. */
    void name(Bucket bucket, byte[] name, int hash) {
        bucket.name = name;
        bucket.hash = hash;
        bucket.publication.isVisible = true;
        Shard shard = shard(hash);
        shard.add(bucket);
        shard.countFilled(bucket);
    }

    /** A record, which takes so much in the log, gave a bucket its name. */
    void published(Bucket bucket, boolean leaves, long location, long cost) {
        long costBefore = bucket.publication.cost();
        if (leaves) {
            bucket.publication.left(location, cost);
        } else {
            bucket.publication.outlived(log);
            bucket.publication.published(location, cost);
        }
        log.liveBytes().addAndGet(bucket.publication.cost() - costBefore);
    }

    /** A bucket is gone with all that it holds. */
    void forget(Shard shard, Bucket bucket) {
        if (bucket.isHidden()) {
            bucket.goes();
        } else {
            shard.remove(bucket);
        }
        log.liveBytes().addAndGet(-bucket.cost());
        gone.add(bucket);
    }

    /** Counts in the log what buckets held that are gone. */
    public void countGone() {
        gone.count();
    }

    @Override
    public void settle() {
        changes.awaitLarge();
        for (Shard shard : shards) {
            shard.lock.unlockWrite(shard.lock.writeLock());
        }
        countGone();
    }

    /**
     * Shows where all that is needed stands, {@link Index#NONE} among it; what is changed meanwhile may be left out, or be shown and
     * no longer needed.
     */
    public void forEachLocation(LongConsumer visitor) {
        for (Shard shard : shards) {
            List<Bucket> buckets = new ArrayList<>();
            long stamp = shard.lock.readLock();
            try {
                shard.forEach(buckets::add);
            } finally {
                shard.lock.unlockRead(stamp);
            }
            forEachLocation(buckets, visitor);
        }
        // Hidden ones; and those that had another name, in a shard that was not seen yet, while this one was.
        forEachLocation(List.copyOf(byGeneration.values()), visitor);
    }

    private void forEachLocation(List<Bucket> buckets, LongConsumer visitor) {
        int next = 0;
        long position = 0;
        while (next < buckets.size()) {
            int hash = buckets.get(next).hash;
            Shard shard = shard(hash);
            long stamp = shard.lock.readLock();
            try {
                for (int tables = 0; tables < TABLES_AT_ONCE && next < buckets.size(); tables++) {
                    Bucket bucket = buckets.get(next);
                    if (shard(bucket.hash) != shard) {
                        // It has another name now, and is guarded by another lock.
                        break;
                    }
                    visitor.accept(bucket.keptBy);
                    if (bucket.publication != null) {
                        bucket.publication.forEachLocation(visitor);
                    }
                    position = bucket.index.forEachLocation(position, visitor);
                    if (position > Index.POSITION_MAX) {
                        position = 0;
                        next++;
                    }
                }
            } finally {
                shard.lock.unlockRead(stamp);
            }
        }
    }

    @Override
    public boolean move(Scan scan, Segment to, long fromLocation, long toLocation) {
        byte[] name = scan.name();
        int hash = fields.hash().of(name);
        Shard shard = shard(hash);
        long stamp = shard.lock.writeLock();
        try {
            Bucket bucket = scan.isHidden() ? null : shard.find(hash, name);
            if (bucket != null && bucket.generation == scan.generation()) {
                return move(bucket, scan, to, fromLocation, toLocation);
            }
        } finally {
            shard.lock.unlockWrite(stamp);
        }
        Bucket bucket = byGeneration.get(scan.generation());
        return bucket != null && moveRenamed(bucket, scan, to, fromLocation, toLocation);
    }

    private boolean moveRenamed(Bucket bucket, Scan scan, Segment to, long fromLocation, long toLocation) {
        while (true) {
            Shard shard = shard(bucket.hash);
            long stamp = shard.lock.writeLock();
            try {
                if (shard(bucket.hash) == shard) {
                    return !bucket.isGone() && move(bucket, scan, to, fromLocation, toLocation);
                }
            } finally {
                shard.lock.unlockWrite(stamp);
            }
        }
    }

    private boolean move(Bucket bucket, Scan scan, Segment to, long fromLocation, long toLocation) {
        return switch (scan.kind()) {
            case Layout.SET -> bucket.index.replace(fields.hash().of(to.key(scan.entry())), fromLocation, toLocation);
            case Layout.BUCKET -> {
                boolean isIt = bucket.keptBy == fromLocation;
                bucket.keptBy = isIt ? toLocation : bucket.keptBy;
                yield isIt;
            }
            case Layout.PUBLISH -> bucket.publication != null && bucket.publication.move(fromLocation, toLocation);
            default -> false;
        };
    }

    /** Shows every bucket that is there all the while. */
    public void forEachBucket(BucketVisitor visitor) {
        forEachBucket(0, (_, bucket) -> {
            visitor.visit(Bytes.owning(bucket.name()), bucket.bytes());
            return true;
        });
    }

    /**
     * A bucket as it was when it was looked at.
     *
     * @param size how many keys it has
     * @param bytes what they take in the log
     */
    @SuppressWarnings("ArrayRecordComponent") // a name that nobody compares
    record Seen(byte[] name, int hash, long size, long bytes) {}

    /** Sees buckets. */
    @FunctionalInterface
    interface Visitor {
        /** Returns whether it wants to see more. */
        boolean visit(long position, Seen bucket);
    }

    /**
     * Shows buckets from a position on, in the order of their positions, until the visitor has seen enough. The position of a
     * bucket is the hash of its name, as that of a key.
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

    /** How many have keys. */
    long filled() {
        long filled = 0;
        for (Shard shard : shards) {
            long stamp = shard.lock.readLock();
            try {
                filled += shard.filled();
            } finally {
                shard.lock.unlockRead(stamp);
            }
        }
        return filled;
    }

    /** How many there are. */
    public record Count(long buckets, long keys) {}

    public Count count() {
        long buckets = 0;
        long keys = 0;
        for (Shard shard : shards) {
            long stamp = shard.lock.readLock();
            try {
                buckets += shard.count();
                keys += shard.keys();
            } finally {
                shard.lock.unlockRead(stamp);
            }
        }
        return new Count(buckets, keys);
    }
}
