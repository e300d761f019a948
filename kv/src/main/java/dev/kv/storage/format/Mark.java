package dev.kv.storage.format;

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
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * The durable position of the log. The file has two places, of which the older is written next, so that one is sound whenever a
 * write breaks off. By one thread at a time.
 */
public final class Mark implements AutoCloseable {
    public static final String FILE = "mark";

    private static final byte[] MAGIC = "kv-mrk\r\n".getBytes(US_ASCII);
    private static final int FIRST_PLACE_BYTES = 48;
    private static final int PLACE_BYTES = 64;
    private static final int CHECKSUM = 8;
    private static final int VERSION = 12;
    private static final int TURN = 16;
    private static final int NUMBER = 24;
    private static final int OFFSET = 32;
    private static final int GENERATION = 40;
    private static final int FOLDER = 48;

    private final FileChannel channel;
    private final long folder;
    private long turn;
    private Optional<Position> last;

    /**
     * A place in the log.
     *
     * @param number the number of a segment
     * @param offset a byte in it
     * @param generation the highest that a bucket had by then
     */
    public record Position(long number, long offset, long generation) {
        public boolean isBehind(long otherNumber, long otherOffset) {
            return number > otherNumber || (number == otherNumber && offset > otherOffset);
        }
    }

    private Mark(FileChannel channel, long folder, long turn, Optional<Position> last) {
        this.channel = channel;
        this.folder = folder;
        this.turn = turn;
        this.last = last;
    }

    /**
     * Reads the mark of a folder; empty if none is sound.
     *
     * @throws Damaged if it is that of another folder
     */
    public static Optional<Position> read(Path folder, Format format) throws IOException {
        Path file = folder.resolve(FILE);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        Optional<ByteBuffer> place = newest(file);
        if (place.isPresent() && format.hasIds() && !isOf(place.get(), format.id())) {
            throw new Damaged(file, 0, "it is the mark of another data folder");
        }
        return place.map(Mark::position);
    }

    private static Position position(ByteBuffer place) {
        return new Position(place.getLong(NUMBER), place.getLong(OFFSET), place.getLong(GENERATION));
    }

    private static Optional<ByteBuffer> newest(Path file) throws IOException {
        byte[] bytes = DurableFiles.read(file, 2 * PLACE_BYTES);
        return newest(bytes, Layout.VERSION, PLACE_BYTES).or(() -> newest(bytes, 1, FIRST_PLACE_BYTES));
    }

    private static boolean isOf(ByteBuffer place, long folder) {
        return place.getInt(VERSION) > 1 && place.getLong(FOLDER) == folder;
    }

    private static Optional<ByteBuffer> newest(byte[] bytes, int version, int placeBytes) {
        Optional<ByteBuffer> newest = Optional.empty();
        for (int at = 0; at + placeBytes <= Math.min(bytes.length, 2 * placeBytes); at += placeBytes) {
            ByteBuffer place = ByteBuffer.wrap(Arrays.copyOfRange(bytes, at, at + placeBytes))
                    .order(ByteOrder.LITTLE_ENDIAN);
            boolean isSound = checksum(place) == place.getInt(CHECKSUM) && place.getInt(VERSION) == version;
            if (isSound
                    && (newest.isEmpty() || place.getLong(TURN) > newest.get().getLong(TURN))) {
                newest = Optional.of(place);
            }
        }
        return newest;
    }

    /**
     * Opens the mark of a folder.
     *
     * @param last the position that it has; the file is replaced, in the newest version, if it has another
     */
    public static Mark open(Path folder, long id, Optional<Position> last) throws IOException {
        Path file = folder.resolve(FILE);
        Optional<ByteBuffer> newest = Files.exists(file) ? newest(file) : Optional.empty();
        long turn = newest.map(place -> place.getLong(TURN)).orElse(0L);
        boolean isThere =
                newest.filter(place -> isOf(place, id)).map(Mark::position).equals(last);
        if (last.isPresent() && !isThere) {
            turn = 0;
            DurableFiles.replace(file, place(last.get(), turn, id).array());
        }
        return new Mark(FileChannel.open(file, CREATE, READ, WRITE), id, turn, last);
    }

    private static ByteBuffer place(Position position, long turn, long folder) {
        ByteBuffer bytes = ByteBuffer.allocate(PLACE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.put(MAGIC).putInt(0).putInt(Layout.VERSION).putLong(turn);
        bytes.putLong(position.number()).putLong(position.offset()).putLong(position.generation());
        bytes.putLong(folder).putLong(0);
        return bytes.putInt(CHECKSUM, checksum(bytes)).flip();
    }

    /** The last position; empty if none was set, or none is sound. */
    public Optional<Position> last() {
        return last;
    }

    /** Sets the mark. The log up to the position is on the disk before; the mark itself may reach it later. */
    public void set(Position position) throws IOException {
        turn++;
        channel.write(place(position, turn, folder), turn % 2 * PLACE_BYTES);
        last = Optional.of(position);
    }

    /** Forces the mark onto the disk. */
    public void sync() throws IOException {
        channel.force(false);
    }

    private static int checksum(ByteBuffer place) {
        CRC32C crc = new CRC32C();
        crc.update(place.slice(0, CHECKSUM));
        crc.update(place.slice(VERSION, place.capacity() - VERSION));
        return (int) crc.getValue();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
