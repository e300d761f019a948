package dev.kv.storage;

import dev.kv.router.Bytes;

/** A bucket as a command sees it while it runs: no other command changes it meanwhile. */
interface View {
    /** Whether the bucket is there: it is kept, or has keys. */
    boolean exists();

    /** Whether the bucket stays when it has no keys. */
    boolean isKept();

    /** The number of keys. */
    long size();

    /** The value of the key; null if there is none. */
    Bytes get(Bytes key);

    /**
     * Shows pairs from a position on, in the order of their positions, until the visitor declines. A key's position is 32 bits
     * of a keyed hash, from 0 to 2^32 - 1, the same as long as the data folder lives; several keys may share one.
     */
    void forEach(long fromPosition, Visitor visitor);

    /** Sees pairs, one after the other. */
    @FunctionalInterface
    interface Visitor {
        /** A pair; answers whether to go on. */
        boolean visit(long position, Bytes key, Bytes value);
    }
}
