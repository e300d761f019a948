package dev.kv.storage.engine;

import dev.kv.router.Bytes;

/**
 * A bucket as a command changes it. The command reads its own changes. They are written and applied as a whole when the command returns,
 * and discarded if it throws.
 */
public interface Edit extends View {
    /** Sets a key; makes the bucket if there is none. */
    void set(Bytes key, Bytes value);

    /** Gives the name a value, in the place of what it has. */
    void setValue(Bytes value);

    /** Removes a key, if it exists. A bucket that is not kept is removed with its last key. */
    void delete(Bytes key);

    /** Makes the bucket if there is none, and keeps it when its last key is removed. */
    void keep();

    /** Removes the bucket, if it exists, with all its keys. */
    void drop();
}
