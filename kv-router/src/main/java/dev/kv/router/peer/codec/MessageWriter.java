package dev.kv.router.peer.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import java.nio.ByteBuffer;

/** A message while it is written. Numbers are big-endian. */
public final class MessageWriter {
    /** The length of a text has 16 bits. */
    private static final int TEXT_MAX_BYTES = 0xFFFF;

    private final ByteBuffer bytes;

    /**
     * @param size of the whole message
     */
    public MessageWriter(long size) {
        bytes = ByteBuffer.allocate(Math.toIntExact(size));
    }

    public void u8(int value) {
        bytes.put((byte) value);
    }

    public void u16(int value) {
        bytes.putShort((short) value);
    }

    public void u32(int value) {
        bytes.putInt(value);
    }

    public void u64(long value) {
        bytes.putLong(value);
    }

    public void raw(byte[] value) {
        bytes.put(value);
    }

    public void text(String value) {
        byte[] utf8 = value.getBytes(UTF_8);
        int length = Math.min(utf8.length, TEXT_MAX_BYTES);
        u16(length);
        bytes.put(utf8, 0, length);
    }

    public void bytes(Bytes value) {
        u32(value.size());
        raw(value.array());
    }

    /** How many bytes {@link #text} writes, counted without encoding it where it is ASCII, as names of nodes are. */
    public static int textSize(String value) {
        for (int i = 0; i < value.length(); i++) {
            if (value.charAt(i) >= 0x80) {
                return Short.BYTES + Math.min(value.getBytes(UTF_8).length, TEXT_MAX_BYTES);
            }
        }
        return Short.BYTES + Math.min(value.length(), TEXT_MAX_BYTES);
    }

    /** The message, all of which has been written. */
    public byte[] toByteArray() {
        if (bytes.hasRemaining()) {
            throw new IllegalStateException(bytes.remaining() + " bytes fewer than their encoding says");
        }
        return bytes.array();
    }
}
