package dev.kv.storage;

import dev.kv.router.Bytes;

/** Reads the fields of buckets, which an {@link Index} finds in the {@link Log}. */
final class Fields {
    private final Log log;
    private final Hash hash;

    Fields(Log log, Hash hash) {
        this.log = log;
        this.hash = hash;
    }

    Hash hash() {
        return hash;
    }

    /** Where the key of that hash is; {@link Index#NONE} if it is not there. */
    long find(Bucket bucket, int keyHash, Bytes key) {
        long location = bucket.index.next(keyHash, Index.NONE);
        while (location != Index.NONE && !log.segment(location).hasKey(Log.offset(location), key.array())) {
            location = bucket.index.next(keyHash, location);
        }
        return location;
    }

    /** Where the key of that hash is which stands in a field of the log. */
    long find(Bucket bucket, int keyHash, Segment segment, long field) {
        long location = bucket.index.next(keyHash, Index.NONE);
        while (location != Index.NONE && !segment.hasKeyOf(field, log.segment(location), Log.offset(location))) {
            location = bucket.index.next(keyHash, location);
        }
        return location;
    }

    /**
     * The value of the key; null if it is not there.
     *
     * @throws Damaged if it is not what was written
     */
    Bytes get(Bucket bucket, Bytes key) {
        long location = find(bucket, hash.of(key.array()), key);
        return location == Index.NONE ? null : value(location, key);
    }

    private Bytes value(long location) {
        return Bytes.owning(log.segment(location).value(Log.offset(location)));
    }

    private Bytes value(long location, Bytes key) {
        return Bytes.owning(log.segment(location).value(Log.offset(location), key.array()));
    }

    /** What the field takes in the log in a record of its own. */
    long cost(Bucket bucket, long location) {
        return Layout.fieldCost(bucket.recordName.length, log.segment(location).memory(), Log.offset(location));
    }

    /** Shows pairs as {@link View#forEach} does. */
    void forEach(Index index, long fromPosition, View.Visitor visitor) {
        if (fromPosition > 0xFFFF_FFFFL) {
            return;
        }
        index.forEach((int) fromPosition, (keyHash, location) -> {
            // The value first: whoever reads it checks the key, too.
            Bytes value = value(location);
            Bytes key = Bytes.owning(log.segment(location).key(Log.offset(location)));
            return visitor.visit(Integer.toUnsignedLong(keyHash), key, value);
        });
    }

    /** The field is no longer needed. */
    void died(Bucket bucket, long location) {
        log.segment(location).died(cost(bucket, location));
    }
}
