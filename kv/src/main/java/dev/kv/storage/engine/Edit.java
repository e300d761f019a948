package dev.kv.storage.engine;

import dev.kv.router.Bytes;

/**
 * A bucket as a command changes it. The command reads its own changes. They are written and applied as a whole when the command returns,
 * and discarded if it throws.
 */
public interface Edit extends View {
    /** The time as of which the command runs, in milliseconds since 1970. */
    long nowMillis();

    /** Sets a key, which does not expire; makes the bucket if there is none. */
    default void set(Bytes key, Bytes value) {
        boolean _ = set(key, value, 0);
    }

    /**
     * Sets a key; makes the bucket if there is none.
     *
     * @param until when it expires, in milliseconds since 1970: a time that is past removes it; 0 if it does not
     * @return whether it is there, and was not before
     */
    boolean set(Bytes key, Bytes value, long until);

    /** Gives the name a value, which does not expire, in the place of what it has. */
    default void setValue(Bytes value) {
        setValue(value, 0);
    }

    /** Does the same with a time, as for {@link #set}. */
    void setValue(Bytes value, long until);

    /** Changes when the bucket with keys, or value, that exists expires, with a time as for {@link #set}. */
    void expire(long until);

    /** Removes a key; returns whether it existed. A bucket that is not kept is removed with its last key. */
    boolean delete(Bytes key);

    /** Makes the bucket if there is none, and keeps it when its last key is removed. */
    void keep();

    /** Removes the bucket, if it exists, with all its keys. */
    void drop();
}
