package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.SeenTime;

/** The new state of a key in a {@link Change}. */
final class ChangedKey {
    Bytes key;
    int hash;

    /** Its location in the log before this change; {@link Index#NONE} if it did not exist. */
    long before;

    /** Bytes that it takes in the log there. */
    long costBefore;

    /** Null if the key is removed. */
    Bytes value;

    /** When it expires, and when it did before; 0 if it does not. */
    long until;

    long untilBefore;

    /** Whether it is there for the command. */
    boolean isThere;

    /** Its place in {@link PresentKeys}; -1 if it is not there. */
    int place;

    /** Its position and number in {@link PresentKeys}. */
    long order;

    /** Whether it was there before this change, at a time. */
    boolean wasThere(long nowMillis) {
        return before != Index.NONE && !(untilBefore != 0 && SeenTime.isPast(untilBefore, nowMillis));
    }

    /** Whether it has no effect: a key that did not exist is removed. */
    boolean isVain() {
        return value == null && before == Index.NONE;
    }

    /** Bytes of the key, and of its value if it has one. */
    long bytes() {
        return (long) key.size() + (value == null ? 0 : value.size());
    }

    long position() {
        return Integer.toUnsignedLong(hash);
    }
}
