package dev.kv.router.peer.codec;

import dev.kv.router.Bytes;
import java.nio.ByteBuffer;

/**
 * A message that was received.
 *
 * @param head its bytes without the tail
 * @param tail the large value that it ends with; empty if it ends with none
 * @param isLasting whether the head belongs to the message; if not, it is the memory for input, which changes with the next read
 */
public record Received(ByteBuffer head, Bytes tail, boolean isLasting) {
    /** A message in the memory for input. */
    public static Received passing(ByteBuffer bytes) {
        return new Received(bytes, Bytes.EMPTY, false);
    }

    /** A message in memory of its own. */
    public static Received lasting(ByteBuffer head, Bytes tail) {
        return new Received(head, tail, true);
    }
}
