package dev.kv.storage.log;

import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file with the memory to which it is mapped, until both are closed; a pin delays that. Any thread. A read of the memory after that
 * throws an {@link IllegalStateException}, never anything worse.
 */
final class Mapping implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Mapping.class);
    private static final AtomicIntegerFieldUpdater<Mapping> PINS =
            AtomicIntegerFieldUpdater.newUpdater(Mapping.class, "pins");

    /** Added to the count of pins of a mapping that is closed, or soon will be. */
    private static final int CLOSED = Integer.MIN_VALUE / 2;

    private final FileChannel channel;
    private final Arena arena;
    private final MemorySegment memory;

    /** How many readers that hold no lock of a shard have pinned it. */
    private volatile int pins;

    private Mapping(FileChannel channel, Arena arena, MemorySegment memory) {
        this.channel = channel;
        this.arena = arena;
        this.memory = memory;
    }

    /** Maps the first bytes of a file. */
    @SuppressWarnings("MustBeClosed") // closed with the mapping
    static Mapping of(Path path, long bytes, Set<StandardOpenOption> access) throws IOException {
        FileChannel channel = FileChannel.open(path, access);
        Arena arena = Arena.ofShared();
        try {
            MapMode mode = access.contains(WRITE) ? MapMode.READ_WRITE : MapMode.READ_ONLY;
            return new Mapping(channel, arena, channel.map(mode, 0, bytes, arena));
        } catch (IOException | RuntimeException e) {
            arena.close();
            channel.close();
            throw e;
        }
    }

    FileChannel channel() {
        return channel;
    }

    MemorySegment memory() {
        return memory;
    }

    /**
     * Keeps the memory mapped until {@link #unpin}. Pins nest.
     *
     * @return false if it is closed, so that the location that led here is an old one
     */
    boolean pin() {
        int count = pins;
        while (count >= 0 && !PINS.compareAndSet(this, count, count + 1)) {
            count = pins;
        }
        return count >= 0;
    }

    void unpin() {
        PINS.decrementAndGet(this);
    }

    boolean isPinned() {
        return pins > 0;
    }

    boolean isClosed() {
        return !arena.scope().isAlive();
    }

    /** Closes it unless it is pinned; returns whether it is closed. */
    boolean isClosedUnpinned() {
        boolean isUnpinned = PINS.compareAndSet(this, 0, CLOSED) || pins == CLOSED;
        return isUnpinned && (isClosed() || isCutOff());
    }

    /** Closes it though it is pinned; returns whether it was not closed before, and is now. */
    boolean isCutOff() {
        if (isClosed()) {
            return false;
        }
        try {
            close();
            return true;
        } catch (IllegalStateException isWrittenFrom) {
            LOG.debug("a mapping is being written to a channel", isWrittenFrom);
            return false;
        }
    }

    /** Closes it, unless that was done. */
    @Override
    public void close() {
        PINS.updateAndGet(this, count -> count < 0 ? count : count + CLOSED);
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (!isClosed()) {
            arena.close();
        }
    }
}
