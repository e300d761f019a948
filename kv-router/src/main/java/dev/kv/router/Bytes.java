package dev.kv.router;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.OptionalLong;

/**
 * An immutable run of bytes: the name of a bucket, a key or a value. Compared and ordered by content.
 * The order also keeps a hash table quick whose keys a client chose to fall together.
 *
 * <p>An instance owns its array: whoever hands one to {@link #owning} must not write to it afterwards, and whoever
 * takes one from {@link #array} must not write to it at all. No copy is made on either way.
 */
public final class Bytes implements Comparable<Bytes> {
    public static final Bytes EMPTY = new Bytes(new byte[0]);

    private final byte[] array;

    private Bytes(byte[] array) {
        this.array = array;
    }

    /** The bytes of {@code array}, which now belongs to the result. */
    public static Bytes owning(byte[] array) {
        return array.length == 0 ? EMPTY : new Bytes(array);
    }

    /** A copy of {@code length} bytes from the buffer's position on; the position moves behind them. */
    public static Bytes read(ByteBuffer buffer, int length) {
        byte[] array = new byte[length];
        buffer.get(array);
        return owning(array);
    }

    /** The text in UTF-8. */
    public static Bytes of(String text) {
        return owning(text.getBytes(UTF_8));
    }

    /**
     * The bytes of a text in UTF-8, in which {@code %HH} stands for any byte: what {@link #printable} writes.
     *
     * @throws IllegalArgumentException if two hexadecimal digits do not follow a {@code %}
     */
    public static Bytes ofPrintable(String text) {
        byte[] utf8 = text.getBytes(UTF_8);
        byte[] bytes = new byte[utf8.length];
        int size = 0;
        for (int i = 0; i < utf8.length; i++) {
            if (utf8[i] == '%') {
                if (i + 2 >= utf8.length || !HexFormat.isHexDigit(utf8[i + 1]) || !HexFormat.isHexDigit(utf8[i + 2])) {
                    throw new IllegalArgumentException(
                            "expected %HH, two hexadecimal digits, in " + text + ": write % as %25");
                }
                bytes[size++] = (byte) (HexFormat.fromHexDigit(utf8[++i]) << 4 | HexFormat.fromHexDigit(utf8[++i]));
            } else {
                bytes[size++] = utf8[i];
            }
        }
        return owning(Arrays.copyOf(bytes, size));
    }

    public int size() {
        return array.length;
    }

    public boolean isEmpty() {
        return array.length == 0;
    }

    /** The byte at {@code index} as 0 to 255. */
    public int at(int index) {
        return array[index] & 0xFF;
    }

    public boolean startsWith(Bytes prefix) {
        return array.length >= prefix.array.length
                && Arrays.equals(array, 0, prefix.array.length, prefix.array, 0, prefix.array.length);
    }

    /** The bytes themselves, to be read only. */
    public byte[] array() {
        return array;
    }

    /** The bytes as text, taken for UTF-8. */
    public String text() {
        return new String(array, UTF_8);
    }

    /**
     * The whole number that the bytes are the decimal text of, written as {@link Long#toString} does: no sign before a positive
     * one, no zeros ahead. Empty if they are none, or one beyond 64 bits.
     */
    public OptionalLong wholeNumber() {
        int length = array.length;
        boolean negative = length > 0 && array[0] == '-';
        int first = negative ? 1 : 0;
        if (length == first || length > 20) {
            return OptionalLong.empty();
        }
        if (array[first] == '0') {
            return length == 1 ? OptionalLong.of(0) : OptionalLong.empty();
        }
        // Counted downwards: there is one negative number more.
        long number = 0;
        for (int i = first; i < length; i++) {
            int digit = array[i] - '0';
            if (digit < 0 || digit > 9 || number < Long.MIN_VALUE / 10) {
                return OptionalLong.empty();
            }
            number = number * 10 - digit;
            if (number > 0) {
                return OptionalLong.empty();
            }
        }
        if (negative) {
            return OptionalLong.of(number);
        }
        return number == Long.MIN_VALUE ? OptionalLong.empty() : OptionalLong.of(-number);
    }

    /**
     * The first {@code max} bytes for a message to people: printable ASCII as it is, any other byte and {@code %} as
     * {@code %HH}, and {@code ...} where something was left out.
     */
    public String printable(int max) {
        StringBuilder text = new StringBuilder(Math.min(array.length, max) + 8);
        for (int i = 0; i < array.length; i++) {
            if (i == max) {
                return text.append("...").toString();
            }
            int b = at(i);
            if (b > 0x20 && b < 0x7F && b != '%') {
                text.append((char) b);
            } else {
                text.append('%').append(hex(b >> 4)).append(hex(b & 0xF));
            }
        }
        return text.toString();
    }

    private static char hex(int digit) {
        return (char) (digit < 10 ? '0' + digit : 'A' + digit - 10);
    }

    /** By the first byte that differs, as 0 to 255; a name stands before those that begin with it. */
    @Override
    public int compareTo(Bytes other) {
        return Arrays.compareUnsigned(array, other.array);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Bytes bytes && Arrays.equals(array, bytes.array);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(array);
    }

    @Override
    public String toString() {
        return printable(64);
    }
}
