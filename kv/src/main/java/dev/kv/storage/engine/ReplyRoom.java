package dev.kv.storage.engine;

import dev.kv.router.Bytes;

/** The bytes that a reply may still take. */
final class ReplyRoom {
    /** Bytes of a value's header in a message to another node or to a client. */
    private static final int OVERHEAD_BYTES = 16;

    private final long maxBytes;
    private long leftBytes;

    ReplyRoom(long maxBytes) {
        this.maxBytes = maxBytes;
        this.leftBytes = maxBytes;
    }

    void take(Bytes value) {
        take(value.size());
    }

    void take(int valueBytes) {
        leftBytes -= OVERHEAD_BYTES + valueBytes;
        if (leftBytes < 0) {
            throw new TooLarge();
        }
    }

    /** Whether there is room for a number of values that have at least so many bytes together. */
    boolean holds(long values, long bytesMin) {
        return values <= (leftBytes - bytesMin) / OVERHEAD_BYTES;
    }

    /** Whether more than half is taken: a page ends at the next position. */
    boolean isScarce() {
        return leftBytes < maxBytes / 2;
    }

    /** The length of a page. Entries at one position stay together, since the next page begins at a position. */
    static final class Page {
        private final long count;
        private final ReplyRoom room;
        private long seen;
        private long last = -1;

        /** The position that the next page begins at; 0 if there is none. */
        private long next;

        Page(long count, ReplyRoom room) {
            this.count = count;
            this.room = room;
        }

        long next() {
            return next;
        }

        boolean endsBefore(long position) {
            if (position != last && (seen >= count || room.isScarce())) {
                next = position;
                return true;
            }
            seen++;
            last = position;
            return false;
        }
    }

    /** The reply would be larger than replies may be. The command ends, and has changed nothing. */
    static final class TooLarge extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooLarge() {
            super("reply too large", null, false, false);
        }
    }
}
