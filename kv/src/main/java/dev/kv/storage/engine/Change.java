package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.storage.index.Index;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.random.RandomGenerator;

/**
 * A change of one bucket, collected while a command runs; {@link Changes} writes and applies it. An object is reused for the next
 * change. One thread at a time.
 */
final class Change implements Edit {
    /** Up to this number of changed keys, a list is searched; beyond it, a map. */
    private static final int FEW = 8;

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
    private boolean hasDeletes;
    private long size;

    /** Changed keys in the order of their first change; objects from {@link #count} on are free for reuse. */
    private final List<ChangedKey> pending = new ArrayList<>(1);

    private int count;

    /** The same by key, if there are more than {@link #FEW}. */
    private Map<Bytes, ChangedKey> byKey;

    /** The changed keys that exist, for walks and draws; null until the first of these. */
    private PresentKeys present;

    /** The stored keys that are not changed; null until a walk or a draw needs them. */
    private UnchangedKeys unchanged;

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
        hasDeletes = false;
        size = ofBucket == null ? 0 : ofIndex.size();
        count = 0;
        byKey = null;
        forgetPresent();
        return this;
    }

    /** The change that drops a bucket. */
    Change dropOf(Bucket whole) {
        of(whole.name, whole.hash, whole).drop();
        return this;
    }

    /** This change, which gives the name a value. */
    Change valueOf(Bytes value) {
        setValue(value);
        return this;
    }

    private void forgetPresent() {
        present = null;
        unchanged = null;
    }

    /** Drops references to keys and values. */
    void forget() {
        forgetPresent();
        byKey = null;
        bucket = null;
        index = null;
        dropped = null;
        if (pending.size() > FEW) {
            pending.subList(FEW, pending.size()).clear();
        }
        for (ChangedKey change : pending) {
            change.key = null;
            change.value = null;
        }
        count = 0;
    }

    /** The name of the bucket. */
    byte[] name() {
        return name;
    }

    /** The hash of the name. */
    int hash() {
        return hash;
    }

    /** Whether it neither keeps the bucket nor drops it. */
    boolean isOfFieldsAlone() {
        return dropped == null && !keeps();
    }

    /** Removes entries without effect. */
    void forgetVain() {
        if (hasDeletes) {
            pending.subList(count, pending.size()).clear();
            pending.removeIf(ChangedKey::isVain);
            count = pending.size();
        }
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
        return count;
    }

    /** A changed key. */
    ChangedKey pending(int index) {
        return pending.get(index);
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
        // The value is not held: the change may still be refused, or wait for the disk.
        Bytes value = stored(key);
        return value == null ? Reply.ABSENT : new Reply.Value(value);
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

    private PresentKeys present() {
        if (present == null) {
            present = new PresentKeys();
            pending.subList(0, count).stream()
                    .filter(change -> change.value != null)
                    .forEach(present::add);
        }
        return present;
    }

    /** The change of a key that the command reads; null if it has not changed it. */
    private ChangedKey taken(Bytes key) {
        ChangedKey change = known(key);
        if (change != null) {
            turn.take(change.bytes());
        }
        return change;
    }

    private boolean isChanged(Bytes key) {
        return known(key) != null;
    }

    private ChangedKey known(Bytes key) {
        if (byKey != null) {
            return byKey.get(key);
        }
        for (int i = 0; i < count; i++) {
            if (pending.get(i).key.equals(key)) {
                return pending.get(i);
            }
        }
        return null;
    }

    @Override
    public void forEach(long fromPosition, Visitor visitor) {
        MergedKeys merged = new MergedKeys(present().from(fromPosition), this::isChanged, turn, visitor);
        if (areFewUnchanged()) {
            unchanged()
                    .forEach(
                            key -> position(key) >= fromPosition,
                            key -> merged.visit(position(key), key, fields.get(index, key, turn)));
        } else if (bucket != null) {
            fields.forEach(index, fromPosition, turn, merged);
        }
        merged.showUpTo(Long.MAX_VALUE);
    }

    /** Whether most stored keys are changed. */
    private boolean areFewUnchanged() {
        return bucket != null && size - present().size() < index.size() / 2;
    }

    private UnchangedKeys unchanged() {
        if (unchanged == null) {
            List<Bytes> keys = new ArrayList<>();
            fields.forEach(index, 0, turn, (_, key, _) -> isChanged(key) || keys.add(key));
            unchanged = new UnchangedKeys(keys, this::isChanged);
        }
        unchanged.drop(size - present().size());
        return unchanged;
    }

    private long position(Bytes key) {
        return Integer.toUnsignedLong(fields.hash().of(key.array()));
    }

    @Override
    public void draw(Visitor visitor) {
        RandomGenerator random = ThreadLocalRandom.current();
        long changed = present().size();
        long place = random.nextLong(size);
        if (place < changed) {
            ChangedKey change = present().get((int) place);
            turn.take(change.bytes());
            boolean _ = visitor.visit(change.position(), change.key, change.value);
        } else if (areFewUnchanged()) {
            Bytes key = unchanged().draw(random);
            boolean _ = visitor.visit(position(key), key, fields.get(index, key, turn));
        } else {
            drawUnchanged(random, visitor);
        }
    }

    /** Draws a stored key until it is an unchanged one: at least half of them are. */
    private void drawUnchanged(RandomGenerator random, Visitor visitor) {
        boolean[] isShown = {false};
        while (!isShown[0]) {
            fields.draw(index, random, turn, (position, key, value) -> {
                isShown[0] = known(key) == null;
                return isShown[0] && visitor.visit(position, key, value);
            });
        }
    }

    @Override
    public void set(Bytes key, Bytes value) {
        turn.take((long) key.size() + value.size());
        ChangedKey change = known(key);
        if (change == null) {
            change = added(key);
            size += change.before == Index.NONE ? 1 : 0;
        } else {
            size += change.value == null ? 1 : 0;
        }
        change.value = value;
        if (present != null) {
            present.add(change);
        }
    }

    @Override
    public void setValue(Bytes value) {
        boolean isRenamed = bucket != null && bucket.publication != null;
        if ((!isValue || isRenamed) && (exists() || count > 0)) {
            // Also a bucket of which this change has deleted all keys: no record has fields of both kinds. Also a
            // renamed
            // value, since the new one needs no object.
            drop();
        }
        isValue = true;
        set(VALUE, value);
    }

    @Override
    public void delete(Bytes key) {
        turn.take(key.size());
        ChangedKey change = known(key);
        if (change == null) {
            change = added(key);
            size -= change.before == Index.NONE ? 0 : 1;
        } else {
            size -= change.value == null ? 0 : 1;
        }
        hasDeletes = true;
        change.value = null;
        if (present != null) {
            present.remove(change);
        }
    }

    private ChangedKey added(Bytes key) {
        if (count == pending.size()) {
            pending.add(new ChangedKey());
        }
        ChangedKey change = pending.get(count++);
        change.key = key;
        change.place = -1;
        change.hash = fields.hash().of(key.array());
        change.before = bucket == null ? Index.NONE : fields.find(index, change.hash, key);
        if (change.before == Index.NONE && bucket != null) {
            fields.checkKey(bucket);
        }
        change.costBefore = change.before == Index.NONE ? 0 : fields.cost(bucket, change.before);
        if (byKey != null) {
            byKey.put(key, change);
        } else if (count > FEW) {
            byKey = new HashMap<>();
            pending.subList(0, count).forEach(each -> byKey.put(each.key, each));
        }
        return change;
    }

    @Override
    public void keep() {
        isKept = true;
    }

    @Override
    public void drop() {
        forgetPresent();
        count = 0;
        byKey = null;
        if (bucket != null) {
            dropped = bucket;
        }
        bucket = null;
        isKept = false;
        isValue = false;
        size = 0;
    }
}
