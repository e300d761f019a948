package dev.kv.storage.format;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.config.BadStart;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * What a segment says of itself in its first bytes; {@code docs/format.md} describes it.
 *
 * @param version of the format in which it was written
 * @param folder the id of the folder in which it was written; 0 in version 1
 * @param name the segment that was written here, whatever the file is called now
 * @param previous the segment that was written before this one; 0 if it is the first, or was rewritten
 * @param previousEnd where that one ends: nothing behind it counts, nor do segments between the two
 * @param checksum of all this
 */
public record SegmentHeader(int version, long folder, SegmentName name, long previous, long previousEnd, int checksum) {
    public static final int BYTES = 64;

    private static final byte[] MAGIC = "kv-log\r\n".getBytes(US_ASCII);
    private static final int VERSION = 8;
    private static final int CHECKSUM = 12;
    private static final int NUMBER = 16;
    private static final int REWRITE = 24;
    private static final int PREVIOUS = 32;
    private static final int PREVIOUS_END = 40;
    private static final int FOLDER = 48;

    /** Writes a header of the newest version; returns its checksum. */
    public static int write(MemorySegment memory, long folder, SegmentName name, long previous, long previousEnd) {
        MemorySegment.copy(MAGIC, 0, memory, ValueLayout.JAVA_BYTE, 0, MAGIC.length);
        memory.set(Layout.INT, VERSION, Layout.VERSION);
        memory.set(Layout.LONG, NUMBER, name.number());
        memory.set(Layout.INT, REWRITE, name.rewrite());
        memory.set(Layout.LONG, PREVIOUS, previous);
        memory.set(Layout.LONG, PREVIOUS_END, previousEnd);
        memory.set(Layout.LONG, FOLDER, folder);
        int checksum = checksum(memory);
        memory.set(Layout.INT, CHECKSUM, checksum);
        return checksum;
    }

    /** Whether the header of a segment has the checksum that it carries. */
    public static boolean isSound(MemorySegment memory) {
        return memory.get(Layout.INT, CHECKSUM) == checksum(memory);
    }

    /**
     * Reads the header of a segment.
     *
     * @throws Damaged if there is none that is sound
     * @throws BadStart if a newer release wrote it
     */
    public static SegmentHeader of(MemorySegment memory, Path path) throws Damaged {
        try {
            return read(memory, path);
        } catch (InternalError sigbus) {
            throw Damaged.unreadable(path, sigbus);
        }
    }

    private static SegmentHeader read(MemorySegment memory, Path path) throws Damaged {
        if (memory.byteSize() < BYTES || !Mapped.isAt(memory, 0, MAGIC, 0, MAGIC.length)) {
            throw new Damaged(path, 0, "this is no segment of kv's log");
        }
        if (!isSound(memory)) {
            throw new Damaged(path, 0, "the checksum of its header is wrong");
        }
        int version = memory.get(Layout.INT, VERSION);
        if (version > Layout.VERSION || version < 1) {
            throw new BadStart(path + " is a segment of format " + version + ", and this release knows up to "
                    + Layout.VERSION + ": use the release that wrote it");
        }
        return new SegmentHeader(
                version,
                memory.get(Layout.LONG, FOLDER),
                new SegmentName(memory.get(Layout.LONG, NUMBER), memory.get(Layout.INT, REWRITE)),
                memory.get(Layout.LONG, PREVIOUS),
                memory.get(Layout.LONG, PREVIOUS_END),
                memory.get(Layout.INT, CHECKSUM));
    }

    private static int checksum(MemorySegment memory) {
        byte[] header = memory.asSlice(0, BYTES).toArray(ValueLayout.JAVA_BYTE);
        Layout.ARRAY_INT.set(header, CHECKSUM, 0);
        CRC32C crc = new CRC32C();
        crc.update(header);
        return (int) crc.getValue();
    }
}
