package dev.kv.storage.engine;

import dev.kv.storage.format.Layout;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.SeenTime;
import dev.kv.storage.log.StoredFields;

/**
 * A bucket in memory: all but its keys and values; or a value, as a bucket whose only key is {@link View#VALUE}. Guarded by the lock of its {@link Shard}. The object of a {@linkplain #isSmall() small}
 * bucket is made for one command: the table of names holds the place of its record alone, see {@link NameSlot}.
 */
public final class Bucket {
    /** Its name and the hash of that. A rename changes them under the locks of both shards. */
    byte[] name;

    int hash;
    final Index index = new Index();

    /** Whether it is a value. Stays as it is once there is something in the log. */
    boolean isValue;

    /** The name in its records: its first name. */
    final byte[] recordName;

    /** Unique. Of two buckets that were made under one name, the later one has the higher generation. */
    final long generation;

    /** Location of the record that keeps the bucket when its last key is removed; {@link Index#NONE} if there is none. */
    long keptBy = Index.NONE;

    /** Bytes that its keys and values take in the log, as if each had a record of its own. */
    long bytes;

    /** When it and its keys expire; null if nothing of it ever did. */
    Lifetime lifetime;

    /** How it got its name; null if that is the name in its records. */
    Publication publication;

    /** Its slot in the table of its shard; {@link Index#NONE} if it has none. */
    long place = Index.NONE;

    /** Whether each of its keys is known to be alone in its record. */
    boolean hasOwnRecords = true;

    /** Where in the list of its shard the object stands that may be {@linkplain SmallObjects given back}; {@link #NOT_LISTED} if it does not. */
    int listedAt = NOT_LISTED;

    static final int NOT_LISTED = -1;

    /** Whether it has been small since the shard looked at its list before. */
    boolean wasSmall;

    Bucket(byte[] name, int hash, long generation) {
        this(name, hash, generation, name);
    }

    Bucket(byte[] name, int hash, long generation, byte[] recordName) {
        this.name = name;
        this.hash = hash;
        this.generation = generation;
        this.recordName = recordName;
    }

    /**
     * Whether the place of one record is all that the table needs to hold of it. Of that, all is read to tell that it is sound; of a value
     * the head alone.
     */
    boolean isSmall() {
        return index.size() <= 1
                && publication == null
                && hasOwnRecords
                && !hasExpireRecord()
                && (isValue || bytes <= StoredFields.SMALL_MAX_BYTES)
                && isSmallName(recordName);
    }

    /** Whether the head of a record with this name is small enough for that. */
    static boolean isSmallName(byte[] name) {
        return Layout.recordCost(name.length) <= StoredFields.SMALL_MAX_BYTES;
    }

    /** Whether the object was made of a record: the hash of its key is that of what is there, and not of what was written. */
    boolean isOfRecord;

    /** Whether the table holds no more than its place. */
    boolean isOfPlace() {
        return place > 0;
    }

    /**
     * A key was set.
     *
     * @param isAlone whether it is alone in its record
     */
    void wrote(boolean isAlone) {
        setOwnRecords(isAlone && (hasOwnRecords || index.size() == 1));
        if (isOfRecord) {
            isOfRecord = false;
        }
    }

    private void setOwnRecords(boolean now) {
        if (now != hasOwnRecords) {
            // A write would take the cache line from other cores even if the value stayed the same.
            hasOwnRecords = now;
        }
    }

    /**
     * A key was removed.
     *
     * @param location where it was
     */
    void removed(long location) {
        if ((location & Log.EXPIRES) != 0 && !isValue) {
            lifetime.keysThatExpire--;
        }
        setOwnRecords(hasOwnRecords || index.size() == 0);
    }

    /** Lower bound of the bytes of all its keys and values: {@link #bytes} less names, headers and padding. */
    long contentBytesMin() {
        long others = Layout.fieldCost(recordName.length, 0, 0) + Layout.ALIGNMENT - 1;
        return Math.max(0, bytes - index.size() * others);
    }

    /** Live bytes of the log that are its own. */
    long cost() {
        return bytes
                + (isKept() ? Layout.recordCost(recordName.length) : 0)
                + (hasExpireRecord() ? expireCost() : 0)
                + (publication == null ? 0 : publication.cost());
    }

    /** Whether a record says when it expires. */
    boolean hasExpireRecord() {
        return lifetime != null && lifetime.by != Index.NONE;
    }

    /** Bytes of such a record. */
    long expireCost() {
        return Layout.fieldCost(recordName.length, 0, Layout.TIME_BYTES);
    }

    /** When it expires as a whole; 0 if it does not. */
    long until() {
        return lifetime == null ? 0 : lifetime.until;
    }

    /** Whether keys of it may have expired that are not removed yet. */
    boolean mayHaveGoneKeys(long nowMillis) {
        Lifetime all = lifetime;
        return all != null && SeenTime.isPast(all.nextKey(), nowMillis);
    }

    /** What it holds of times of expiry. */
    Lifetime lifetime() {
        if (lifetime == null) {
            lifetime = new Lifetime();
        }
        return lifetime;
    }

    /**
     * A key, or the value, was set.
     *
     * @param until when it expires; 0 if it does not
     * @param before when it expired before; 0 if it did not
     */
    void expires(int keyHash, long until, long before) {
        if (isValue && (until != 0 || lifetime != null)) {
            lifetime().until = until;
            return;
        }
        if (until != 0 || before != 0) {
            lifetime().keysThatExpire += Long.signum(until) - Long.signum(before);
            lifetime.latest = Math.max(lifetime.latest, until);
        }
        if (until != 0 && (before == 0 || until < before)) {
            Expiries keys = lifetime().keys();
            keys.add(until, keyHash);
            if (keys.isCrowded(index.size())) {
                keys.prune(hash -> {
                    long at = index.next(hash, Index.NONE);
                    while (at != Index.NONE && (at & Log.EXPIRES) == 0) {
                        at = index.next(hash, at);
                    }
                    return at != Index.NONE;
                });
            }
        }
    }

    /** The flags of its records. */
    int flags() {
        return publication == null ? 0 : Layout.HIDDEN;
    }

    /** Whether it was not published yet: no command sees it. */
    boolean isHidden() {
        return publication != null && !publication.isVisible;
    }

    /** Number of its keys that its shard counts; 0 while it is hidden. */
    long countedKeys;

    /** Whether its shard counts it among those that expire. */
    boolean isCountedAsExpiring;

    /** Whether it has expired as a whole: to remove it is no change, since nobody is told of it any more. */
    boolean hasExpired;

    private boolean isGone;

    /** Whether it was dropped. */
    boolean isGone() {
        return isGone;
    }

    void goes() {
        isGone = true;
    }

    boolean isKept() {
        return keptBy != Index.NONE;
    }

    boolean isVain() {
        return index.size() == 0 && !isKept();
    }
}
