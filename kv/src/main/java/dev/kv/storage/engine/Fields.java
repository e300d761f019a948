package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Hash;
import dev.kv.storage.format.Layout;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Segment;
import dev.kv.storage.log.StoredFields;
import java.util.random.RandomGenerator;

/** Finds keys in the {@link Log} by an {@link Index}, and reads them and their values. */
final class Fields {
    /**
     * A value of this size or more is sent from the log without a copy. For a smaller one, a copy costs less than a system call of its
     * own. No key: it is a property of the system.
     */
    static final int LARGE_MIN_BYTES = 64 * 1024;

    private final Log log;
    private final Hash hash;
    private final Liveness live;

    Fields(Log log, Hash hash) {
        this.log = log;
        this.hash = hash;
        this.live = new Liveness(log);
    }

    Hash hash() {
        return hash;
    }

    /** Tells what has expired. */
    Liveness live() {
        return live;
    }

    /** The location of the record about a key that is alone in it, from the location of its field. */
    static long record(long field, int nameBytes) {
        return field - Layout.recordCost(nameBytes) / Layout.ALIGNMENT;
    }

    /**
     * Whether the record of a small bucket at a location has this name.
     *
     * @param nameHash the hash of the name that was written there
     * @throws Damaged if it does not because it is not what was written
     */
    boolean hasName(long record, byte[] name, int nameHash) {
        StoredFields stored = log.segment(record).fields();
        if (stored.hasName(Log.offset(record), name)) {
            return true;
        }
        if (hash.of(stored.name(Log.offset(record))) != nameHash) {
            throw stored.damagedRecord(Log.offset(record));
        }
        return false;
    }

    /**
     * A small bucket, made of the record at its place.
     *
     * @throws Damaged if that is not a sound record about one bucket and at most one key
     */
    Bucket small(long record, int nameHash, byte[] name, boolean expires) {
        Segment segment = log.segment(record);
        Bucket bucket = new Bucket(name, nameHash, segment.fields().checkedGeneration(Log.offset(record), name.length));
        long field = segment.fields().onlyField(Log.offset(record));
        if (field == 0) {
            bucket.keptBy = record;
            return bucket;
        }
        long location = Log.location(segment, field);
        bucket.isValue = segment.fields().isValue(Log.offset(record));
        bucket.isOfRecord = !bucket.isValue;
        int keyHash =
                hash.of(bucket.isValue ? View.VALUE.array() : segment.fields().key(field));
        bucket.index.add(keyHash, expires ? location | Log.EXPIRES : location);
        bucket.bytes = cost(bucket, location);
        if (expires) {
            bucket.lifetime().lookAt = segment.fields().until(field);
            bucket.expires(keyHash, bucket.lifetime.lookAt, 0);
        }
        return bucket;
    }

    /** The name in the record of a small bucket. */
    byte[] name(long record) {
        return log.segment(record).fields().name(Log.offset(record));
    }

    /** The key at a location. */
    Bytes key(long location) {
        return Bytes.owning(log.segment(location).fields().key(Log.offset(location)));
    }

    /** When a key expires; 0 if it does not, or there is none. */
    long until(Index index, Bytes key, Turn turn) {
        turn.take(key.size());
        long location = find(index, hash.of(key.array()), key, turn.nowMillis());
        return location == Index.NONE ? 0 : live.until(location);
    }

    /**
     * The bucket of a record as a visitor of the table is shown it.
     *
     * @throws Damaged as {@link #small} does
     */
    BucketTable.Seen seen(long record, int nameHash, boolean expires, long nowMillis) {
        Segment segment = log.segment(record);
        try {
            byte[] name = segment.fields().name(Log.offset(record));
            Bucket bucket = small(record, nameHash, name, expires);
            long size = expires && live.isGone(bucket.lifetime.lookAt, nowMillis) ? 0 : bucket.index.size();
            return new BucketTable.Seen(name, nameHash, size, bucket.isValue, bucket.bytes);
        } catch (InternalError sigbus) {
            throw Damaged.unreadable(segment.path(), sigbus);
        }
    }

    /**
     * Verifies the key of a small bucket that is not the one looked for: nothing but the field itself tells which key it has.
     *
     * @throws Damaged if it is not what was written
     */
    void checkKey(Bucket bucket) {
        if (bucket.isOfRecord && bucket.index.size() == 1) {
            long location = bucket.index.only();
            log.segment(location).fields().check(Log.offset(location));
        }
        bucket.isOfRecord = false;
    }

