package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.storage.index.Index;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A change of one bucket, collected while a command runs; {@link Changes} writes and applies it. An object is reused for the next
 * change. One thread at a time.
 */
final class Change implements Edit {
    private final Fields fields;
    private final Turn turn;
    private byte[] name;
    private int hash;

    /** The bucket; null if there is none of the name, or this change drops it. */
    private Bucket bucket;

    /** The index that is read: that of the bucket, or a frozen one. */
    private Index index;

    private Bucket dropped;
    private long generation;
    private boolean isKept;
    private boolean isValue;

    /** When the bucket expires; 0 if it does not. Of a value, its key has that. */
    private long until;

    private boolean hasNewUntil;

    /** Whether the bucket has keys, of which none is there for the command. */
    private boolean areAllGone;

    private long size;
    private final ChangedKeys changed = new ChangedKeys();

    /** What walks and draws read; null until the first of these. */
    private VisibleKeys visible;

    /** The large values in the reply to the command. */
    private final List<Held> held = new ArrayList<>(0);

    Change(Fields fields) {
        this(fields, new Turn(Turn.Limits.NONE));
    }

    Change(Fields fields, Turn turn) {
        this.fields = fields;
        this.turn = turn;
    }

    /** Begins a change without a limit of the turn. */
    Change of(byte[] ofName, int ofHash, Bucket ofBucket) {
        return of(ofName, ofHash, ofBucket, Turn.Limits.NONE);
    }

    /**
     * Begins a change under the lock of the shard.
     *
     * @param ofBucket the bucket of that name; null if there is none
     */
    Change of(byte[] ofName, int ofHash, Bucket ofBucket, Turn.Limits limits) {
        return of(ofName, ofHash, ofBucket, ofBucket == null ? null : ofBucket.index, limits);
    }

    /** Begins a change that reads a frozen index. No other thread changes the bucket until it is applied. */
    Change of(byte[] ofName, int ofHash, Bucket ofBucket, Index ofIndex, Turn.Limits limits) {
        turn.begin(limits);
        name = ofName;
        hash = ofHash;
        bucket = ofBucket;
        index = ofIndex;
        dropped = null;
        generation = 0;
        isKept = ofBucket != null && ofBucket.isKept();
        isValue = ofBucket != null && ofBucket.isValue;
        until = ofBucket == null || ofBucket.isValue ? 0 : ofBucket.until();
        hasNewUntil = false;
        areAllGone = false;
        turn.at(0);
        size = ofBucket == null ? 0 : ofIndex.size();
        changed.clear();
        visible = null;
        held.clear();
        return this;
    }

    /** The change that drops a bucket. */
    Change dropOf(Bucket whole) {
        of(whole.name, whole.hash, whole).drop();
        return this;
    }

    /** This change, which gives the name a value. */
    Change valueOf(Bytes value, long untilMillis) {
        setValue(value, untilMillis);
        return this;
    }

    /**
     * This change, as that of a command that runs as of a time.
     *
     * @param isGone whether what the name has is gone by then
     * @param hasKeys whether the bucket has keys that are not
     */
    Change at(long nowMillis, boolean isGone, boolean hasKeys) {
        turn.at(nowMillis);
        if (isGone) {
            drop();
        } else if (!hasKeys && size > 0) {
            areAllGone = true;
            size = 0;
        }
        return this;
    }

    /** The same under the lock of the shard. */
    Change at(long nowMillis) {
        boolean isGone = fields.isGone(bucket, nowMillis);
        return at(nowMillis, isGone, bucket != null && !isGone && fields.hasKeys(bucket, nowMillis));
    }

    /** Drops references to keys and values. */
    void forget() {
        visible = null;
        held.clear();
        bucket = null;
        index = null;
        dropped = null;
        changed.forget();
    }

    /** The name of the bucket. */
    byte[] name() {
        return name;
    }

    /** The hash of the name. */
    int hash() {
        return hash;
    }

