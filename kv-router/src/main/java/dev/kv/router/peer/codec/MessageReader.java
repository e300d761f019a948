package dev.kv.router.peer.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import dev.kv.router.PackedList;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;

/** A message while it is read: no content of it leads to anything but values or a {@link MalformedMessage}. */
public final class MessageReader {
    /** The part that is being read, and those after it. */
    private ByteBuffer bytes;

    private final Iterator<ByteBuffer> more;
    private long bytesOfMore;
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
        if (message.more().isEmpty()) {
            this.more = Collections.emptyIterator();
        } else {
            this.more = message.more().iterator();
            for (ByteBuffer part : message.more()) {
                bytesOfMore += part.remaining();
            }
        }
        this.tail = message.tail();
        this.isLasting = message.isLasting();
        this.depthLeft = depthMax;
    }

    public int u8() throws MalformedMessage {
        return next(1).get() & 0xFF;
    }

    public int u16() throws MalformedMessage {
        return next(Short.BYTES).getShort() & 0xFFFF;
    }

    public int u32() throws MalformedMessage {
        return next(Integer.BYTES).getInt();
    }

    public long u64() throws MalformedMessage {
        return next(Long.BYTES).getLong();
    }

    /** A buffer with that many bytes, which are to be taken from it. They may stand at the end of a part and in the next one. */
    private ByteBuffer next(int length) throws MalformedMessage {
        if (length <= bytes.remaining()) {
            return bytes;
        }
        return ByteBuffer.wrap(raw(length));
    }

    public byte[] raw(int length) throws MalformedMessage {
        expectAtLeast(length);
        byte[] raw = new byte[length];
        int taken = 0;
        while (taken < length) {
            if (!bytes.hasRemaining()) {
                bytes = more.next();
                bytesOfMore -= bytes.remaining();
            }
            int part = Math.min(length - taken, bytes.remaining());
            bytes.get(raw, taken, part);
            taken += part;
        }
        return raw;
    }

    private long left() {
        return bytes.remaining() + bytesOfMore;
    }

    public String text() throws MalformedMessage {
        int length = u16();
        if (length > bytes.remaining() || !bytes.hasArray()) {
            return new String(raw(length), UTF_8);
        }
        int start = bytes.position();
        bytes.position(start + length);
        return new String(bytes.array(), bytes.arrayOffset() + start, length, UTF_8);
    }

    /** The bytes of a length that stands before them; not copied if they are the tail. */
    public Bytes bytes() throws MalformedMessage {
        int length = u32();
        if (!tail.isEmpty() && length == tail.size() && left() == 0) {
            Bytes taken = tail;
            tail = Bytes.EMPTY;
            return taken;
        }
        return Bytes.owning(raw(length));
    }

    /** As many values, each behind its length. Many or long ones are not copied, unless the message passes. */
    List<Bytes> values(int count) throws MalformedMessage {
        expectAtLeast(count);
        if (tail.isEmpty() && isLasting && bytesOfMore == 0) {
            ByteBuffer values = bytes.slice();
            int start = bytes.position();
            for (int i = 0; i < count; i++) {
                skip(u32());
            }
            return PackedList.of(values.limit(bytes.position() - start), count);
        }
        PackedList.Builder values = new PackedList.Builder();
        for (int i = 0; i < count; i++) {
            if (tail.isEmpty()) {
                valueTo(values);
            } else {
                values.add(bytes());
            }
        }
        return values.build();
    }

    private void valueTo(PackedList.Builder values) throws MalformedMessage {
        int length = u32();
        if (length >= 0 && length <= bytes.remaining()) {
            values.add(bytes, length);
        } else {
            values.add(Bytes.owning(raw(length)));
        }
    }

    private void skip(int length) throws MalformedMessage {
        expectAtLeast(length);
        bytes.position(bytes.position() + length);
    }

    /** Refuses a message of which less is left: a length, or a number of things that take a byte each at least. */
    void expectAtLeast(int length) throws MalformedMessage {
        if (length < 0 || length > left()) {
            throw new MalformedMessage(
                    Integer.toUnsignedString(length) + " bytes announced where " + left() + " are left");
        }
    }

    /** Refuses a message of which something is left. */
    public void expectEnd() throws MalformedMessage {
        if (left() > 0 || !tail.isEmpty()) {
            throw new MalformedMessage(left() + tail.size() + " bytes too many");
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
