package dev.kv.router.net;

import dev.kv.router.Held;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.mina.core.buffer.IoBuffer;
import org.apache.mina.transport.socket.nio.NioSession;

/**
 * The unsent output of one connection, in order. Small pieces are gathered in one array; larger arrays are written without a copy; a held
 * value is written in slices, in turns with the other connections of the loop. On the loop's thread only.
 */
final class Output {
    /** The most bytes of a held value that are written in one turn: about 50 us. No key: kv.router.io-turn-max bounds all turns together. */
    private static final int SLICE_BYTES = 256 * 1024;

    /** The bytes of a held value that are copied for MINA when the socket is full: MINA waits until it takes more. */
    private static final int COPIED_SLICE_BYTES = 64 * 1024;

    /** The largest difference between the charged and the real memory: small replies do not touch the counter that all loops share. */
    private static final int CHARGE_STEP_BYTES = 16 * 1024;

    private static final byte[] NO_BYTES = new byte[0];

    private final Connection connection;
    private final NioSession session;
    private final Loop loop;
    private final Budget budget;
    private final StallWatch stalls;

    /** Gathered small output, in an array of the loop; empty if there is none. */
    private byte[] gathered = NO_BYTES;

    private int gatheredBytes;

    /** Output before the gathered bytes that MINA does not have yet. */
    private final ArrayDeque<Piece> ready = new ArrayDeque<>();

    private boolean flushDeferred;
    private boolean inTurns;
    private boolean isEnded;
    private long heldMaxNanos;

    /** Looks whether a value is held for too long; empty while none is held. */
    private Optional<Loop.Timer> expiry = Optional.empty();

    /** What the kernel has taken so far. */
    private long takenBytes;

    /** Bytes that the kernel has not taken. */
    private long unsentBytes;

    /** The part of these that belongs to held values, which take no memory of this connection. */
    private long heldBytes;

    /** The part of the rest that is charged to the budget. */
    private long chargedBytes;

    /** A run of bytes to be sent; {@code held} is the held value that they belong to, if there is one. */
    private static final class Piece {
        private final ByteBuffer bytes;
        private final Optional<Held> held;
        private final long sinceNanos = System.nanoTime();

        /** Whether it is being copied, because it was held for its longest time; nothing of it is written meanwhile. */
        private boolean isCopied;

        Piece(ByteBuffer bytes, Optional<Held> held) {
            this.bytes = bytes;
            this.held = held;
        }

        boolean isHeld() {
            return held.isPresent();
        }
    }

    Output(Connection connection, NioSession session, Loop loop, Budget budget) {
        this.connection = connection;
        this.session = session;
        this.loop = loop;
        this.budget = budget;
        this.stalls = new StallWatch(loop, this, connection::stalled);
    }

    long unsentBytes() {
        return unsentBytes;
    }

    /** What the kernel has taken so far. */
    long takenBytes() {
        return takenBytes;
    }

    /** Looks whether the other side takes the output. */
    StallWatch stalls() {
        return stalls;
    }

    void send(byte[] bytes, int offset, int length) {
        unsentBytes += length;
        charge();
        if (length > Connection.COPIED_MAX_BYTES) {
            endGathered();
            ready.add(new Piece(ByteBuffer.wrap(bytes, offset, length), Optional.empty()));
        } else {
            if (gathered.length - gatheredBytes < length) {
                growGathered(length);
            }
            System.arraycopy(bytes, offset, gathered, gatheredBytes, length);
            gatheredBytes += length;
        }
        flushLater();
    }

    /** Sends a held value and releases it. After {@code heldMax} the rest is copied, or the connection is closed. */
    void send(Held value, Duration heldMax) {
        unsentBytes += value.size();
        heldBytes += value.size();
        endGathered();
        ready.add(new Piece(value.bytes(), Optional.of(value)));
        heldMaxNanos = heldMax.toNanos();
        if (expiry.isEmpty()) {
            expireAfter(heldMaxNanos);
        }
        flushLater();
    }

