package dev.kv.router.admin;

import dev.kv.router.admin.LocalProtocol.Cut;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;

/** A caller at the local socket, and the bytes that pass before the document. One thread at a time, except for {@link #close}. */
public final class Caller implements Closeable {
    /** A new timer is started at most once in this time, since there may be many small pieces. */
    private static final Duration RENEWED = Duration.ofSeconds(1);

    private final SocketChannel channel;
    private final Duration pieceTimeout;
    private Optional<Cut> cut = Optional.empty();
    private long cutFromNanos;
    private volatile boolean isGone;

    /**
     * @param pieceTimeout how long the caller may take for a piece; its connection is closed then
     */
    Caller(SocketChannel channel, Duration pieceTimeout) {
        this.channel = channel;
        this.pieceTimeout = pieceTimeout;
    }

    /** Whether the connection is closed, by either side or for slowness, so that nobody waits for an answer. */
    boolean isGone() {
        return isGone;
    }

    /** The bytes to the caller. */
    OutputStream output() {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                for (int at = 0; at < length; at += LocalProtocol.PIECE_MAX_BYTES) {
                    int end = Math.min(length, at + LocalProtocol.PIECE_MAX_BYTES);
                    send(Arrays.copyOfRange(bytes, offset + at, offset + end));
                }
            }
        };
    }

    /** The bytes from the caller. They are requested piece by piece as they are read. */
    InputStream input() {
        return new InputStream() {
            private ByteBuffer rest = ByteBuffer.allocate(0);
            private boolean isEnded;

            @Override
            public int read() throws IOException {
                return hasMore() ? rest.get() & 0xFF : -1;
            }

            @Override
            public int read(byte[] bytes, int offset, int length) throws IOException {
                if (length == 0) {
                    return 0;
                }
                if (!hasMore()) {
                    return -1;
                }
                int read = Math.min(length, rest.remaining());
                rest.get(bytes, offset, read);
                return read;
            }

            private boolean hasMore() throws IOException {
                if (!rest.hasRemaining() && !isEnded) {
                    rest = ByteBuffer.wrap(receive());
                    isEnded = !rest.hasRemaining();
                }
                return rest.hasRemaining();
            }
        };
    }

    private void send(byte[] bytes) throws IOException {
        await();
        try {
            LocalProtocol.write(channel, ByteBuffer.wrap(new byte[] {LocalProtocol.SENT}));
            LocalProtocol.write(channel, LocalProtocol.piece(bytes));
        } catch (IOException e) {
            isGone = true;
            throw e;
        }
    }

    private byte[] receive() throws IOException {
        await();
        byte[] bytes;
        try {
            LocalProtocol.write(channel, ByteBuffer.wrap(new byte[] {LocalProtocol.WANTED}));
            DataInputStream input = new DataInputStream(Channels.newInputStream(channel));
            int length = input.readInt();
            if (length < 0 || length > LocalProtocol.PIECE_MAX_BYTES) {
                throw new IOException("a piece of " + length + " bytes");
            }
            bytes = new byte[length];
            input.readFully(bytes);
        } catch (IOException e) {
            isGone = true;
            throw e;
        }
        if (bytes.length == 0) {
            end();
        }
        return bytes;
    }

    /** Starts the timer for a piece. */
    private void await() {
        long now = System.nanoTime();
        if (cut.isEmpty() || now - cutFromNanos > RENEWED.toNanos()) {
            end();
            cut = Optional.of(new Cut(pieceTimeout, channel));
            cutFromNanos = now;
        }
    }

    /** Stops the timer. */
    void end() {
        cut.ifPresent(Cut::callOff);
        cut = Optional.empty();
    }

    /** Closes the connection; a pending read or write fails. Any thread. */
    @Override
    public void close() throws IOException {
        isGone = true;
        channel.close();
    }
}
