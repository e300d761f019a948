package dev.kv.router.peer.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import dev.kv.router.PackedList;
import java.nio.ByteBuffer;
import java.util.List;

/** A message while it is read: no content of it leads to anything but values or a {@link MalformedMessage}. */
public final class MessageReader {
    private final ByteBuffer bytes;
    private final boolean isLasting;
    private Bytes tail;
    private int depthLeft;

    /** A message without a tail, and without values that stand in each other. */
    public MessageReader(ByteBuffer bytes) {
        this(Received.passing(bytes), 0);
    }

    /**
     * @param depthMax how deep values may stand in each other
     */
    MessageReader(Received message, int depthMax) {
        this.bytes = message.head();
        this.tail = message.tail();
        this.isLasting = message.isLasting();
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

    /** The bytes of a length that stands before them; not copied if they are the tail. */
    public Bytes bytes() throws MalformedMessage {
        int length = u32();
        if (!tail.isEmpty() && length == tail.size() && !bytes.hasRemaining()) {
            Bytes taken = tail;
            tail = Bytes.EMPTY;
            return taken;
        }
        return Bytes.owning(raw(length));
    }

    /** As many values, each behind its length. Many or long ones are not copied, unless the message passes. */
    List<Bytes> values(int count) throws MalformedMessage {
        expectAtLeast(count);
        if (tail.isEmpty() && isLasting) {
            ByteBuffer values = bytes.slice();
            int start = bytes.position();
            for (int i = 0; i < count; i++) {
                skip(u32());
            }
            return PackedList.of(values.limit(bytes.position() - start), count);
        }
        PackedList.Builder values = new PackedList.Builder();
        for (int i = 0; i < count; i++) {
            values.add(bytes());
        }
        return values.build();
    }

    private void skip(int length) throws MalformedMessage {
        expectAtLeast(length);
        bytes.position(bytes.position() + length);
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
        if (bytes.hasRemaining() || !tail.isEmpty()) {
            throw new MalformedMessage(bytes.remaining() + (long) tail.size() + " bytes too many");
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
