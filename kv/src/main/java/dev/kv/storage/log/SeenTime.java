package dev.kv.storage.log;

import dev.kv.storage.format.DurableFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The latest time of expiry that anybody has seen pass: what expires by then stays gone, whatever the clocks of the nodes say afterwards.
 * It is in a mapped file, so that it survives the process, and is forced onto the disk once a second. Any thread.
 */
public final class SeenTime implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SeenTime.class);

    /** The name of the file: 8 bytes, the time in milliseconds since 1970 times 2^16, and a check of it in the lowest 16 bits. */
    public static final String FILE = "clock";

    private static final int CHECK_BITS = 16;

    /** A later time does not pass. */
    private static final long MAX_MILLIS = (1L << (Long.SIZE - 1 - CHECK_BITS)) - 1;

    private static final VarHandle WORD =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    private final Path file;
    private final Arena arena = Arena.ofShared();
    private volatile long millis;

    /** Null until there is something to write. */
    private MemorySegment mapped;

    private volatile boolean isForced = true;

    /** Whether the folder was not forced since the file was made. */
    private boolean isNew = true;

    private boolean isClosed;

    SeenTime(Path folder) {
        this.file = folder.resolve(FILE);
        this.millis = stored();
    }

    private long stored() {
        try {
            if (!Files.exists(file)) {
                return 0;
            }
            byte[] bytes = Files.readAllBytes(file);
            long word = bytes.length < Long.BYTES
                    ? 0
                    : ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
            long stored = word >>> CHECK_BITS;
            if (word == word(stored)) {
                return stored;
            }
            LOG.warn("{} is damaged: what expired may be there again if the clock of this host was set back", file);
            return 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long word(long ofMillis) {
        long mixed = ofMillis * 0x9E37_79B9_7F4A_7C15L;
        return ofMillis << CHECK_BITS | mixed >>> (Long.SIZE - CHECK_BITS);
    }

    /** The latest time of expiry that was seen to pass, in milliseconds since 1970. */
    public long millis() {
        return millis;
    }

    /** Whether a time has passed at another one; at 0 none has. */
    public static boolean isPast(long until, long nowMillis) {
        return nowMillis != 0 && until <= nowMillis && until <= MAX_MILLIS;
    }

    /** Notes that somebody was told of something that it has expired. */
    public void saw(long until) {
        if (until > millis) {
            raise(until);
        }
    }

    private synchronized void raise(long until) {
        if (until <= millis) {
            return;
        }
        millis = until;
        isForced = false;
        write();
    }

    private void write() {
        try {
            if (mapped == null && !isClosed) {
                mapped = map();
            }
            if (!isClosed) {
                WORD.setVolatile(mapped, 0L, word(millis));
            }
        } catch (IOException | InternalError e) {
            LOG.debug("{} is not written now", file, e);
        }
    }

    private MemorySegment map() throws IOException {
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer word = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            // A page without a block could not be written by its mapping.
            channel.write(word.putLong(0, word(millis)), 0);
            return channel.map(FileChannel.MapMode.READ_WRITE, 0, Long.BYTES, arena);
        }
    }

    /** Forces it onto the disk if it has changed. One thread. Others write meanwhile. */
    public void sync() {
        MemorySegment changed = changed();
        if (changed == null) {
            return;
        }
        try {
            changed.force();
            if (isNew) {
                DurableFiles.sync(file.getParent());
                isNew = false;
            }
        } catch (IOException | UncheckedIOException e) {
            LOG.debug("{} is not forced now", file, e);
            isForced = false;
        }
    }

    private synchronized MemorySegment changed() {
        if (isForced || isClosed) {
            return null;
        }
        write();
        isForced = mapped != null;
        return mapped;
    }

    /** By the thread of {@link #sync}, or behind its end. */
    @Override
    public void close() {
        sync();
        unmap();
    }

    private synchronized void unmap() {
        isClosed = true;
        mapped = null;
        arena.close();
    }
}
