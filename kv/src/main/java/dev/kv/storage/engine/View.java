package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;

/**
 * A bucket as a command sees it while it runs: no other command changes it meanwhile. What is read ends with {@link Turn.TooMuch}
 * when the turn of the command is over.
 */
public interface View {
    /** Whether there is such a bucket: it has keys, or is kept. */
    boolean exists();

    /** Whether the bucket stays when its last key goes. */
    boolean isKept();

    /** The number of keys. */
    long size();

    /** A number of bytes that all keys and values together have at least. It is found without a look at them. */
    long bytesMin();

    /** Ends the command with {@link Turn.TooMuch}, before it reads anything, if all keys and values are more than its turn has. */
    void checkAll();

    /** The value of a key; null if it is not there. */
    Bytes get(Bytes key);

    /** The value of a key as a reply, held if it is large; {@link Reply#ABSENT} if it is not there. */
    Reply read(Bytes key);

    /**
     * Shows pairs from a position on, in the order of their positions, until the visitor has seen enough. A key's position is a
     * hash of it, from 0 to 2^32 - 1, and the same as long as the data folder lives; several keys may share one.
     */
    void forEach(long fromPosition, Visitor visitor);

    /**
     * Shows a pair by chance; each is as likely as any other. There must be one. It takes the same time in any bucket, unless the
     * command itself has deleted most of it.
     */
    void draw(Visitor visitor);

    /** Sees pairs. */
    @FunctionalInterface
    interface Visitor {
        /** Returns whether it wants to see more. */
        boolean visit(long position, Bytes key, Bytes value);
    }
}