    /**
     * Whether the record at the place of a small bucket has a key, or is a value.
     *
     * @throws Damaged if it is not what was written
     */
    boolean hasField(long record, int nameBytes) {
        StoredFields stored = log.segment(record).fields();
        long _ = stored.checkedGeneration(Log.offset(record), nameBytes);
        return stored.onlyField(Log.offset(record)) != 0;
    }

    /**
     * The value of a key of a small bucket as a reply; {@link Reply#ABSENT} if the key does not exist.
     *
     * @param record its place in the log
     * @throws Damaged if the record is not what was written
     * @throws Turn.TooMuch if the key and its value are more than a turn
     */
    Reply readSmall(long record, int nameBytes, Bytes key, Turn.Limits limits) {
        StoredFields stored = log.segment(record).fields();
        long field = stored.onlyField(Log.offset(record));
        if (field == 0) {
            stored.checkedGeneration(Log.offset(record), nameBytes);
            return Reply.ABSENT;
        }
        if (!stored.hasKey(field, key.array())) {
            return Reply.ABSENT;
        }
        if (stored.valueBytes(field) >= LARGE_MIN_BYTES) {
            return new Reply.LargeValue(stored.held(field, key.array()));
        }
        Turn.check((long) key.size() + stored.valueBytes(field), limits);
        return new Reply.Value(Bytes.owning(stored.value(field, key.array())));
    }

    /** The location of a key; {@link Index#NONE} if it does not exist. */
    long find(Index index, int keyHash, Bytes key) {
        long location = index.next(keyHash, Index.NONE);
        while (location != Index.NONE && !hasKey(location, keyHash, key)) {
            location = index.next(keyHash, location);
        }
        return location;
    }

    /** Does the same for a command; {@link Index#NONE} also if the key is gone. */
    private long find(Index index, int keyHash, Bytes key, long nowMillis) {
        long location = find(index, keyHash, key);
        return location != Index.NONE && live.isKeyGone(location, nowMillis) ? Index.NONE : location;
    }

    private boolean hasKey(long location, int keyHash, Bytes key) {
        StoredFields stored = log.segment(location).fields();
        if (stored.hasKey(Log.offset(location), key.array())) {
            return true;
        }
        checkHash(keyHash, stored, Log.offset(location));
        return false;
    }

    /** Throws {@link Damaged} if a field is sound, and not the one that was written there: a part of a segment may have been overwritten. */
    private void checkHash(int keyHash, StoredFields stored, long field) {
        if (hash.of(stored.key(field)) != keyHash) {
            throw stored.damaged(field);
        }
    }

    /** The location of the key of a field in the log; {@link Index#NONE} if it does not exist. */
    long find(Index index, int keyHash, Segment segment, long field) {
        long location = index.next(keyHash, Index.NONE);
        while (location != Index.NONE
                && !segment.fields().hasKeyOf(field, log.segment(location), Log.offset(location))) {
            location = index.next(keyHash, location);
        }
        return location;
    }

    /**
     * The value of a key as a reply: held in the log if it is large; {@link Reply#ABSENT} if the key does not exist.
     *
     * @param nowMillis the time as of which it is read
     * @throws Damaged if its checksum is wrong, and it is not held
     * @throws Turn.TooMuch if the key and its value are more than a turn
     */
    Reply read(Index index, Bytes key, long nowMillis, Turn.Limits limits) {
        long location = find(index, hash.of(key.array()), key, nowMillis);
        if (location == Index.NONE) {
            return Reply.ABSENT;
        }
        Segment segment = log.segment(location);
        if (isLarge(segment, location)) {
            return new Reply.LargeValue(segment.fields().held(Log.offset(location), key.array()));
        }
        Turn.check((long) key.size() + segment.fields().valueBytes(Log.offset(location)), limits);
        return new Reply.Value(Bytes.owning(segment.fields().value(Log.offset(location), key.array())));
    }

    /** Does the same as a part of a turn. */
    Reply read(Index index, Bytes key, Turn turn) {
        long location = find(index, hash.of(key.array()), key, turn.nowMillis());
        if (location != Index.NONE && isLarge(log.segment(location), location)) {
            turn.take(key.size());
            return new Reply.LargeValue(log.segment(location).fields().held(Log.offset(location), key.array()));
        }
        Bytes value = get(index, key, turn);
        return value == null ? Reply.ABSENT : new Reply.Value(value);
    }

