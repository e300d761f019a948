package dev.kv.router.admin;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import dev.kv.router.config.BadStart;
import dev.kv.router.config.Json;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The socket in a node's folder by which commands reach the node that runs there; only its owner may use it. A client sends
 * one line and gets one JSON document, then the end.
 *
 * <p>Before the document the node may send and ask for bytes: {@code <}, a length in 4 bytes, and so many bytes; or {@code >},
 * to which the client answers with a length and so many bytes, none at the end of what it has. The document is told from these
 * by its first byte.
 */
public final class LocalSocket implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LocalSocket.class);
    private static final int CONVERSATIONS_MAX = 16;

    /** How long a client may take to send its line, and to take the answer. */
    private static final Duration TRANSFER_MAX = Duration.ofSeconds(5);

    /** The longest name of a bucket with every byte escaped, and then some. */
    private static final int LINE_MAX_BYTES = 256 * 1024;

    /** Several times the longest routing table, which is the most of an answer. */
    private static final int ANSWER_MAX_BYTES = 64 * 1024 * 1024;

    private static final char DOCUMENT = '{';
    private static final char SENT = '<';
    private static final char WANTED = '>';

    /** The most bytes that are sent at once. */
    private static final int PIECE_MAX_BYTES = 1 << 16;

    /** How long the other side may take for such a piece: it may be a pipe to a slow program. */
    private static final Duration PIECE_MAX = Duration.ofMinutes(1);

    private static final Duration FAREWELL_MAX = Duration.ofSeconds(1);

    /** The size of sun_path on Linux, less the zero at its end. */
    private static final int PATH_MAX_BYTES = 107;

    private final Path path;
    private final ServerSocketChannel listening;
    private final Answering answers;
    private final Semaphore free = new Semaphore(CONVERSATIONS_MAX);
    private final ExecutorService conversations = Executors.newVirtualThreadPerTaskExecutor();

    /** Makes documents of lines. */
    @FunctionalInterface
    public interface Answering {
        /**
         * The answer to a line; may block.
         *
         * @param streams what else the client takes and gives
         * @throws IOException if it no longer does
         */
        Map<String, Object> to(String line, Streams streams) throws IOException;
    }

    private LocalSocket(Path path, ServerSocketChannel listening, Answering answers) {
        this.path = path;
        this.listening = listening;
        this.answers = answers;
    }

    /**
     * Answers from now on. What another process left behind in the folder is replaced, so its lock has to be held.
     *
     * @param answers called by several threads at once
     */
    public static LocalSocket open(Path folder, Answering answers) throws IOException {
        Path path = in(folder);
        Files.deleteIfExists(path);
        ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            reach(path, listening::bind);
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
        } catch (IOException e) {
            listening.close();
            throw e;
        }
        LocalSocket socket = new LocalSocket(path, listening, answers);
        Thread.ofPlatform().name("kv-local-socket").daemon().start(socket::listen);
        return socket;
    }

    /**
     * What the node that runs in the folder answers; empty if there is none, or if it does not answer in time.
     *
     * @throws BadStart if the node belongs to another user
     */
    public static Optional<Config> ask(Path folder, String line, Duration limit) {
        return ask(folder, line, limit, InputStream.nullInputStream(), OutputStream.nullOutputStream());
    }

    /**
     * Likewise.
     *
     * @param input what the node may ask for
     * @param output where what it sends goes
     * @throws UncheckedIOException if one of these fails
     */
    public static Optional<Config> ask(
            Path folder, String line, Duration limit, InputStream input, OutputStream output) {
        Path path = in(folder);
        if (Files.exists(path) && !Files.isWritable(path)) {
            throw new BadStart(path + " belongs to another user: call this as the user that runs the node");
        }
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            CompletableFuture<Void> cut = closeAfter(limit, channel);
            reach(path, channel::connect);
            write(channel, UTF_8.encode(line + "\n"));
            DataInputStream answer = new DataInputStream(Channels.newInputStream(channel));
            int kind = answer.read();
            for (; kind == SENT || kind == WANTED; kind = answer.read()) {
                if (kind == SENT) {
                    pass(answer.readNBytes(answer.readInt()), output);
                } else {
                    write(channel, piece(pieceOf(input)));
                }
            }
            if (kind != DOCUMENT) {
                return Optional.empty();
            }
            byte[] rest = answer.readNBytes(ANSWER_MAX_BYTES);
            cut.cancel(false);
            byte[] document = ByteBuffer.allocate(1 + rest.length)
                    .put((byte) DOCUMENT)
                    .put(rest)
                    .array();
            return Optional.of(Json.read(document, ANSWER_MAX_BYTES, Function.identity()));
        } catch (IOException | Json.Unreadable noAnswer) {
            return Optional.empty();
        }
    }

    private static void pass(byte[] piece, OutputStream output) {
        try {
            output.write(piece);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] pieceOf(InputStream input) {
        try {
            return input.readNBytes(PIECE_MAX_BYTES);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static ByteBuffer piece(byte[] bytes) {
        return ByteBuffer.allocate(Integer.BYTES + bytes.length)
                .putInt(bytes.length)
                .put(bytes)
                .flip();
    }

    private static Path in(Path folder) {
        return folder.resolve("socket");
    }

    private void listen() {
        while (listening.isOpen()) {
            free.acquireUninterruptibly();
            try {
                SocketChannel channel = listening.accept();
                conversations.execute(() -> converse(channel));
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException e) {
                // Most likely no file descriptor is free.
                LOG.warn("{} could not take a connection: {}", path, e.getMessage());
                free.release();
                pause();
            }
        }
    }

    private static void pause() {
        LockSupport.parkNanos(Duration.ofSeconds(1).toNanos());
    }

    private void converse(SocketChannel channel) {
        try (channel) {
            CompletableFuture<Void> cut = closeAfter(TRANSFER_MAX, channel);
            String line = readLine(Channels.newInputStream(channel));
            cut.cancel(false);
            Streams streams = new Streams(channel);
            Map<String, Object> document = answers.to(line, streams);
            streams.end();
            byte[] answer = Json.bytes(document);
            cut = closeAfter(TRANSFER_MAX, channel);
            write(channel, ByteBuffer.wrap(answer));
            cut.cancel(false);
        } catch (IOException e) {
            LOG.debug("a conversation at {} broke off", path, e);
        } catch (RuntimeException e) {
            LOG.error("a request at {} failed", path, e);
        } finally {
            free.release();
        }
    }

    private static String readLine(InputStream input) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int b = input.read(); b != '\n'; b = input.read()) {
            if (b < 0 || line.size() == LINE_MAX_BYTES) {
                throw new IOException("no end of the line after " + line.size() + " bytes");
            }
            line.write(b);
        }
        return line.toString(UTF_8);
    }

    private static void write(SocketChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** What passes between a client and the node before the document. By one thread at a time, but for {@link #close}. */
    public static final class Streams implements Closeable {
        /** So often the limit begins anew at most: there are many pieces. */
        private static final Duration RENEWED = Duration.ofSeconds(1);

        private final SocketChannel channel;
        private CompletableFuture<Void> cut = CompletableFuture.completedFuture(null);
        private long cutFromNanos;

        private Streams(SocketChannel channel) {
            this.channel = channel;
        }

        /** What the client takes. */
        OutputStream output() {
            return new OutputStream() {
                @Override
                public void write(int b) throws IOException {
                    write(new byte[] {(byte) b}, 0, 1);
                }

                @Override
                public void write(byte[] bytes, int offset, int length) throws IOException {
                    for (int at = 0; at < length; at += PIECE_MAX_BYTES) {
                        int end = Math.min(length, at + PIECE_MAX_BYTES);
                        send(Arrays.copyOfRange(bytes, offset + at, offset + end));
                    }
                }
            };
        }

        private void send(byte[] bytes) throws IOException {
            await();
            LocalSocket.write(channel, ByteBuffer.wrap(new byte[] {SENT}));
            LocalSocket.write(channel, piece(bytes));
        }

        /** Waits for the client from now on, and no longer than a piece may take. */
        private void await() {
            long now = System.nanoTime();
            if (cut.isDone() || now - cutFromNanos > RENEWED.toNanos()) {
                cut.cancel(false);
                cut = closeAfter(PIECE_MAX, channel);
                cutFromNanos = now;
            }
        }

        /** Waits no longer for the client. */
        private void end() {
            cut.cancel(false);
        }

        /** What the client gives. It is asked for when it is read, and no more than that. */
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

        private byte[] receive() throws IOException {
            await();
            LocalSocket.write(channel, ByteBuffer.wrap(new byte[] {WANTED}));
            DataInputStream input = new DataInputStream(Channels.newInputStream(channel));
            int length = input.readInt();
            if (length < 0 || length > PIECE_MAX_BYTES) {
                throw new IOException("a piece of " + length + " bytes");
            }
            byte[] bytes = new byte[length];
            input.readFully(bytes);
            if (length == 0) {
                end();
            }
            return bytes;
        }

        /** Ends it, whoever waits for it. Any thread. */
        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    private static CompletableFuture<Void> closeAfter(Duration limit, SocketChannel channel) {
        return CompletableFuture.runAsync(
                () -> {
                    try {
                        channel.close();
                    } catch (IOException e) {
                        LOG.debug("a connection could not be closed", e);
                    }
                },
                CompletableFuture.delayedExecutor(limit.toMillis(), TimeUnit.MILLISECONDS));
    }

    @FunctionalInterface
    private interface Reach {
        void to(SocketAddress address) throws IOException;
    }

    /** Binds or connects; through a link that lives for just so long where the path is longer than the system allows. */
    private static void reach(Path socket, Reach reach) throws IOException {
        if (socket.toString().getBytes(UTF_8).length <= PATH_MAX_BYTES) {
            reach.to(UnixDomainSocketAddress.of(socket));
            return;
        }
        Path temporary = Files.createTempDirectory("kv");
        Path link = temporary.resolve("node");
        try {
            Files.createSymbolicLink(link, socket.getParent());
            reach.to(UnixDomainSocketAddress.of(in(link)));
        } finally {
            Files.deleteIfExists(link);
            Files.delete(temporary);
        }
    }

    /** Stops to answer; conversations that go on may end. */
    @Override
    public void close() throws IOException {
        Files.deleteIfExists(path);
        listening.close();
        conversations.shutdown();
        try {
            conversations.awaitTermination(FAREWELL_MAX.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        conversations.shutdownNow();
    }
}
