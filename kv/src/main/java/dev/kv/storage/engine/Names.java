package dev.kv.storage.engine;

import dev.kv.storage.format.Damaged;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * The names of a {@link Shard}, in the order of their hashes: the hash of each maps to its place ({@link NameSlot}). Of a small bucket that is where its
 * record is, in which its name and its key are found; all others are objects. A bucket becomes an object when a command has made it more
 * than small, and is one until it is {@linkplain #giveBack given back}. Guarded by the lock of the shard.
 */
final class Names {
    private static final int OBJECTS_MIN = 4;

    /** The first part of {@link #forEachRecord} that is about {@link #kept}. */
    private static final long KEPT_PARTS = Index.POSITION_MAX + 1;

    static final long NO_PART = Long.MAX_VALUE;

    private final int bits;
    private final Fields fields;

    /** A hash is rotated, so that the bits that are the same in all of them are the last. */
    private final Index places = new Index();

    /** Locations of the records that keep small buckets with a key, by the same hashes. */
    private final Index kept = new Index();

    private Bucket[] objects = new Bucket[OBJECTS_MIN];
    private int objectCount;

    /** Those of them that may be given back. */
    private final SmallObjects small = new SmallObjects();

    /**
     * @param bits how many of the first bits of the hashes are the same
     */
    Names(int bits, Fields fields) {
        this.bits = bits;
        this.fields = fields;
    }

    /** Number of names. */
    long count() {
        return places.size();
    }

    private int key(int hash) {
        return Integer.rotateLeft(hash, bits);
    }

    private int hash(int key) {
        return Integer.rotateRight(key, bits);
    }

    /**
     * The place of a name; {@link Index#NONE} if there is none.
     *
     * @throws Damaged if the record of a place with this hash is damaged, and no other has the name
     */
    long place(int hash, byte[] name) {
        int key = key(hash);
        Damaged damage = null;
        long place = places.next(key, Index.NONE);
        while (place != Index.NONE) {
            try {
                if (isOf(place, name, hash)) {
                    return place;
                }
            } catch (Damaged e) {
                damage = e;
            }
            place = places.next(key, place);
        }
        if (damage != null) {
            throw damage;
        }
        return Index.NONE;
    }

    /** See {@link Index#touch}. */
    int touch(int hash) {
        return places.touch(key(hash));
    }

    private boolean isOf(long place, byte[] name, int hash) {
        return NameSlot.isObject(place)
                ? Arrays.equals(object(place).name, name)
                : fields.hasName(NameSlot.record(place), name, hash);
    }

    /** The bucket at the place of an object. */
    Bucket object(long place) {
        return objects[NameSlot.number(place)];
    }

    /**
     * The bucket of a name; null if there is none. That of a small bucket is a new object, made of its record: after a change it is to be
     * {@linkplain #settle settled}.
     *
     * @throws Damaged as {@link #place} does, or because the record of a small bucket is damaged
     */
    Bucket find(int hash, byte[] name) {
        long place = place(hash, name);
        if (place == Index.NONE) {
            return null;
        }
        return NameSlot.isObject(place) ? object(place) : made(place, hash, name);
    }

    private Bucket made(long place, int hash, byte[] name) {
        Bucket bucket = fields.small(NameSlot.record(place), hash, name, NameSlot.expires(place));
        bucket.place = place;
        bucket.countedKeys = bucket.index.size();
        bucket.isCountedAsExpiring = bucket.until() != 0;
        if (NameSlot.isKept(place)) {
            bucket.keptBy = keptBy(hash, name);
        }
        return bucket;
    }

    private long keptBy(int hash, byte[] name) {
        int key = key(hash);
        long record = kept.next(key, Index.NONE);
        if (kept.next(key, record) == Index.NONE) {
            return record;
        }
        Damaged damage = null;
        while (record != Index.NONE) {
            try {
                if (fields.hasName(record, name, hash)) {
                    return record;
                }
            } catch (Damaged e) {
                damage = e;
            }
            record = kept.next(key, record);
        }
        throw damage == null ? new IllegalStateException("kept by no record") : damage;
    }

    /** Whether a name of this hash, or a key of it, may expire. */
    boolean mayExpire(int hash) {
        int key = key(hash);
        long place = places.next(key, Index.NONE);
        while (place != Index.NONE && !mayExpire(place)) {
            place = places.next(key, place);
        }
        return place != Index.NONE;
    }

    private boolean mayExpire(long place) {
        return NameSlot.isObject(place) ? object(place).lifetime != null : NameSlot.expires(place);
    }

    /**
     * The buckets and values of this hash that may expire, or have keys that may; made as {@link #find} does.
     *
     * @throws Damaged if the record of one is damaged
     */
    List<Bucket> expiring(int hash) {
        List<Bucket> found = new ArrayList<>(1);
        int key = key(hash);
        long place = places.next(key, Index.NONE);
        while (place != Index.NONE) {
            if (mayExpire(place)) {
                found.add(
                        NameSlot.isObject(place)
                                ? object(place)
                                : made(place, hash, fields.name(NameSlot.record(place))));
            }
            place = places.next(key, place);
        }
        return found;
    }

    /** The object of a name and generation; null if there is none, or the bucket is small. */
    Bucket object(int hash, byte[] name, long generation) {
        int key = key(hash);
        long place = places.next(key, Index.NONE);
        while (place != Index.NONE) {
            Bucket bucket = NameSlot.isObject(place) ? object(place) : null;
            if (bucket != null && bucket.generation == generation && Arrays.equals(bucket.name, name)) {
                return bucket;
            }
            place = places.next(key, place);
        }
        return null;
    }

    /** Whether the place that a small bucket was made of, or put at, is still in the table. */
    boolean holds(Bucket bucket) {
        return places.contains(key(bucket.hash), bucket.place);
    }

    /** Puts a bucket with a key, or one that is kept, into the table as it is now; its name has no other bucket. */
    void settle(Bucket bucket) {
        if (NameSlot.isObject(bucket.place)) {
            list(bucket);
        } else if (bucket.isSmall() && !hasLostKey(bucket)) {
            put(bucket, smallPlace(bucket));
        } else {
            own(bucket);
            list(bucket);
        }
    }

    /**
     * Whether a small bucket that is kept has lost its key. It becomes an object: the record that keeps it goes from {@link #kept} to
     * {@link #places} only when compaction does not read the two, see {@link #giveBack}.
     */
    private static boolean hasLostKey(Bucket bucket) {
        return NameSlot.isKept(bucket.place) && bucket.index.size() == 0;
    }

    private static long smallPlace(Bucket bucket) {
        if (bucket.index.size() == 0) {
            return bucket.keptBy;
        }
        long field = bucket.index.only();
        long record = Fields.record(field & ~Log.EXPIRES, bucket.recordName.length);
        return (field & Log.EXPIRES)
                | (bucket.isValue ? NameSlot.ofValue(record) : NameSlot.of(record, bucket.isKept()));
    }

    /** Adds a name that is not there, with the location of the record of its value. */
    void addValue(int hash, long record, boolean expires) {
        places.add(key(hash), NameSlot.ofValue(expires ? record | Log.EXPIRES : record));
    }

    /** Makes a bucket an object of the table, if it is not one. */
    void own(Bucket bucket) {
        if (NameSlot.isObject(bucket.place)) {
            return;
        }
        if (objectCount == objects.length) {
            objects = Arrays.copyOf(objects, objectCount + objectCount / 2);
        }
        objects[objectCount] = bucket;
        put(bucket, NameSlot.object(objectCount));
        objectCount++;
    }

    private void put(Bucket bucket, long place) {
        int key = key(bucket.hash);
        if (bucket.place == Index.NONE) {
            places.add(key, place);
        } else if (bucket.place != place) {
            places.replace(key, bucket.place, place);
        }
        if (NameSlot.isKept(place) && !NameSlot.isKept(bucket.place)) {
            kept.add(key, bucket.keptBy);
        } else if (!NameSlot.isKept(place) && NameSlot.isKept(bucket.place)) {
            kept.remove(key, bucket.keptBy);
        }
        bucket.place = place;
    }

    /** Notes the record that keeps a bucket from now on. */
    void keep(Bucket bucket, long record) {
        if (NameSlot.isKept(bucket.place)) {
            kept.replace(key(bucket.hash), bucket.keptBy, record);
        }
        bucket.keptBy = record;
    }

    /** Removes a bucket of the table. */
    void remove(Bucket bucket) {
        int key = key(bucket.hash);
        places.remove(key, bucket.place);
        if (NameSlot.isObject(bucket.place)) {
            free(NameSlot.number(bucket.place));
        } else if (NameSlot.isKept(bucket.place)) {
            kept.remove(key, bucket.keptBy);
        }
        bucket.place = Index.NONE;
        small.remove(bucket);
    }

    /** Gives the number of an object, which has no slot any more, to the last one. */
    private void free(int number) {
        objectCount--;
        Bucket last = objects[objectCount];
        objects[objectCount] = null;
        if (number < objectCount) {
            objects[number] = last;
            put(last, NameSlot.object(number));
        }
        if (objects.length > OBJECTS_MIN && objectCount < objects.length / 4) {
            objects = Arrays.copyOf(objects, objects.length / 2);
        }
    }

    /** See {@link SmallObjects#list}. */
    void list(Bucket bucket) {
        small.list(bucket);
    }

    /** Makes places of objects that have been small since the call before: see {@link SmallObjects#giveBack}. */
    int giveBack(int left, int max) {
        return small.giveBack(left, max, bucket -> {
            int number = NameSlot.number(bucket.place);
            put(bucket, smallPlace(bucket));
            free(number);
        });
    }

    /** Number of objects that {@link #giveBack} has to look at. */
    int listed() {
        return small.count();
    }

    /**
     * Points to the copy of a record about one key of a small bucket.
     *
     * @return whether the table held the place of the record
     */
    boolean move(int hash, long from, long to) {
        return places.move(key(hash), from, to, NameSlot.FLAGS);
    }

    /** Points to the copy of a record that keeps a small bucket; returns whether the table held the location of the record. */
    boolean moveKept(int hash, long from, long to) {
        return move(hash, from, to) || kept.replace(key(hash), from, to);
    }

    /** Is shown slots of the table of places. */
    @FunctionalInterface
    interface Visitor {
        /** Returns whether it wants to see more. */
        boolean visit(int hash, long place);
    }

    /** Shows the slots from a hash on, in the order of the hashes, until the visitor has seen enough. */
    void forEach(int fromHash, Visitor visitor) {
        places.forEach(key(fromHash), (key, place) -> visitor.visit(hash(key), place));
    }

    /**
     * Shows the locations of the records of small buckets, in parts of at most 4 096.
     *
     * <p>A record goes from {@link #places} to {@link #kept}, and from both to {@link #objects}; the other way only in {@link #giveBack}. So
     * whoever reads the three in this order misses none.
     *
     * @param part 0, then the result of the call before
     * @return {@link #NO_PART} behind the last part
     */
    long forEachRecord(long part, LongConsumer visitor) {
        if (part <= Index.POSITION_MAX) {
            return places.forEachLocation(part, place -> {
                if (!NameSlot.isObject(place)) {
                    visitor.accept(NameSlot.record(place));
                }
            });
        }
        long next = kept.forEachLocation(part - KEPT_PARTS, visitor) + KEPT_PARTS;
        return next > KEPT_PARTS + Index.POSITION_MAX ? NO_PART : next;
    }

    /** The buckets that are objects. */
    List<Bucket> objects() {
        return List.of(Arrays.copyOf(objects, objectCount));
    }
}