    /** Whether it neither keeps the bucket nor drops it, nor changes when it expires. */
    boolean isOfFieldsAlone() {
        return dropped == null && !keeps() && !hasNewUntil;
    }

    /** Whether it needs a record that says when the bucket expires. */
    boolean expires() {
        return hasNewUntil && !isValue && exists();
    }

    /** Removes entries without effect. */
    void forgetVain() {
        changed.forgetVain();
    }

    /** Whether this change makes the bucket one that stays without keys. */
    boolean keeps() {
        return isKept && (bucket == null || !bucket.isKept());
    }

    /** The generation of the bucket after this change. */
    long generation() {
        return generation;
    }

    void begin(long ofGeneration) {
        generation = ofGeneration;
    }

    /** The bucket that is changed; null if it is to be made. */
    Bucket bucket() {
        return bucket;
    }

    /** The bucket that is dropped; null if there is none. */
    Bucket dropped() {
        return dropped;
    }

    /** Number of changed keys. */
    int count() {
        return changed.count();
    }

    /** A changed key. */
    ChangedKey pending(int number) {
        return changed.get(number);
    }

    @Override
    public boolean exists() {
        return size > 0 || isKept;
    }

    @Override
    public boolean isKept() {
        return isKept;
    }

    @Override
    public boolean isValue() {
        return isValue;
    }

    @Override
    public long nowMillis() {
        return turn.nowMillis();
    }

    @Override
    public boolean mayHaveGoneKeys() {
        return bucket != null && bucket.mayHaveGoneKeys(turn.nowMillis());
    }

    @Override
    public long until() {
        return isValue ? until(VALUE) : until;
    }

    @Override
    public long until(Bytes key) {
        ChangedKey change = taken(key);
        if (change != null) {
            return change.value == null ? 0 : change.until;
        }
        return bucket == null ? 0 : fields.until(index, key, turn);
    }

    @Override
    public long size() {
        return size;
    }

    /** 0: the sizes of what changes are not counted. */
    @Override
    public long bytesMin() {
        return 0;
    }

    @Override
    public void checkAll() {
        turn.check(size, bytesMin());
    }

    @Override
    public void work(long ofBytes) {
        turn.work(ofBytes);
    }

    @Override
    public Bytes get(Bytes key) {
        ChangedKey change = taken(key);
        if (change != null) {
            return change.value;
        }
        return stored(key);
    }

    /** The value of a key before this change; null if the key does not exist. */
    private Bytes stored(Bytes key) {
        Bytes value = bucket == null ? null : fields.get(index, key, turn);
        if (value == null && bucket != null) {
            fields.checkKey(bucket);
        }
        return value;
    }

    @Override
    public Reply read(Bytes key) {
        ChangedKey change = taken(key);
        if (change != null) {
            return change.value == null ? Reply.ABSENT : new Reply.Value(change.value);
        }
        Reply stored = bucket == null ? Reply.ABSENT : fields.readVerified(index, key, turn);
        if (stored instanceof Reply.LargeValue(Held value)) {
            held.add(value);
        } else if (stored instanceof Reply.Absent && bucket != null) {
            fields.checkKey(bucket);
        }
        return stored;
    }

    /** The command has failed: lets go of the values that were held for its reply. */
    void releaseHeld() {
        held.forEach(Held::release);
    }

    @Override
    public Bytes part(Bytes key, int from, int to) {
        ChangedKey change = taken(key);
        if (change != null) {
            return Bytes.owning(Arrays.copyOfRange(change.value.array(), from, to));
        }
        return fields.part(index, key, from, to, turn);
    }

    @Override
    public long valueBytes(Bytes key) {
        ChangedKey change = taken(key);
        if (change != null) {
            return change.value == null ? ABSENT : change.value.size();
        }
        long bytes = bucket == null ? ABSENT : fields.valueBytes(index, key, turn);
        if (bytes == ABSENT && bucket != null) {
            fields.checkKey(bucket);
        }
        return bytes;
    }

