package dev.kv.storage.format;

import dev.kv.router.Held;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.zip.CRC32C;

/**
 * Reads of a mapped file. A page that cannot be read from the disk is an {@link InternalError} here: the JVM itself ends when it
 * meets such a page inside a checksum or a long comparison, and does not when it copies. So bytes are copied first.
 */
public final class Mapped {
    /** The smallest page of a system that kv runs on. */
    public static final int PAGE_MIN_BYTES = 4096;

    /** How many bytes are copied at once for a checksum. */
    public static final int PART_BYTES = 64 * 1024;

    private Mapped() {}

    /**
     * Throws the {@link InternalError} of an earlier read now. Compiled code may go on for a while with some other value in place of
     * what could not be read; the return from a native method is a place at which the JVM throws such an error.
     */
    @SuppressWarnings("ThreadPriorityCheck") // for the return from it, not for its effect
    public static void throwFault() {
        Thread.yield();
    }

    /** A copy of bytes. */
    public static byte[] bytes(MemorySegment memory, long offset, int length) {
        byte[] bytes = new byte[length];
        MemorySegment.copy(memory, ValueLayout.JAVA_BYTE, offset, bytes, 0, length);
        return bytes;
    }

    /** Whether the bytes at an offset equal those of an array. */
    public static boolean isAt(MemorySegment memory, long offset, byte[] expected, int from, int count) {
        int i = 0;
        for (; i + Long.BYTES <= count; i += Long.BYTES) {
            if (memory.get(Layout.LONG, offset + i) != (long) Layout.ARRAY_LONG.get(expected, from + i)) {
                return false;
            }
        }
        for (; i < count; i++) {
            if (memory.get(ValueLayout.JAVA_BYTE, offset + i) != expected[from + i]) {
                return false;
            }
        }
        return true;
    }

    /** Adds bytes to a checksum. */
    public static void checksum(MemorySegment memory, CRC32C crc, long offset, int length) {
        checksum(memory, crc, offset, length, new byte[Math.min(length, PART_BYTES)], Held.Seen.NOTHING);
    }

    /**
     * Adds bytes to a checksum, and shows them.
     *
     * @param part what they are copied to, a part at a time
     */
    public static void checksum(
            MemorySegment memory, CRC32C crc, long offset, int length, byte[] part, Held.Seen seen) {
        for (int done = 0; done < length; ) {
            int count = Math.min(length - done, part.length);
            MemorySegment.copy(memory, ValueLayout.JAVA_BYTE, offset + done, part, 0, count);
            crc.update(part, 0, count);
            seen.part(part, count);
            done += count;
        }
    }

    /** Whether the field at an offset, with a key and a value of these lengths, has the checksum that it carries. */
    public static boolean isSoundField(MemorySegment memory, long field, int keyBytes, int valueBytes) {
        CRC32C crc = new CRC32C();
        checksum(memory, crc, field + Integer.BYTES, Layout.FIELD_KEY - Integer.BYTES + keyBytes + valueBytes);
        return Layout.fieldChecksum(memory, field) == (int) crc.getValue();
    }

    /** Whether a record that is copied up to its first key, and has no more fields, has the checksum that it carries. */
    public static boolean isSoundHead(byte[] head) {
        CRC32C crc = new CRC32C();
        crc.update(head, Integer.BYTES, head.length - Integer.BYTES);
        return (int) Layout.ARRAY_INT.get(head, Layout.RECORD_CHECKSUM) == (int) crc.getValue();
    }
}
