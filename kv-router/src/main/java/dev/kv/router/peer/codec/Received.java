package dev.kv.router.peer.codec;

import dev.kv.router.Bytes;
import java.nio.ByteBuffer;

/**
 * A message that was received.
 *
 * @param head its bytes without the tail
 * @param tail the large value that it ends with; empty if it ends with none
 */
public record Received(ByteBuffer head, Bytes tail) {
    /** A message without a tail. */
    public static Received whole(ByteBuffer bytes) {
        return new Received(bytes, Bytes.EMPTY);
    }
}
