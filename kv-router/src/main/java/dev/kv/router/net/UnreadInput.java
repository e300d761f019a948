package dev.kv.router.net;

import java.nio.ByteBuffer;

/** Received bytes of one connection that belong to no complete message yet. Their memory is charged to a budget. On one loop only. */
final class UnreadInput {
    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

    private final Budget budget;

    /** The bytes from 0 to the position; its capacity is charged, as {@link Budget#ofInput} counts it. */
    private ByteBuffer bytes = NOTHING;

    UnreadInput(Budget budget) {
        this.budget = budget;
    }

    boolean isEmpty() {
        return bytes.position() == 0;
    }

    /** Adds a copy of the input; returns false, and drops everything, if the budget has no memory for it. */
    boolean add(ByteBuffer input) {
        if (bytes.remaining() < input.remaining()) {
            int size = Math.max(bytes.position() + input.remaining(), 2 * bytes.capacity());
            if (!budget.take(Budget.ofInput(size))) {
                drop();
                return false;
            }
            budget.give(Budget.ofInput(bytes.capacity()));
            bytes = ByteBuffer.allocate(size).put(bytes.flip());
        }
        bytes.put(input);
        return true;
    }

    /** The bytes, to be read from their position on; {@link #endReading} follows. */
    ByteBuffer beginReading() {
        return bytes.flip();
    }

    /** Drops what was read. */
    void endReading() {
        if (!bytes.hasRemaining()) {
            drop();
        } else if (bytes.position() > 0) {
            bytes.compact();
        } else {
            // Nothing was read: without this a message that comes in many pieces would be copied for each of them.
            bytes.position(bytes.limit()).limit(bytes.capacity());
        }
    }

    void drop() {
        budget.give(Budget.ofInput(bytes.capacity()));
        bytes = NOTHING;
    }
}
