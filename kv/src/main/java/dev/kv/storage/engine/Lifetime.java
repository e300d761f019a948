package dev.kv.storage.engine;

import dev.kv.storage.index.Index;

/** When a {@link Bucket} or value, and its keys, expire. Times are milliseconds since 1970. Guarded by the lock of the shard. */
final class Lifetime {
    /** When the bucket or value expires; 0 if it does not. */
    long until;

    /** Location of the newest record that says when the bucket expires; {@link Index#NONE} if there is none, as for every value. */
    long by = Index.NONE;

    /** Keys of a bucket, by their hashes: for each that expires there is an entry of that time, or of one before it. Null until one expires. */
    private Expiries keys;

    /** How many keys of a bucket expire, and the latest time that any of them ever had. */
    long keysThatExpire;

    long latest;

    /** The time by which the shard looks at the bucket: it has an entry of that time, or of one before it. */
    long lookAt = Expiries.NEVER;

    /** When the next of all that may expire; {@link Expiries#NEVER} if nothing does. */
    long next() {
        return until == 0 ? nextKey() : Math.min(until, nextKey());
    }

    /** When the next key may expire; {@link Expiries#NEVER} if none does. */
    long nextKey() {
        return keys == null ? Expiries.NEVER : keys.next();
    }

    /** The queue of the keys. */
    Expiries keys() {
        if (keys == null) {
            keys = new Expiries();
        }
        return keys;
    }
}
