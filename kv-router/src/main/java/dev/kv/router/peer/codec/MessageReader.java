package dev.kv.router.peer.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import java.nio.ByteBuffer;

/** A message while it is read: no content of it leads to anything but values or a {@link MalformedMessage}. */
public final class MessageReader {
    private final ByteBuffer bytes;
    private int depthLeft;

    /**
     * @param bytes the whole message
     * @param depthMax how deep values may stand in each other
     */
    public MessageReader(ByteBuffer bytes, int depthMax) {
        this.bytes = bytes;
        this.depthLeft = depthMax;
    }

    public int u8() throws MalformedMessage {
        expectAtLeast(1);
        return bytes.get() & 0xFF;
    }

    public int u16() throws MalformedMessage {
        expectAtLeast(Short.BYTES);
        return bytes.getShort() & 0xFFFF;
    }

    public int u32() throws MalformedMessage {
        expectAtLeast(Integer.BYTES);
        return bytes.getInt();
    }

    public long u64() throws MalformedMessage {
        expectAtLeast(Long.BYTES);
        return bytes.getLong();
    }

    public byte[] raw(int length) throws MalformedMessage {
        expectAtLeast(length);
        byte[] raw = new byte[length];
        bytes.get(raw);
        return raw;
    }

    public String text() throws MalformedMessage {
        return new String(raw(u16()), UTF_8);
    }

    public Bytes bytes() throws MalformedMessage {
        return Bytes.owning(raw(u32()));
    }

    /** Refuses a message of which less is left: a length, or a number of things that take a byte each at least. */
    void expectAtLeast(int length) throws MalformedMessage {
        if (length < 0 || length > bytes.remaining()) {
            throw new MalformedMessage(
                    Integer.toUnsignedString(length) + " bytes announced where " + bytes.remaining() + " are left");
        }
    }

    /** Refuses a message of which something is left. */
    public void expectEnd() throws MalformedMessage {
        if (bytes.hasRemaining()) {
            throw new MalformedMessage(bytes.remaining() + " bytes too many");
        }
    }

    void enter() throws MalformedMessage {
        if (depthLeft == 0) {
            throw new MalformedMessage("values stand in each other too deep");
        }
        depthLeft--;
    }

    void leave() {
        depthLeft++;
    }
}
