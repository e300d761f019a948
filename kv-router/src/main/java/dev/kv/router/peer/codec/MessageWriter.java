package dev.kv.router.peer.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** A message while it is written. Numbers are big-endian. */
public final class MessageWriter {
    /** The first memory: most messages fit into it. The marks and the path of a request take about 60 bytes of it. */
    private static final int FIRST_BYTES = 256;

    /** The longest array of a JVM. */
    private static final int ARRAY_MAX_BYTES = Integer.MAX_VALUE - 8;

    /** The length of a text has 16 bits. */
    private static final int TEXT_MAX_BYTES = 0xFFFF;

    /** What was written before {@link #bytes}; rarely anything. */
    private List<ByteBuffer> parts = List.of();

    private long writtenBefore;

    /** The length of the large value that was written last; 0 if something else was. */
    private int tailBytes;

    private ByteBuffer bytes = ByteBuffer.allocate(FIRST_BYTES);

    public void u8(int value) {
        room(1).put((byte) value);
    }

    public void u16(int value) {
        room(Short.BYTES).putShort((short) value);
    }

    public void u32(int value) {
        room(Integer.BYTES).putInt(value);
    }

    public void u64(long value) {
        room(Long.BYTES).putLong(value);
    }

    public void raw(byte[] value) {
        room(value.length).put(value);
    }

    public void text(String value) {
        byte[] utf8 = value.getBytes(UTF_8);
        int length = Math.min(utf8.length, TEXT_MAX_BYTES);
        u16(length);
        room(length).put(utf8, 0, length);
    }

    public void bytes(Bytes value) {
        u32(value.size());
        if (value.size() > Encoded.LARGE_BYTES) {
            part(ByteBuffer.wrap(value.array()));
            tailBytes = value.size();
        } else {
            raw(value.array());
        }
    }

    /** A value as it is kept: its bytes are read when they are sent. */
    void held(ByteBuffer value) {
        u32(value.remaining());
        if (value.remaining() > Encoded.LARGE_BYTES) {
            part(value.slice());
            tailBytes = value.remaining();
        } else {
            room(value.remaining()).put(value);
        }
    }

    /** Bytes from 0 to a limit, which are not copied. */
    void part(ByteBuffer value) {
        endPart();
        parts.add(value);
        writtenBefore += value.limit();
        tailBytes = 0;
    }

    private void endPart() {
        if (parts.isEmpty()) {
            parts = new ArrayList<>();
        }
        writtenBefore += bytes.position();
        if (bytes.position() > 0) {
            parts.add(bytes.flip());
        }
        bytes = ByteBuffer.allocate(0);
    }

    private ByteBuffer room(int length) {
        tailBytes = 0;
        if (bytes.remaining() < length) {
            int needed = Math.addExact(bytes.position(), length);
            int size = Math.max(needed, Math.clamp(2L * bytes.capacity(), FIRST_BYTES, ARRAY_MAX_BYTES));
            bytes = ByteBuffer.allocate(size).put(bytes.flip());
        }
        return bytes;
    }

    /** How many bytes {@link #text} writes, counted without encoding it where it is ASCII, as names of nodes are. */
    static int textSize(String value) {
        for (int i = 0; i < value.length(); i++) {
            if (value.charAt(i) >= 0x80) {
                return Short.BYTES + Math.min(value.getBytes(UTF_8).length, TEXT_MAX_BYTES);
            }
        }
        return Short.BYTES + Math.min(value.length(), TEXT_MAX_BYTES);
    }

    /** The message, all of which has been written. */
    public Encoded encoded() {
        if (parts.isEmpty()) {
            return new Encoded(List.of(bytes.flip()), bytes.limit(), 0);
        }
        endPart();
        return new Encoded(parts, writtenBefore, tailBytes);
    }

    /** The same in an array of its own. */
    public byte[] toByteArray() {
        Encoded encoded = encoded();
        ByteBuffer all = ByteBuffer.allocate(Math.toIntExact(encoded.size()));
        encoded.parts().forEach(all::put);
        return all.array();
    }
}
