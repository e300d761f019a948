package dev.kv.server.resp;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import dev.kv.router.PackedList;
import dev.kv.router.Reply;
import dev.kv.router.net.Connection;
import dev.kv.server.reply.Piece;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Writes one reply in RESP: version 2, or version 3 after {@code HELLO 3}. One instance can write many replies, one after another.
 */
public final class RespWriter {
    private static final int FIRST_BYTES = 64;

    /** A larger buffer is not used for the next reply. A shorter reply is copied when it is sent. */
    private static final int KEPT_MAX_BYTES = Connection.COPIED_MAX_BYTES;

    /**
     * The least size of the pieces of a long reply. A single array would be copied each time it grows, and the garbage collector would
     * copy smaller ones.
     */
    private static final int PIECE_BYTES = (4 << 20) - 2 * Connection.COPIED_MAX_BYTES;

    private static final byte[] OK = "+OK\r\n".getBytes(US_ASCII);

    private boolean version3;
    private final List<Piece> pieces = new ArrayList<>(1);
    private final List<String> errors = new ArrayList<>(0);
    private byte[] buffer = new byte[FIRST_BYTES];
    private int size;

    /** Receives the bytes of a reply. */
    @FunctionalInterface
    public interface Sink {
        /** Takes the beginning of an array. An array of up to {@link Connection#COPIED_MAX_BYTES} is used again after the call. */
        void take(byte[] array, int length);
    }

    public RespWriter(boolean version3) {
        this.version3 = version3;
    }

    boolean isVersion3() {
        return version3;
    }

    /** Begins a reply of this version. What is left of one that failed is dropped. */
    public void begin(boolean asVersion3) {
        forget();
        errors.clear();
        speak(asVersion3);
    }

    /** Chooses the version of what follows. */
    void speak(boolean asVersion3) {
        version3 = asVersion3;
    }

    /** The reply as pieces, to be sent one after another. */
    public List<Piece> toPieces() {
        if (pieces.isEmpty() && size > 0 && size <= KEPT_MAX_BYTES) {
            Piece whole = new Piece.Array(Bytes.owning(Arrays.copyOf(buffer, size)));
            forget();
            return List.of(whole);
        }
        endPiece();
        List<Piece> all = List.copyOf(pieces);
        forget();
        return all;
    }

    /** Whether the whole reply is in one array. */
    public boolean isOneArray() {
        return pieces.isEmpty();
    }

    /** Hands over a reply that is in one array, and begins the next one. */
    public void sendTo(Sink sink) {
        sink.take(buffer, size);
        forget();
    }

    private void forget() {
        if (buffer.length > KEPT_MAX_BYTES) {
            buffer = new byte[FIRST_BYTES];
        }
        size = 0;
        pieces.clear();
    }

    RespWriter ok() {
        put(OK);
        return this;
    }

    /** A word of the protocol, such as {@code QUEUED}. */
    RespWriter simple(String word) {
        return line('+', word);
    }

    /** An error. Its line begins with a word for programs; each character is one byte. */
    public RespWriter error(String line) {
        errors.add(RespError.word(line));
        return line('-', line.replace('\r', ' ').replace('\n', ' '));
    }

    /** Whether an error was written since {@link #takeErrors}. */
    boolean hasErrors() {
        return !errors.isEmpty();
    }

    /** The first words of the errors that were written, which are forgotten. */
    List<String> takeErrors() {
        List<String> taken = List.copyOf(errors);
        errors.clear();
        return taken;
    }

    public RespWriter error(Reply.Failed failed) {
        return error(RespError.line(failed));
    }

    RespWriter number(long number) {
        return head(':', number);
    }

    RespWriter bulk(Bytes value) {
        head('$', value.size());
        if (value.size() > Connection.COPIED_MAX_BYTES) {
            endPiece();
            pieces.add(new Piece.Array(value));
        } else {
            put(value.array());
        }
        return endBulk();
    }

    /** A held value whose checksum is right. */
    RespWriter bulk(Held value) {
        head('$', value.size());
        endPiece();
        pieces.add(new Piece.Large(value));
        return endBulk();
    }

    RespWriter bulk(String text) {
        return bulk(Bytes.of(text));
    }

