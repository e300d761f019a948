package dev.kv.storage.format;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.file.StandardOpenOption.READ;

import dev.kv.router.Bytes;
import dev.kv.router.config.BadStart;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * A file beside a segment that lists its entries without keys and values, so that a start need not read the segment. One that is
 * missing or damaged costs time and nothing else.
 *
 * @param of the header of the segment
 * @param end where the segment ends
 */
public record Hint(SegmentHeader of, long end) {
    private static final byte[] MAGIC = "kv-hnt\r\n".getBytes(US_ASCII);
    private static final int HEADER_BYTES = 64;
    private static final int VERSION = 8;
    private static final int CHECKSUM = 12;
    private static final int FOLDER = 48;
    private static final int ENTRY_BYTES = 16;

    /** The version of a hint with values. Older releases ignore it, and refuse the segment: some would take its entries for deletes. */
    private static final int VERSION_OF_VALUES = 3;

    /** The version of a hint with an entry that has a time, which follows it. */
    private static final int VERSION_OF_TIMES = 4;

    private static final int BUFFER_BYTES = 1 << 16;

    /** Kind of an entry that gives the next number to a bucket. */
    private static final int NAME = 0xFF;

    /** Most buckets of a segment with a hint: each takes memory while the hint is written. */
    public static final int BUCKETS_MAX = 1 << 20;

    private static final int KIND_SHIFT = 24;
    private static final int NUMBER_MASK = (1 << KIND_SHIFT) - 1;

    /** Receives what a segment holds, entry by entry. */
    public interface Reader {
        /** The next number, from 0, stands for a bucket of this generation. */
        void bucket(byte[] name, long generation, boolean isHidden);

        /**
         * An entry.
         *
         * @param number of its bucket
         * @param keyHash of the key of a field; of a {@link Layout#PUBLISH} the number that stands for the name in the
         *     bucket's records
         * @param offset where in the segment it begins
         * @param until when what it is about expires, in milliseconds since 1970; 0 if it does not
         */
        void entry(int number, int kind, int keyHash, long offset, long cost, long until);
    }

    /** A bucket as hints name it. */
    private record Named(Bytes name, long generation, boolean isHidden) {}

    /**
     * Writes the hint, unless the segment holds too many buckets for one.
     *
     * @param scan of the whole segment, which does not change any more
     */
    public void write(Folder folder, Scan scan) throws IOException {
        Path unfinished = folder.unfinished(of.name().hint());
        Files.deleteIfExists(unfinished);
        try {
            if (write(folder, scan, unfinished)) {
                Files.move(unfinished, folder.hint(of.name()), StandardCopyOption.ATOMIC_MOVE);
            }
        } finally {
            Files.deleteIfExists(unfinished);
        }
    }

    private boolean write(Folder folder, Scan scan, Path unfinished) throws IOException {
        try (FileChannel channel = DurableFiles.create(unfinished)) {
            Writer writer = new Writer(channel, folder, scan);
            return writer.write();
        }
    }

    private final class Writer {
        private final FileChannel channel;
        private final Folder folder;
        private final Hash hash;
        private final Scan scan;
        private final CRC32C crc = new CRC32C();
        private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        private final Map<Named, Integer> numbers = new HashMap<>();
        private int version = Layout.VERSION;

        Writer(FileChannel channel, Folder folder, Scan scan) {
            this.channel = channel;
            this.folder = folder;
            this.hash = folder.hash();
            this.scan = scan;
        }

        /** Returns false if there are too many buckets. */
        boolean write() throws IOException {
            channel.position(HEADER_BYTES);
            while (scan.next()) {
                int number = number(scan.name(), scan.generation(), scan.isHidden());
                while (scan.nextEntry()) {
                    int kind = scan.kind();
                    version = Math.max(version, versionOf(kind));
                    int third = 0;
                    if (Layout.isField(kind)) {
                        third = hash.of(scan.key());
                    } else if (kind == Layout.PUBLISH) {
                        third = number(scan.recordName(), scan.generation(), scan.isHidden());
                    }
                    if (numbers.size() > BUCKETS_MAX) {
                        return false;
                    }
                    room(ENTRY_BYTES);
                    buffer.putInt(kind << KIND_SHIFT | number);
                    buffer.putInt(third);
                    buffer.putInt((int) (scan.entry() / Layout.ALIGNMENT));
                    buffer.putInt((int) (scan.cost() / Layout.ALIGNMENT));
                    if (Layout.hasTime(kind)) {
                        room(Long.BYTES);
                        buffer.putLong(scan.until());
                    }
                }
            }
            flush();
            int checksum = (int) crc.getValue();
            channel.write(header(version, folder.format().id(), channel.position(), checksum), 0);
            return true;
        }

        private static int versionOf(int kind) {
            return Layout.hasTime(kind) ? VERSION_OF_TIMES : kind == Layout.VALUE ? VERSION_OF_VALUES : Layout.VERSION;
        }