    /** Does the same, and verifies a large value too. */
    Reply readVerified(Index index, Bytes key, Turn turn) {
        long location = find(index, hash.of(key.array()), key, turn.nowMillis());
        if (location != Index.NONE && isLarge(log.segment(location), location)) {
            StoredFields stored = log.segment(location).fields();
            turn.take((long) key.size() + stored.valueBytes(Log.offset(location)));
            stored.check(Log.offset(location));
            return new Reply.LargeValue(stored.held(Log.offset(location), key.array()));
        }
        Bytes value = get(index, key, turn);
        return value == null ? Reply.ABSENT : new Reply.Value(value);
    }

    private static boolean isLarge(Segment segment, long location) {
        return segment.fields().valueBytes(Log.offset(location)) >= LARGE_MIN_BYTES;
    }

    /**
     * The value of a key as a part of a turn; null if the key does not exist.
     *
     * @throws Damaged if its checksum is wrong
     */
    Bytes get(Index index, Bytes key, Turn turn) {
        long location = find(index, hash.of(key.array()), key, turn.nowMillis());
        if (location == Index.NONE) {
            turn.take(key.size());
            return null;
        }
        Segment segment = log.segment(location);
        turn.take((long) key.size() + segment.fields().valueBytes(Log.offset(location)));
        return Bytes.owning(segment.fields().value(Log.offset(location), key.array()));
    }

    /** See {@link View#part}. */
    Bytes part(Index index, Bytes key, int from, int to, Turn turn) {
        long location = find(index, hash.of(key.array()), key);
        StoredFields stored = log.segment(location).fields();
        turn.take((long) key.size() + stored.valueBytes(Log.offset(location)));
        return Bytes.owning(stored.part(Log.offset(location), from, to));
    }

    /** See {@link View#valueBytes}. */
    long valueBytes(Index index, Bytes key, Turn turn) {
        turn.take(key.size());
        long location = find(index, hash.of(key.array()), key, turn.nowMillis());
        return location == Index.NONE
                ? View.ABSENT
                : log.segment(location).fields().valueBytes(Log.offset(location), key.size());
    }

    /** Bytes that a field takes in the log, as if it had a record of its own. */
    long cost(Bucket bucket, long location) {
        return Layout.fieldCost(bucket.recordName.length, log.segment(location).memory(), Log.offset(location));
    }

    /** Shows pairs as {@link View#forEach} does. */
    void forEach(Index index, long fromPosition, Turn turn, View.Visitor visitor) {
        if (fromPosition > Index.POSITION_MAX) {
            return;
        }
        index.forEach(
                (int) fromPosition,
                (keyHash, location) -> live.isKeyGone(location, turn.nowMillis())
                        ? isStep(turn)
                        : show(keyHash, location, turn, visitor));
    }

    /** A key that is not shown is a step of a turn all the same. */
    private static boolean isStep(Turn turn) {
        turn.take(0);
        return true;
    }

    /** Shows a random pair; returns false if its key is gone, and is not shown. */
    boolean draw(Index index, RandomGenerator random, Turn turn, View.Visitor visitor) {
        long location = index.draw(random);
        if (live.isKeyGone(location, turn.nowMillis())) {
            turn.take(0);
            return false;
        }
        Segment segment = log.segment(location);
        boolean _ = show(hash.of(segment.fields().key(Log.offset(location))), location, turn, visitor);
        return true;
    }

    private boolean show(int keyHash, long location, Turn turn, View.Visitor visitor) {
        Segment segment = log.segment(location);
        long field = Log.offset(location);
        turn.take((long) segment.fields().keyBytes(field) + segment.fields().valueBytes(field));
        // The value first: its checksum covers the key.
        Bytes value = Bytes.owning(segment.fields().value(field));
        byte[] key = segment.fields().key(field);
        if (hash.of(key) != keyHash) {
            throw segment.fields().damaged(field);
        }
        return visitor.visit(Integer.toUnsignedLong(keyHash), Bytes.owning(key), value);
    }

    /** Counts a field as dead in its segment. */
    void died(Bucket bucket, long location) {
        log.segment(location).space().died(cost(bucket, location));
    }
}
