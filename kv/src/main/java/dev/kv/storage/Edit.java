package dev.kv.storage;

import dev.kv.router.Bytes;

/**
 * A bucket while a command changes it. What is changed here is seen by this {@link View} at once, and comes into force as a
 * whole when the command returns; if it throws, nothing of it does.
 */
interface Edit extends View {
    /** Sets the key, and makes the bucket if there is none. */
    void set(Bytes key, Bytes value);

    void delete(Bytes key);

    /** Makes the bucket if there is none, and keeps it when it has no keys. */
    void keep();

    /** Removes the bucket with all its keys; it is not kept any more. */
    void drop();
}
