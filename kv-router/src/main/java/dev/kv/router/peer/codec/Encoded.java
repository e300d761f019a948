package dev.kv.router.peer.codec;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * The bytes of a message to be sent. Large values are parts of their own, which belong to who holds the value, so that nobody
 * copies them to make a message of them.
 *
 * @param parts what it consists of, each from 0 to its limit, in order; not empty
 * @param size of all of them
 */
public record Encoded(List<ByteBuffer> parts, long size) {
    /** A value of more bytes is a part of its own, and at the end of a message it is its {@link #tailBytes tail}. */
    public static final int LARGE_BYTES = 64 * 1024;

    /** The length of the large value that the message ends with; 0 if it ends with none. Its receiver keeps it apart, too. */
    public int tailBytes() {
        return parts.size() > 1 && parts.getLast().limit() > LARGE_BYTES
                ? parts.getLast().limit()
                : 0;
    }
}