        private int number(byte[] name, long generation, boolean isHidden) throws IOException {
            Named named = new Named(Bytes.owning(name), generation, isHidden);
            Integer known = numbers.get(named);
            if (known != null) {
                return known;
            }
            int number = numbers.size();
            numbers.put(named, number);
            room(ENTRY_BYTES);
            buffer.putInt(NAME << KIND_SHIFT | (isHidden ? Layout.HIDDEN : 0));
            buffer.putInt(name.length).putLong(generation);
            int padded = (int) Layout.padded(name.length);
            for (int i = 0; i < padded; i++) {
                room(1);
                buffer.put(i < name.length ? name[i] : 0);
            }
            return number;
        }

        private void room(int bytes) throws IOException {
            if (buffer.remaining() < bytes) {
                flush();
            }
        }

        private void flush() throws IOException {
            buffer.flip();
            crc.update(buffer.duplicate());
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            buffer.clear();
        }
    }

    private ByteBuffer header(int version, long folder, long bytes, int checksum) {
        ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        header.put(MAGIC).putInt(version).putInt(checksum);
        header.putLong(of.name().number()).putInt(of.name().rewrite()).putInt(0);
        header.putLong(end).putLong(bytes);
        if (version > 1) {
            header.putLong(folder).putInt(of.checksum());
        }
        return header.clear();
    }

    /** Whether the header of a hint is that of a hint of the segment. */
    private boolean is(ByteBuffer header, Format format, long bytes) {
        if (header.remaining() < HEADER_BYTES) {
            return false;
        }
        int version = header.getInt(VERSION);
        long folder = header.getLong(FOLDER);
        ByteBuffer expected = header(version, folder, bytes, header.getInt(CHECKSUM));
        boolean isVersion = version >= of.version() && version <= VERSION_OF_TIMES;
        return isVersion && header.equals(expected) && (version == 1 || format.isOwn(folder));
    }

    /**
     * Reads the hint.
     *
     * @return false if there is no sound hint of the segment as it is; the reader has received nothing then
     * @throws BadStart if a newer release wrote an entry
     */
    public boolean read(Path file, Format format, Reader reader) throws IOException {
        if (!Files.exists(file)) {
            return false;
        }
        try (FileChannel channel = FileChannel.open(file, READ)) {
            ByteBuffer header = headerOf(channel);
            if (!isLength(channel.size()) || !is(header, format, channel.size())) {
                return false;
            }
            ByteBuffer body =
                    ByteBuffer.allocate((int) channel.size() - HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            while (body.hasRemaining() && channel.read(body, HEADER_BYTES + body.position()) >= 0) {
                // Until all is there.
            }
            body.flip();
            CRC32C crc = new CRC32C();
            crc.update(body.duplicate());
            if ((int) crc.getValue() != header.getInt(CHECKSUM)) {
                return false;
            }
            tell(file, header.getInt(VERSION), body, reader);
            return true;
        }
    }

    /** Whether a hint of the segment may have this length. */
    private boolean isLength(long bytes) {
        return bytes >= HEADER_BYTES && bytes <= Math.min(Integer.MAX_VALUE, 2 * end);
    }

    private static ByteBuffer headerOf(FileChannel channel) throws IOException {
        ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        channel.read(header);
        return header.flip();
    }

    /** Whether a file is the hint of the segment as it is. */
    public boolean isSound(Path file, Format format) throws IOException {
        try (FileChannel channel = FileChannel.open(file, READ)) {
            if (!isLength(channel.size())) {
                return false;
            }
            ByteBuffer header = headerOf(channel);
            CRC32C crc = new CRC32C();
            ByteBuffer part = ByteBuffer.allocate(BUFFER_BYTES);
            while (channel.read(part) >= 0) {
                crc.update(part.flip());
                part.clear();
            }
            return is(header, format, channel.size()) && (int) crc.getValue() == header.getInt(CHECKSUM);
        }
    }

    private static void tell(Path file, int version, ByteBuffer body, Reader reader) {
        while (body.hasRemaining()) {
            int word = body.getInt();
            int kind = word >>> KIND_SHIFT;
            if (kind == NAME) {
                int length = body.getInt();
                long generation = body.getLong();
                reader.bucket(Bytes.read(body, length).array(), generation, (word & Layout.HIDDEN) != 0);
                body.position(body.position() + (int) Layout.padded(length) - length);
            } else {
                checkKnown(file, version, kind);
                int keyHash = body.getInt();
                long offset = Integer.toUnsignedLong(body.getInt()) * Layout.ALIGNMENT;
                long cost = Integer.toUnsignedLong(body.getInt()) * Layout.ALIGNMENT;
                long until = Layout.hasTime(kind) ? body.getLong() : 0;
                reader.entry(word & NUMBER_MASK, kind, keyHash, offset, cost, until);
            }
        }
    }

    private static void checkKnown(Path file, int version, int kind) {
        boolean isKnown = switch (kind) {
            case Layout.SET, Layout.DELETE, Layout.BUCKET, Layout.DROP, Layout.PUBLISH, Layout.VALUE -> true;
            case Layout.SET_UNTIL, Layout.VALUE_UNTIL, Layout.EXPIRE -> version >= VERSION_OF_TIMES;
            default -> false;
        };
        if (!isKnown) {
            throw new BadStart(file + " holds an entry of kind " + kind
                    + " that this release does not know: a newer one wrote it, use that one");
        }
    }
}
