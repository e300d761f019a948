package dev.kv.router.peer.codec;

import dev.kv.router.Bytes;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A message that was received.
 *
 * @param head its first bytes without the tail
 * @param more the rest of them, in parts: a long message is not in one array, which the JVM could not be stopped at while it clears it
 * @param tail the large value that it ends with; empty if it ends with none
 * @param isLasting whether the bytes belong to the message; if not, they are the memory for input, which changes with the next read
 */
public record Received(ByteBuffer head, List<ByteBuffer> more, Bytes tail, boolean isLasting) {
    /** A message in the memory for input. */
    public static Received passing(ByteBuffer bytes) {
        return new Received(bytes, List.of(), Bytes.EMPTY, false);
    }

    /** Whether it takes too long to be read on an I/O loop: other connections would wait. */
    public boolean isLong() {
        return head.remaining() > Encoded.LARGE_BYTES;
    }

    /** A message in memory of its own; not without a part. */
    public static Received lasting(List<ByteBuffer> parts, Bytes tail) {
        return new Received(parts.getFirst(), parts.subList(1, parts.size()), tail, true);
    }
}
