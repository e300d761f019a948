package dev.kv.router.peer.codec;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * The bytes of a message to be sent. Large values are parts of their own, which belong to who holds the value, so that nobody
 * copies them to make a message of them.
 *
 * @param parts what it consists of, each from 0 to its limit, in order; not empty
 * @param size of all of them
 * @param tailBytes the length of the large value that the message ends with, which its receiver keeps apart; 0 if it ends with none
 */
public record Encoded(List<ByteBuffer> parts, long size, int tailBytes) {
    /** A value of more bytes is a part of its own, and at the end of a message it is its tail. */
    public static final int LARGE_BYTES = 64 * 1024;
}
