package dev.kv.storage.engine;

import dev.kv.storage.format.Layout;
import dev.kv.storage.index.Index;

/** A bucket in memory: all but its keys and values. Guarded by the lock of its {@link Shard}. */
public final class Bucket {
    /** Its name and the hash of that. A rename changes them under the locks of both shards. */
    byte[] name;

    int hash;
    final Index index = new Index();

    /** The name in its records: its first name. */
    final byte[] recordName;

    /** Unique. Of two buckets that were made under one name, the later one has the higher generation. */
    final long generation;

    /** Location of the record that keeps the bucket when its last key is removed; {@link Index#NONE} if there is none. */
    long keptBy = Index.NONE;

    /** Bytes that its keys and values take in the log, as if each had a record of its own. */
    long bytes;

    /** How it got its name; null if that is the name in its records. */
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

    /** Lower bound of the bytes of all its keys and values: {@link #bytes} less names, headers and padding. */
    long contentBytesMin() {
        long others = Layout.fieldCost(recordName.length, 0, 0) + Layout.ALIGNMENT - 1;
        return Math.max(0, bytes - index.size() * others);
    }

    /** Live bytes of the log that are its own. */
    long cost() {
        return bytes
                + (isKept() ? Layout.recordCost(recordName.length) : 0)
                + (publication == null ? 0 : publication.cost());
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
