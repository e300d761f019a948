package dev.kv.storage.engine;

import dev.kv.router.Bytes;

/**
 * A bucket while a command changes it. What is changed is seen here at once, and comes into force as a whole when the command
 * returns; if it throws, nothing of it.
 */
public interface Edit extends View {
    /** Sets a key; makes the bucket if there is none. */
    void set(Bytes key, Bytes value);

    /** Removes a key, if it is there. A bucket that is not kept goes with its last key. */
    void delete(Bytes key);

    /** Makes the bucket if there is none; it stays when its last key goes. */
    void keep();

    /** Removes the bucket, if it is there, with all that it holds. */
    void drop();
}
