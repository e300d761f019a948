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
 *
 * <p>It is long because it is the whole of {@link Edit}, mostly methods of a few lines: what a key was is with {@link StoredKeys}, what it will
 * be with {@link ChangedKeys}, and what walks and draws see with {@link VisibleKeys}.
 */
final class Change implements Edit {
    private final Fields fields;
    private final Turn turn;
    private byte[] name;
    private int hash;

    /** What it has; nothing also if this change drops it. */
    private final StoredKeys stored;

    private Bucket dropped;
    private long generation;
    private boolean isKept;
    private boolean isValue;

    /** When the bucket expires; 0 if it does not. Of a value, its key has that. */
    private long until;

    private boolean hasNewUntil;

    private long size;

    /** Whether the size counts no key that has expired. */
    private boolean isSizeExact;

    private final ChangedKeys changed = new ChangedKeys();

    /** What walks and draws read; null until the first of these. */
    private VisibleKeys visible;

    /** The large values in the reply to the command. */
    private final List<Held> held = new ArrayList<>(0);

    Change(Fields fields) {
        this(fields, new Turn(Turn.Limits.NONE, 0));
    }

    /**
     * @param turn that of the command, of which this may be one of several changes
     */
    Change(Fields fields, Turn turn) {
        this.fields = fields;
        this.turn = turn;
        this.stored = new StoredKeys(fields, turn);
    }

    /** Begins the turn of the next command, before {@link #of}. */
    Change begin(Turn.Limits limits, long nowMillis) {
        turn.begin(limits, nowMillis);
        return this;
    }

    /**
     * Begins a change under the lock of the shard, as of the time of the turn.
     *
     * @param ofBucket the bucket of that name; null if there is none
     */
    Change of(byte[] ofName, int ofHash, Bucket ofBucket) {
        boolean isGone = turn.nowMillis() != 0 && fields.live().isGone(ofBucket, turn.nowMillis());
        boolean hasKeys = ofBucket != null && !isGone && fields.live().hasKeys(ofBucket, turn.nowMillis());
        return ofFrozen(ofName, ofHash, ofBucket, ofBucket == null ? null : ofBucket.index, isGone, hasKeys);
    }

    /**
     * Begins a change that reads a frozen index. No other thread changes the bucket until it is applied.
     *
     * @param isGone whether what the name has is gone by the time of the turn
     * @param hasKeys whether the bucket has keys that are not
     */
    Change ofFrozen(byte[] ofName, int ofHash, Bucket ofBucket, Index index, boolean isGone, boolean hasKeys) {
        name = ofName;
        hash = ofHash;
        stored.begin(ofBucket, index);
        dropped = null;
        generation = 0;
        isKept = ofBucket != null && ofBucket.isKept();
        isValue = ofBucket != null && ofBucket.isValue;
        until = ofBucket == null || ofBucket.isValue ? 0 : ofBucket.until();
        hasNewUntil = false;
        size = hasKeys ? index.size() : 0;
        isSizeExact = !hasKeys || !stored.mayHaveGoneKeys();
        changed.clear();
        visible = null;
        held.clear();
        if (isGone) {
            ofBucket.hasExpired = true;
            drop();
        }
        return this;
    }

    /** The change that drops a bucket. */
    Change dropOf(Bucket whole) {
        begin(Turn.Limits.NONE, 0).of(whole.name, whole.hash, whole).drop();
        return this;
    }

    /** This change, which gives the name a value. */
    Change valueOf(Bytes value, long untilMillis) {
        setValue(value, untilMillis);
        return this;
    }

    /** Drops references to keys and values. */
    void forget() {
        visible = null;
        held.clear();
        stored.begin(null, null);
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
        return isKept && (bucket() == null || !bucket().isKept());
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
        return stored.bucket();
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
        return stored.mayHaveGoneKeys();
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
        return stored.until(key);
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
        return stored.get(key);
    }

    @Override
    public Reply read(Bytes key) {
        ChangedKey change = taken(key);
        if (change != null) {
            return change.value == null ? Reply.ABSENT : new Reply.Value(change.value);
        }
        Reply reply = stored.read(key);
        if (reply instanceof Reply.LargeValue(Held value)) {
            held.add(value);
        }
        return reply;
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
        return stored.part(key, from, to);
    }

    @Override
    public long valueBytes(Bytes key) {
        ChangedKey change = taken(key);
        if (change != null) {
            return change.value == null ? ABSENT : change.value.size();
        }
        return stored.valueBytes(key);
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
    public boolean draw(Visitor visitor) {
        return visible().draw(size, visitor);
    }

    private VisibleKeys visible() {
        if (visible == null) {
            visible = new VisibleKeys(fields, stored.index(), stored.mayHaveGoneKeys(), changed, turn);
        }
        return visible;
    }

    @Override
    public boolean set(Bytes key, Bytes value, long untilMillis) {
        if (fields.live().isGone(untilMillis, turn.nowMillis())) {
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
        if (fields.live().isGone(untilMillis, turn.nowMillis())) {
            drop();
            return;
        }
        boolean isRenamed = bucket() != null && bucket().publication != null;
        if ((!isValue || isRenamed) && (exists() || changed.count() > 0)) {
            // Also a bucket of which this change has deleted all keys: no record has fields of both kinds. Also a
            // renamed
            // value, since the new one needs no object.
            drop();
        }
        isValue = true;
        boolean _ = set(VALUE, value, untilMillis);
    }

    @Override
    public void expire(long untilMillis) {
        if (fields.live().isGone(untilMillis, turn.nowMillis())) {
            drop();
        } else if (isValue) {
            boolean _ = set(VALUE, get(VALUE), untilMillis);
        } else if (until != untilMillis) {
            // The bucket is an object from now on: its key is found by the hash.
            stored.checkKey();
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
        if (wasThere && until != 0 && !isKept && !hasKeys()) {
            // What is set behind that is a new bucket, which does not expire.
            drop();
        }
        return wasThere;
    }

    /** Whether a key is left that has not expired. */
    private boolean hasKeys() {
        if (!isSizeExact && size <= bucket().lifetime.keysThatExpire) {
            size = stored.countThere() + changed.growth(turn.nowMillis());
            isSizeExact = true;
        }
        return size > 0;
    }

    private ChangedKey added(Bytes key) {
        ChangedKey change = changed.add(key);
        stored.find(change);
        change.isThere = change.before != Index.NONE && !fields.live().isGone(change.untilBefore, turn.nowMillis());
        if (change.before != Index.NONE && !change.isThere && !isSizeExact) {
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
        if (bucket() != null) {
            dropped = bucket();
        }
        stored.begin(null, null);
        isSizeExact = true;
        isKept = false;
        isValue = false;
        until = 0;
        hasNewUntil = false;
        size = 0;
    }
}