    void flushLater() {
        if (!flushDeferred) {
            flushDeferred = true;
            loop.flushLater(connection);
        }
    }

    private void charge() {
        long inMemory = unsentBytes - heldBytes;
        long difference = inMemory - chargedBytes;
        if (Math.abs(difference) >= CHARGE_STEP_BYTES || inMemory == 0) {
            chargedBytes = inMemory;
            if (difference != 0) {
                budget.charge(difference);
            }
        }
    }

    private void growGathered(int length) {
        if (gatheredBytes + length > 2 * Connection.COPIED_MAX_BYTES) {
            endGathered();
        }
        int needed = gatheredBytes + length;
        gathered = gatheredBytes == 0 && needed <= SocketProcessor.GATHER_BYTES
                ? loop.takeSpare()
                : Arrays.copyOf(gathered, Math.max(2 * gathered.length, needed));
    }

    private void endGathered() {
        if (gatheredBytes > 0) {
            ready.add(new Piece(ByteBuffer.wrap(gathered, 0, gatheredBytes), Optional.empty()));
            gathered = NO_BYTES;
            gatheredBytes = 0;
        }
    }

    /** Writes what the kernel takes; at the end of an iteration of the loop. */
    void flush() {
        flushDeferred = false;
        write();
        stalls.written();
    }

    /** For how long others have waited for the memory of the output, in nanoseconds; below 0 if nobody waits. */
    long waitedForNanos() {
        long waited = budget.isScarce() ? 0 : -1;
        for (Piece piece : ready) {
            if (piece.isHeld()) {
                waited = Math.max(waited, piece.held.get().waitedForNanos());
            }
        }
        return waited;
    }

    /** Whether {@link #write} would write something, or hand it on to MINA. */
    boolean isWritable() {
        Piece next = ready.peek();
        return next == null ? gatheredBytes > 0 : !next.isHeld();
    }

    /** Whether all output was written, or handed on to MINA. */
    boolean isHandedOn() {
        return ready.isEmpty() && gatheredBytes == 0;
    }

    /** Writes what the kernel takes, and hands the rest on to MINA, up to the next held value. */
    void write() {
        if (isMinaIdle()) {
            writeNow();
        }
        if (heldBytes == 0) {
            endGathered();
        }
        while (!ready.isEmpty() && !ready.peek().isHeld()) {
            session.write(IoBuffer.wrap(ready.poll().bytes.slice()));
        }
    }

    private boolean isMinaIdle() {
        return session.getCurrentWriteRequest() == null
                && session.getWriteRequestQueue().isEmpty(session);
    }

    private void writeNow() {
        int written = 0;
        boolean takesMore = true;
        while (takesMore && !ready.isEmpty()) {
            if (ready.peek().isHeld()) {
                writeInTurns();
                takesMore = false;
            } else {
                ByteBuffer next = ready.peek().bytes;
                written += loop.writeNow(session, next);
                takesMore = !next.hasRemaining();
                if (takesMore) {
                    ready.poll();
                }
            }
        }
        if (takesMore && gatheredBytes > 0) {
            ByteBuffer last = ByteBuffer.wrap(gathered, 0, gatheredBytes);
            written += loop.writeNow(session, last);
            if (last.hasRemaining()) {
                ready.add(new Piece(last, Optional.empty()));
            } else {
                loop.giveBack(gathered);
            }
            gathered = NO_BYTES;
            gatheredBytes = 0;
        }
        taken(written);
    }

    private void taken(int bytes) {
        unsentBytes -= bytes;
        takenBytes += bytes;
        charge();
        connection.sentSome();
    }

    private void writeInTurns() {
        if (!inTurns) {
            inTurns = true;
            loop.inTurns(() -> {
                inTurns = !isEnded && connection.guardedTurn("a large value", this::writeSlice);
                return inTurns;
            });
        }
    }

