package dev.kv.storage.engine;

import dev.kv.storage.format.Layout;
import dev.kv.storage.index.Index;

/** What memory holds of a bucket: all but its keys and values. Guarded by the lock of its {@link Shard}. */
public final class Bucket {
    /** Its name and the hash of that. They change when it is renamed, under the locks of both shards. */
    byte[] name;

    int hash;
    final Index index = new Index();

    /** The name in its records: the one under which it was made. */
    final byte[] recordName;

    /** Given to no other bucket; of two buckets that were made under one name, the later one has the higher. */
    final long generation;

    /** The record that says that the bucket stays when its last key goes; {@link Index#NONE} if it does not. */
    long keptBy = Index.NONE;

    /** What its keys and values take in the log, each in a record of its own. */
    long bytes;

    /** How it came to its name if its records alone do not say so; else null. */
    Publication publication;

    Bucket(byte[] name, int hash, long generation) {
        this(name, hash, generation, name);
    }

    Bucket(byte[] name, int hash, long generation, byte[] recordName) {
        this.name = name;
        this.hash = hash;
        this.generation = generation;
        this.recordName = recordName;
    }

    /** A number of bytes that all its keys and values together have at least: what they take in the log also has names and padding. */
    long contentBytesMin() {
        long others = Layout.fieldCost(recordName.length, 0, 0) + Layout.ALIGNMENT - 1;
        return Math.max(0, bytes - index.size() * others);
    }

    /** What it needs of the log. */
    long cost() {
        return bytes
                + (isKept() ? Layout.recordCost(recordName.length) : 0)
                + (publication == null ? 0 : publication.cost());
    }

    /** The flags of all its records. */
    int flags() {
        return publication == null ? 0 : Layout.HIDDEN;
    }

    /** Whether it does not stand under its name yet. */
    boolean isHidden() {
        return publication != null && !publication.isVisible;
    }

    /** Whether its shard counts it among those that have keys. */
    boolean isFilled;

    private boolean isGone;

    /** Whether it is no longer one of the buckets of the node. */
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
