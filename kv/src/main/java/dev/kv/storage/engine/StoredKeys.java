package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.storage.index.Index;

/**
 * The keys of the bucket of a {@link Change} as they are in the log, without those that have expired by the time of its turn: each read takes
 * from the turn. An object is reused for the next change. One thread at a time.
 */
final class StoredKeys {
    private final Fields fields;
    private final Turn turn;

    /** Null if there is none. */
    private Bucket bucket;

    /** That of the bucket, or a frozen one. */
    private Index index;

    StoredKeys(Fields fields, Turn turn) {
        this.fields = fields;
        this.turn = turn;
    }

    /**
     * Reads another bucket from now on.
     *
     * @param ofBucket null if there is none
     * @param ofIndex finds its keys; null if there is no bucket
     */
    void begin(Bucket ofBucket, Index ofIndex) {
        bucket = ofBucket;
        index = ofIndex;
    }

    /** The bucket; null if there is none. */
    Bucket bucket() {
        return bucket;
    }

    /** The index that is read; null if there is no bucket. */
    Index index() {
        return index;
    }

    /** Whether keys may have expired that are not removed yet. */
    boolean mayHaveGoneKeys() {
        return bucket != null && bucket.mayHaveGoneKeys(turn.nowMillis());
    }

    /** The number of keys, found by a walk. */
    long countThere() {
        return bucket == null ? 0 : fields.live().countThere(index, turn);
    }

    /** See {@link Fields#checkKey}. */
    void checkKey() {
        if (bucket != null) {
            fields.checkKey(bucket);
        }
    }

    /** Whether there is no bucket: a key that is asked for takes from the turn all the same. */
    private boolean isNone(Bytes key) {
        if (bucket == null) {
            turn.take(key.size());
        }
        return bucket == null;
    }

    /** The value of a key; null if the key does not exist. */
    Bytes get(Bytes key) {
        Bytes value = isNone(key) ? null : fields.get(index, key, turn);
        if (value == null) {
            checkKey();
        }
        return value;
    }

    /** The value of a key as a reply, verified also if it is held in the log; {@link Reply#ABSENT} if the key does not exist. */
    Reply read(Bytes key) {
        Reply reply = isNone(key) ? Reply.ABSENT : fields.readVerified(index, key, turn);
        if (reply instanceof Reply.Absent) {
            checkKey();
        }
        return reply;
    }

    /** See {@link View#part}. */
    Bytes part(Bytes key, int from, int to) {
        return fields.part(index, key, from, to, turn);
    }

    /** See {@link View#valueBytes}. */
    long valueBytes(Bytes key) {
        long bytes = isNone(key) ? View.ABSENT : fields.valueBytes(index, key, turn);
        if (bytes == View.ABSENT) {
            checkKey();
        }
        return bytes;
    }

    /** When a key expires; 0 if it does not, or does not exist. */
    long until(Bytes key) {
        return isNone(key) ? 0 : fields.until(index, key, turn);
    }

    /** Notes where a key is that is to be changed, whether it has expired or not, and when it expires. */
    void find(ChangedKey change) {
        change.hash = fields.hash().of(change.key.array());
        change.before = bucket == null ? Index.NONE : fields.find(index, change.hash, change.key);
        boolean isThere = change.before != Index.NONE;
        if (!isThere) {
            checkKey();
        }
        change.costBefore = isThere ? fields.cost(bucket, change.before) : 0;
        // That of a value was read when its bucket was made.
        change.untilBefore =
                !isThere ? 0 : bucket.isValue ? bucket.until() : fields.live().until(change.before);
    }
}
