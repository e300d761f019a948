package dev.kv.router.peer;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/** A message to another node while it is written; {@link Wire} says what its parts look like. */
final class Body {
    /** The length of a text has 16 bits. */
    private static final int TEXT_MAX_BYTES = 0xFFFF;

    private ByteBuffer bytes;

    Body(int sizeHint) {
        bytes = ByteBuffer.allocate(sizeHint);
    }

    void u8(int value) {
        room(1).put((byte) value);
    }

    void u16(int value) {
        room(2).putShort((short) value);
    }

    void u32(int value) {
        room(4).putInt(value);
    }

    void u64(long value) {
        room(8).putLong(value);
    }

    void raw(byte[] value) {
        room(value.length).put(value);
    }

    /** A text, cut off where it is longer than a length can say. */
    void text(String value) {
        byte[] utf8 = value.getBytes(UTF_8);
        int length = Math.min(utf8.length, TEXT_MAX_BYTES);
        u16(length);
        room(length).put(utf8, 0, length);
    }

    void bytes(Bytes value) {
        u32(value.size());
        raw(value.array());
    }

    void list(List<Bytes> values) {
        u32(values.size());
        values.forEach(this::bytes);
    }

    void names(NameSpace names) {
        u32(names.spans().size());
        for (NameSpace.Span span : names.spans()) {
            bytes(span.from());
            u8(span.before().isPresent() ? 1 : 0);
            span.before().ifPresent(this::bytes);
        }
    }

    void failed(Reply.Failed failed) {
        text(failed.word().name());
        text(failed.message());
    }

    byte[] toByteArray() {
        return bytes.hasRemaining() ? Arrays.copyOf(bytes.array(), bytes.position()) : bytes.array();
    }

    private ByteBuffer room(int length) {
        if (bytes.remaining() < length) {
            int size = Math.max(2 * bytes.capacity(), bytes.position() + length);
            bytes = ByteBuffer.allocate(size).put(bytes.flip());
        }
        return bytes;
    }
}