    /** A text for people, in UTF-8. */
    RespWriter verbatim(String text) {
        if (!version3) {
            return bulk(text);
        }
        byte[] utf8 = text.getBytes(UTF_8);
        head('=', 4 + utf8.length);
        put("txt:".getBytes(US_ASCII));
        put(utf8);
        return line("");
    }

    /** The reply for something that does not exist. */
    RespWriter nil() {
        return version3 ? line("_") : line("$-1");
    }

    /** No array: nothing was run. */
    RespWriter nilArray() {
        return version3 ? line("_") : line("*-1");
    }

    /** The head of an array; {@code count} replies follow. */
    RespWriter array(int count) {
        return head('*', count);
    }

    /** The head of a map; {@code pairs} keys with their values follow. */
    RespWriter map(int pairs) {
        return version3 ? head('%', pairs) : head('*', 2L * pairs);
    }

    /** The head of a set; {@code count} replies follow. */
    RespWriter set(int count) {
        return head(version3 ? '~' : '*', count);
    }

    /** An array of bulk strings. */
    RespWriter bulks(List<Bytes> values) {
        array(values.size());
        return each(values);
    }

    /** Bulk strings, one after another, without a head. */
    RespWriter each(List<Bytes> values) {
        if (values instanceof PackedList packed) {
            packed.visit(this::bulk);
        } else {
            values.forEach(this::bulk);
        }
        return this;
    }

    /** An array of arrays of two bulk strings each. */
    RespWriter pairs(List<Bytes> values) {
        array(values.size() / 2);
        boolean[] isSecond = {false};
        Runnable pair = () -> {
            if (!isSecond[0]) {
                array(2);
            }
            isSecond[0] = !isSecond[0];
        };
        if (values instanceof PackedList packed) {
            packed.visit((from, position, length) -> {
                pair.run();
                bulk(from, position, length);
            });
        } else {
            values.forEach(value -> {
                pair.run();
                bulk(value);
            });
        }
        return this;
    }

    /** A part of an array, which is copied. */
    private void bulk(ByteBuffer from, int position, int length) {
        head('$', length);
        int copied = 0;
        while (copied < length) {
            int part = Math.min(length - copied, Math.max(1, PIECE_BYTES - size));
            room(part);
            from.get(position + copied, buffer, size, part);
            size += part;
            copied += part;
            endLongPiece();
        }
        endBulk();
    }

    private RespWriter endBulk() {
        room(2);
        buffer[size++] = '\r';
        buffer[size++] = '\n';
        endLongPiece();
        return this;
    }

    private void endLongPiece() {
        if (size >= PIECE_BYTES) {
            endPiece();
        }
    }

    private RespWriter line(char mark, String text) {
        return line(mark + text);
    }

    private RespWriter line(String text) {
        put(text.getBytes(ISO_8859_1));
        room(2);
        buffer[size++] = '\r';
        buffer[size++] = '\n';
        return this;
    }

    private RespWriter head(char mark, long number) {
        room(24);
        buffer[size++] = (byte) mark;
        if (number >= 0 && number < 10) {
            buffer[size++] = (byte) ('0' + number);
        } else {
            putDigits(number);
        }
        buffer[size++] = '\r';
        buffer[size++] = '\n';
        return this;
    }

    private void putDigits(long number) {
        if (number < 0) {
            buffer[size++] = '-';
        }
        int digits = 1;
        for (long rest = number / 10; rest != 0; rest /= 10) {
            digits++;
        }
        long rest = number;
        for (int i = size + digits - 1; i >= size; i--) {
            buffer[i] = (byte) ('0' + Math.abs(rest % 10));
            rest /= 10;
        }
        size += digits;
    }

    private void put(byte[] bytes) {
        room(bytes.length);
        System.arraycopy(bytes, 0, buffer, size, bytes.length);
        size += bytes.length;
    }

    private void room(int bytes) {
        if (buffer.length - size < bytes) {
            buffer = Arrays.copyOf(buffer, Math.max(2 * buffer.length, size + bytes));
        }
    }

    private void endPiece() {
        if (size > 0) {
            pieces.add(new Piece.Array(Bytes.owning(size == buffer.length ? buffer : Arrays.copyOf(buffer, size))));
            // Another long piece may follow a long one: its buffer is allocated whole, not copied while it grows.
            buffer = new byte[size < PIECE_BYTES ? FIRST_BYTES : PIECE_BYTES + Connection.COPIED_MAX_BYTES];
            size = 0;
        }
    }
}
