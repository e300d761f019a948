package dev.kv.router.admin;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The protocol of the socket in a node's folder. A caller sends one line and gets one JSON document; then the node closes the
 * connection.
 *
 * <p>Before the document the node may send bytes: {@code <}, a length in 4 bytes, and that many bytes. It may request bytes with
 * {@code >}, which the caller answers with a length and that many bytes; length 0 is the end of its input. The document is told from
 * these by its first byte, an opening brace. A document with the key {@code refusal} has the reason why the node did not do what the
 * line asks for.
 */
final class LocalProtocol {
    static final char DOCUMENT = '{';
    static final char SENT = '<';
    static final char WANTED = '>';
    static final String REFUSAL = "refusal";

    /** Sixteen times the longest routing table (4 MiB with every byte escaped), the largest part of an answer. The
     * caller knows no configuration of the node, so this is no key. */
    static final int DOCUMENT_MAX_BYTES = 64 * 1024 * 1024;

    /** The largest piece of a stream; both sides know it, so it is no key. */
    static final int PIECE_MAX_BYTES = 1 << 16;

    /** The size of sun_path on Linux without the terminating zero. */
    private static final int PATH_MAX_BYTES = 107;

    private LocalProtocol() {}

    static Path socket(Path folder) {
        return folder.resolve("socket");
    }

    static ByteBuffer piece(byte[] bytes) {
        return ByteBuffer.allocate(Integer.BYTES + bytes.length)
                .putInt(bytes.length)
                .put(bytes)
                .flip();
    }

    static void write(SocketChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Closes a channel when its time is over. */
    interface Guard {
        /** Whether it has closed the channel. */
        boolean isDone();

        /** Leaves the channel open from now on. */
        void callOff();
    }

    /** A timer that closes a channel. */
    static final class Cut implements Guard {
        private final AtomicBoolean isDone = new AtomicBoolean();
        private final CompletableFuture<Void> timer;

        Cut(Duration limit, SocketChannel channel) {
            timer = CompletableFuture.runAsync(
                    () -> {
                        isDone.set(true);
                        try {
                            channel.close();
                        } catch (IOException e) {
                            // Nothing uses it any more.
                        }
                    },
                    CompletableFuture.delayedExecutor(limit.toMillis(), TimeUnit.MILLISECONDS));
        }

        @Override
        public void callOff() {
            timer.cancel(false);
        }

        @Override
        public boolean isDone() {
            return isDone.get();
        }
    }

    @FunctionalInterface
    interface Reach {
        void to(SocketAddress address) throws IOException;
    }

    /** Binds or connects; through a temporary symbolic link if the path is longer than the system allows. */
    static void reach(Path socket, Reach reach) throws IOException {
        if (socket.toString().getBytes(UTF_8).length <= PATH_MAX_BYTES) {
            reach.to(UnixDomainSocketAddress.of(socket));
            return;
        }
        Path temporary = Files.createTempDirectory("kv");
        Path link = temporary.resolve("node");
        try {
            Files.createSymbolicLink(link, socket.getParent());
            reach.to(UnixDomainSocketAddress.of(socket(link)));
        } finally {
            Files.deleteIfExists(link);
            Files.delete(temporary);
        }
    }
}
