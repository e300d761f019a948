package dev.kv.router.peer.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** A message while it is written. Numbers are big-endian. One instance can write many messages, one after another. */
public final class MessageWriter {
    /** The first memory: most messages fit into it. The marks and the path of a request take about 60 bytes of it. */
    private static final int FIRST_BYTES = 256;

    /**
     * Longer memory is not used for the next message: a connection copies what it sends only up to some length. It is cut to what was
     * written: a message may wait long.
     */
    private static final int KEPT_MAX_BYTES = 4 * 1024;

    /**
     * The longest part that is made of several values: more than a short message has, and less than half a region of the smallest heap. The
     * garbage collector gives a longer array whole regions, up to twice of what it takes.
     */
    private static final int PART_MAX_BYTES = 256 * 1024 - 64;

    /** The length of a text has 16 bits. */
    private static final int TEXT_MAX_BYTES = 0xFFFF;

    /** What was written before {@link #bytes}; rarely anything. */
    private List<ByteBuffer> parts = List.of();

    private long writtenBefore;

    /** The length of the large value that was written last; 0 if something else was. */
    private int tailBytes;

    private ByteBuffer bytes = ByteBuffer.allocate(FIRST_BYTES);

    /** Begins a message. What {@link #array} returned before may be written to; what {@link #encoded} returned is not. */
    public MessageWriter begin() {
        parts = List.of();
        writtenBefore = 0;
        tailBytes = 0;
        if (bytes.capacity() == 0 || bytes.capacity() > KEPT_MAX_BYTES) {
            bytes = ByteBuffer.allocate(FIRST_BYTES);
        } else {
            bytes.clear();
        }
        return this;
    }

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
        if (isAscii(value) && value.length() <= TEXT_MAX_BYTES) {
            u16(value.length());
            ByteBuffer to = room(value.length());
            for (int i = 0; i < value.length(); i++) {
                to.put((byte) value.charAt(i));
            }
            return;
        }
        byte[] utf8 = value.getBytes(UTF_8);
        int length = Math.min(utf8.length, TEXT_MAX_BYTES);
        u16(length);
        room(length).put(utf8, 0, length);
    }

    /** Names of nodes are. */
    private static boolean isAscii(String value) {
        for (int i = 0; i < value.length(); i++) {
            if (value.charAt(i) >= 0x80) {
                return false;
            }
        }
        return true;
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
            parts.add(cut().flip());
        }
        bytes = ByteBuffer.allocate(0);
    }

    private ByteBuffer room(int length) {
        tailBytes = 0;
        if (bytes.remaining() < length) {
            if (bytes.position() > 0 && bytes.position() + (long) length > PART_MAX_BYTES) {
                endPart();
            }
            int needed = bytes.position() + length;
            int size = Math.max(needed, Math.clamp(2L * bytes.capacity(), FIRST_BYTES, PART_MAX_BYTES));
            bytes = ByteBuffer.allocate(size).put(bytes.flip());
        }
        return bytes;
    }

    /** What was written last, in memory of about its length. */
    private ByteBuffer cut() {
        int length = bytes.position();
        if (bytes.capacity() > KEPT_MAX_BYTES && bytes.capacity() - length > length / 8) {
            bytes = ByteBuffer.allocate(length).put(bytes.flip());
        }
        return bytes;
    }

    /** How many bytes {@link #text} writes. */
    static int textSize(String value) {
        int bytes = isAscii(value) ? value.length() : value.getBytes(UTF_8).length;
        return Short.BYTES + Math.min(bytes, TEXT_MAX_BYTES);
    }

    /** Whether all that was written is in {@link #array}. */
    public boolean isOneArray() {
        return parts.isEmpty();
    }

    /** How many bytes of the array were written. */
    public int length() {
        return bytes.position();
    }

    /** What was written, from 0 to {@link #length}. The next message is written to the same array unless it is longer than 4 KiB. */
    public byte[] array() {
        return bytes.array();
    }

    /** The same in memory of about its length, for who keeps it. */
    public byte[] cutArray() {
        return cut().array();
    }

    /** The message, all of which has been written; its memory is not used for others. */
    public Encoded encoded() {
        if (parts.isEmpty()) {
            ByteBuffer whole = cut().flip();
            bytes = ByteBuffer.allocate(0);
            return new Encoded(List.of(whole), whole.limit(), 0);
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
