package dev.kv.storage;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * How far the log is known to be on the disk. There are two places for a mark, of which the older one is written next, so that
 * one of them is sound whenever the writing stops. By one thread at a time.
 */
final class Mark implements AutoCloseable {
    static final String FILE = "mark";

    private static final byte[] MAGIC = "kv-mrk\r\n".getBytes(US_ASCII);
    private static final int PLACE_BYTES = 48;
    private static final int CHECKSUM = 8;
    private static final int TURN = 16;
    private static final int NUMBER = 24;
    private static final int OFFSET = 32;
    private static final int GENERATION = 40;

    private final FileChannel channel;
    private long turn;
    private Optional<Position> last = Optional.empty();

    /**
     * A place in the log.
     *
     * @param number the number of a segment
     * @param offset a byte in it
     * @param generation the highest that a bucket had by then
     */
    record Position(long number, long offset, long generation) {
        boolean isBehind(long otherNumber, long otherOffset) {
            return number > otherNumber || (number == otherNumber && offset > otherOffset);
        }
    }

    private Mark(FileChannel channel) {
        this.channel = channel;
    }

    /** What the mark of a folder says, which stays as it is; empty if there is none that is sound. */
    static Optional<Position> read(Path folder) throws IOException {
        if (!Files.exists(folder.resolve(FILE))) {
            return Optional.empty();
        }
        try (Mark mark = new Mark(FileChannel.open(folder.resolve(FILE), READ))) {
            mark.read();
            return mark.last();
        }
    }

    /** Opens the marks of a folder. */
    static Mark open(Path folder) throws IOException {
        Mark mark = new Mark(FileChannel.open(folder.resolve(FILE), CREATE, READ, WRITE));
        mark.read();
        return mark;
    }

    private void read() throws IOException {
        for (int place = 0; place < 2; place++) {
            ByteBuffer bytes = ByteBuffer.allocate(PLACE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            channel.read(bytes, (long) place * PLACE_BYTES);
            if (!bytes.hasRemaining() && checksum(bytes) == bytes.getInt(CHECKSUM) && bytes.getLong(TURN) >= turn) {
                turn = bytes.getLong(TURN);
                last = Optional.of(
                        new Position(bytes.getLong(NUMBER), bytes.getLong(OFFSET), bytes.getLong(GENERATION)));
            }
        }
    }

    /** The mark; empty if none was ever set, or none is sound. */
    Optional<Position> last() {
        return last;
    }

    /** Sets the mark. What it says must be on the disk; the mark itself may get there later. */
    void set(Position position) throws IOException {
        turn++;
        ByteBuffer bytes = ByteBuffer.allocate(PLACE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.put(MAGIC).putInt(0).putInt(Layout.VERSION).putLong(turn);
        bytes.putLong(position.number()).putLong(position.offset()).putLong(position.generation());
        bytes.putInt(CHECKSUM, checksum(bytes)).flip();
        channel.write(bytes, turn % 2 * PLACE_BYTES);
        last = Optional.of(position);
    }

    /** Forces the mark onto the disk. */
    void sync() throws IOException {
        channel.force(false);
    }

    private static int checksum(ByteBuffer bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.slice(0, CHECKSUM));
        crc.update(bytes.slice(CHECKSUM + Integer.BYTES, PLACE_BYTES - CHECKSUM - Integer.BYTES));
        return (int) crc.getValue();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