    /** Writes one slice of the held value; returns whether the socket takes more of it. */
    private boolean writeSlice() {
        Piece next = ready.peek();
        if (next == null || !next.isHeld() || next.isCopied || !isMinaIdle()) {
            return false;
        }
        int length = Math.min(SLICE_BYTES, next.bytes.remaining());
        int written = loop.writeSlice(session, next.bytes, length);
        heldBytes -= written;
        if (written < length && !session.isClosing()) {
            copySlice(next);
        }
        taken(written);
        if (!next.bytes.hasRemaining()) {
            ready.poll();
            next.held.ifPresent(Held::release);
            flushLater();
            return false;
        }
        return written == length;
    }

    private void copySlice(Piece piece) {
        byte[] copy = new byte[Math.min(COPIED_SLICE_BYTES, piece.bytes.remaining())];
        piece.bytes.get(copy);
        heldBytes -= copy.length;
        charge();
        session.write(IoBuffer.wrap(copy));
    }

    /**
     * Has MINA try to write what is left. The kernel reports that it takes more only when a third of its send buffer (4 MiB) is free: for a
     * client that reads 1 MB/s, that takes longer than a second.
     */
    void pushUnsent() {
        if (!isMinaIdle()) {
            loop.flush(session);
        }
    }

    /** MINA has written this many bytes. */
    void wrote(int bytes) {
        unsentBytes -= bytes;
        takenBytes += bytes;
        charge();
        if (!ready.isEmpty()) {
            flushLater();
        }
    }

    private void expireAfter(long nanos) {
        expiry = Optional.of(loop.after(Duration.ofNanos(nanos), this::expireOldest));
    }

    /** Looks whether the time of the oldest held value is over. While its rest is being copied, no other timer begins. */
    private void expireOldest() {
        Optional<Piece> oldest = ready.stream().filter(Piece::isHeld).findFirst();
        if (oldest.isEmpty()) {
            expiry = Optional.empty();
            return;
        }
        long nanosLeft = oldest.get().sinceNanos + heldMaxNanos - System.nanoTime();
        if (nanosLeft > 0) {
            expireAfter(nanosLeft);
        } else {
            expire(oldest.get());
        }
    }

    /** Copies the rest of a held value, and looks at the next one; closes the connection if no memory is left for it. */
    private void expire(Piece oldest) {
        long left = oldest.bytes.remaining();
        if (!budget.take(left)) {
            connection.heldTooLong();
            return;
        }
        oldest.isCopied = true;
        List<Piece> copies = new ArrayList<>();
        ByteBuffer rest = oldest.bytes.duplicate();
        loop.inTurns(() -> {
            if (connection.guardedTurn("a large value", () -> copyNext(rest, copies))) {
                return true;
            }
            budget.give(left);
            if (!connection.isClosed()) {
                connection.guarded("a large value", () -> {
                    settle(oldest, copies, left);
                    expireOldest();
                });
            }
            return false;
        });
    }

    /** Copies a part of the rest; returns whether more is left. */
    private static boolean copyNext(ByteBuffer rest, List<Piece> copies) {
        byte[] copy = new byte[Math.min(SLICE_BYTES, rest.remaining())];
        rest.get(copy);
        copies.add(new Piece(ByteBuffer.wrap(copy), Optional.empty()));
        return rest.hasRemaining();
    }

    /** Replaces a held value by its copies. */
    private void settle(Piece piece, List<Piece> copies, long copiedBytes) {
        List<Piece> all = List.copyOf(ready);
        ready.clear();
        for (Piece one : all) {
            if (one == piece) {
                ready.addAll(copies);
            } else {
                ready.add(one);
            }
        }
        piece.held.ifPresent(Held::release);
        heldBytes -= copiedBytes;
        charge();
        flushLater();
    }

    /** The connection is closed: drops all output. */
    void end() {
        isEnded = true;
        expiry.ifPresent(Loop.Timer::cancel);
        stalls.end();
        ready.forEach(piece -> piece.held.ifPresent(Held::release));
        ready.clear();
        gathered = NO_BYTES;
        gatheredBytes = 0;
        heldBytes = 0;
        unsentBytes = 0;
        charge();
    }
}