    /** The change of a key that the command reads; null if it has not changed it. */
    private ChangedKey taken(Bytes key) {
        ChangedKey change = changed.find(key);
        if (change != null) {
            turn.take(change.bytes());
        }
        return change;
    }

    @Override
    public void forEach(long fromPosition, Visitor visitor) {
        visible().forEach(size, fromPosition, visitor);
    }

    @Override
    public void draw(Visitor visitor) {
        visible().draw(size, visitor);
    }

    private VisibleKeys visible() {
        if (visible == null) {
            visible = new VisibleKeys(fields, bucket == null ? null : index, changed, turn);
        }
        return visible;
    }

    @Override
    public boolean set(Bytes key, Bytes value, long untilMillis) {
        if (fields.isGone(untilMillis, turn.nowMillis())) {
            boolean _ = delete(key);
            return false;
        }
        turn.take((long) key.size() + value.size());
        ChangedKey change = changed.find(key);
        if (change == null) {
            change = added(key);
        }
        boolean isNew = !change.isThere;
        size += isNew ? 1 : 0;
        change.isThere = true;
        change.value = value;
        change.until = untilMillis;
        if (visible != null) {
            visible.changed(change);
        }
        return isNew;
    }

    @Override
    public void setValue(Bytes value, long untilMillis) {
        if (fields.isGone(untilMillis, turn.nowMillis())) {
            drop();
            return;
        }
        boolean isRenamed = bucket != null && bucket.publication != null;
        if ((!isValue || isRenamed) && (exists() || changed.count() > 0)) {
            // Also a bucket of which this change has deleted all keys: no record has fields of both kinds. Also a
            // renamed value,
            // since the new one needs no object.
            drop();
        }
        isValue = true;
        boolean _ = set(VALUE, value, untilMillis);
    }

    @Override
    public void expire(long untilMillis) {
        if (fields.isGone(untilMillis, turn.nowMillis())) {
            drop();
        } else if (isValue) {
            boolean _ = set(VALUE, get(VALUE), untilMillis);
        } else if (until != untilMillis) {
            if (bucket != null) {
                // The bucket is an object from now on: its key is found by the hash.
                fields.checkKey(bucket);
            }
            until = untilMillis;
            hasNewUntil = true;
        }
    }

    @Override
    public boolean delete(Bytes key) {
        turn.take(key.size());
        ChangedKey change = changed.find(key);
        if (change == null) {
            change = added(key);
        }
        boolean wasThere = change.isThere;
        size -= wasThere ? 1 : 0;
        change.isThere = false;
        changed.delete(change);
        if (visible != null) {
            visible.changed(change);
        }
        if (wasThere && size == 0 && !isKept && until != 0) {
            // What is set behind that is a new bucket, which does not expire.
            drop();
        }
        return wasThere;
    }

    private ChangedKey added(Bytes key) {
        ChangedKey change = changed.add(key);
        change.hash = fields.hash().of(key.array());
        change.before = bucket == null ? Index.NONE : fields.find(index, change.hash, key);
        if (change.before == Index.NONE && bucket != null) {
            fields.checkKey(bucket);
        }
        change.costBefore = change.before == Index.NONE ? 0 : fields.cost(bucket, change.before);
        change.untilBefore = change.before == Index.NONE ? 0 : fields.until(change.before);
        change.isThere = change.before != Index.NONE && !fields.isGone(change.untilBefore, turn.nowMillis());
        if (change.before != Index.NONE && !change.isThere && !areAllGone) {
            size--;
        }
        return change;
    }

    @Override
    public void keep() {
        isKept = true;
    }

    @Override
    public void drop() {
        visible = null;
        changed.clear();
        if (bucket != null) {
            dropped = bucket;
        }
        bucket = null;
        isKept = false;
        isValue = false;
        until = 0;
        hasNewUntil = false;
        size = 0;
    }
}
