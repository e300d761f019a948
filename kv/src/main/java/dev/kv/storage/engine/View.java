package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;

/**
 * A bucket as a command reads it. No other command changes it meanwhile. A read throws {@link Turn.TooMuch} when the turn of the
 * command is over.
 */
public interface View {
    /** The size of a value that does not exist. */
    long ABSENT = -1;

    /** The key by which a value is read. */
    Bytes VALUE = Bytes.EMPTY;

    /** Whether the name has anything: a bucket that has keys or is kept, or a value. */
    default boolean exists() {
        return isKept() || size() > 0;
    }

    /** Whether the name has a value: then its only key is {@link #VALUE}, and it is neither read nor changed as a bucket. */
    boolean isValue();

    /** When the bucket or value expires, in milliseconds since 1970; 0 if it does not. */
    long until();

    /** When a key expires; 0 if it does not, or does not exist. */
    long until(Bytes key);

    /** Whether the bucket stays when its last key is removed. */
    boolean isKept();

    /** Whether {@link #size} may count keys that have expired; no other method tells of them. */
    boolean mayHaveGoneKeys();

    /** The number of keys. */
    long size();

    /** Lower bound of the bytes of all keys and values, found without reading them. */
    long bytesMin();

    /** Throws {@link Turn.TooMuch}, before anything is read, if all keys and values are more than the turn has left. */
    void checkAll();

    /** Takes other work than reading from the turn, as so many bytes read. */
    void work(long ofBytes);

    /** The value of a key; null if the key does not exist. */
    Bytes get(Bytes key);

    /** The bytes of the value of an existing key from one offset to another. All of it is verified, and no more is copied. */
    Bytes part(Bytes key, int from, int to);

    /** The size of the value of a key in bytes, without reading it; {@link #ABSENT} if the key does not exist. */
    long valueBytes(Bytes key);

    /** The value of a key as a reply: held in the log if it is large; {@link Reply#ABSENT} if the key does not exist. */
    Reply read(Bytes key);

    /**
     * Shows pairs from a position on, in the order of their positions, until the visitor has seen enough. The position of a key is its
     * hash, from 0 to 2^32 - 1. It stays the same as long as the data folder exists; several keys may share one.
     */
    void forEach(long fromPosition, Visitor visitor);

    /**
     * Shows a random pair; each has the same probability. The bucket must have keys. The time does not depend on the size of the bucket, unless
     * the command itself has deleted most of it.
     *
     * @return false if it has shown none, since it came to a key that has expired or is changed; never if no key {@linkplain #mayHaveGoneKeys
     *     may have expired}
     */
    boolean draw(Visitor visitor);

    /** Is shown pairs. */
    @FunctionalInterface
    interface Visitor {
        /** Returns whether it wants to see more. */
        boolean visit(long position, Bytes key, Bytes value);
    }
}
