package dev.kv.storage;

/** What memory holds of a bucket: all but its keys and values. Guarded by the lock of its {@link Shard}. */
final class Bucket {
    final byte[] name;
    final int hash;
    final Index index = new Index();

    /** Grows each time that a bucket of this name is made or dropped. */
    final long generation;

    /** The record that says that the bucket stays when its last key goes; {@link Index#NONE} if it does not. */
    long keptBy = Index.NONE;

    /** What its keys and values take in the log, each in a record of its own. */
    long bytes;

    Bucket(byte[] name, int hash, long generation) {
        this.name = name;
        this.hash = hash;
        this.generation = generation;
    }

    /** What it needs of the log. */
    long cost() {
        return bytes + (isKept() ? Layout.recordCost(name.length) : 0);
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
