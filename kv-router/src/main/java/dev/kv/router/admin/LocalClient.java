package dev.kv.router.admin;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import dev.kv.router.OperatorError;
import dev.kv.router.admin.LocalProtocol.Cut;
import dev.kv.router.admin.LocalProtocol.Guard;
import dev.kv.router.config.Json;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Function;

/** The client side of the {@linkplain LocalProtocol local socket}. */
public final class LocalClient {
    private LocalClient() {}

    /** Sends a line to the node that runs in the folder, and waits for its answer. */
    public static LocalAnswer ask(Path folder, String line, Duration limit) {
        return ask(
                folder,
                line,
                channel -> new Cut(limit, channel),
                InputStream.nullInputStream(),
                OutputStream.nullOutputStream());
    }

    /**
     * Likewise, for a line that may take any time: waits as long as the node answers {@code status}.
     *
     * @param silenceMax how long such an answer may take, and how long after it the next is asked for
     * @param input the bytes that the node may request
     * @param output where the bytes from the node are written
     * @throws UncheckedIOException if one of these fails
     */
    public static LocalAnswer askLong(
            Path folder, String line, Duration silenceMax, InputStream input, OutputStream output) {
        return ask(folder, line, channel -> new Watch(folder, silenceMax, channel), input, output);
    }

    private static LocalAnswer ask(
            Path folder, String line, Function<SocketChannel, Guard> guards, InputStream input, OutputStream output) {
        Path socket = LocalProtocol.socket(folder);
        if (!Files.exists(socket)) {
            return new LocalAnswer.Absent();
        }
        if (!Files.isWritable(socket)) {
            return new LocalAnswer.Refused(
                    socket + " belongs to another user: call this as the user that runs the node");
        }
        boolean isConnected = false;
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            Guard guard = guards.apply(channel);
            try {
                LocalProtocol.reach(socket, channel::connect);
                isConnected = true;
                LocalProtocol.write(channel, UTF_8.encode(line + "\n"));
                return answer(channel, input, output);
            } catch (IOException e) {
                return guard.isDone() ? new LocalAnswer.Silent() : failed(isConnected, e);
            } finally {
                guard.callOff();
            }
        } catch (IOException e) {
            return failed(isConnected, e);
        }
    }

    /** Closes a channel when the node no longer answers, which a node that was stopped by a signal does not. */
    private static final class Watch implements Guard {
        private final Thread thread;
        private volatile boolean isDone;

        Watch(Path folder, Duration silenceMax, SocketChannel channel) {
            thread = Thread.ofVirtual().start(() -> watch(folder, silenceMax, channel));
        }

        private void watch(Path folder, Duration silenceMax, SocketChannel channel) {
            try {
                do {
                    Thread.sleep(silenceMax);
                } while (!(ask(folder, "status", silenceMax) instanceof LocalAnswer.Silent));
                isDone = true;
                channel.close();
            } catch (InterruptedException calledOff) {
                // Nobody waits any more.
            } catch (IOException e) {
                // Nothing uses the channel any more.
            }
        }

        @Override
        public void callOff() {
            thread.interrupt();
        }

        @Override
        public boolean isDone() {
            return isDone;
        }
    }

    private static LocalAnswer failed(boolean isConnected, IOException e) {
        return isConnected ? new LocalAnswer.Broken(OperatorError.reason(e)) : new LocalAnswer.Absent();
    }

    private static LocalAnswer answer(SocketChannel channel, InputStream input, OutputStream output)
            throws IOException {
        DataInputStream answer = new DataInputStream(Channels.newInputStream(channel));
        int kind = answer.read();
        for (; kind == LocalProtocol.SENT || kind == LocalProtocol.WANTED; kind = answer.read()) {
            if (kind == LocalProtocol.SENT) {
                pass(answer, output);
            } else {
                LocalProtocol.write(channel, LocalProtocol.piece(pieceOf(input)));
            }
        }
        if (kind < 0) {
            return new LocalAnswer.Broken("no answer came");
        }
        if (kind != LocalProtocol.DOCUMENT) {
            return new LocalAnswer.Broken("it says what this release does not understand");
        }
        ByteArrayOutputStream document = new ByteArrayOutputStream();
        document.write(kind);
        document.write(answer.readNBytes(LocalProtocol.DOCUMENT_MAX_BYTES));
        try {
            Config content = Json.read(document.toByteArray(), LocalProtocol.DOCUMENT_MAX_BYTES, Function.identity());
            return content.hasPath(LocalProtocol.REFUSAL)
                    ? new LocalAnswer.Refused(content.getString(LocalProtocol.REFUSAL))
                    : new LocalAnswer.Document(content);
        } catch (Json.Unreadable e) {
            return new LocalAnswer.Broken("its answer is cut short or no document: " + e.getMessage());
        }
    }

    private static void pass(DataInputStream answer, OutputStream output) throws IOException {
        int length = answer.readInt();
        if (length < 0 || length > LocalProtocol.PIECE_MAX_BYTES) {
            throw new IOException("a piece of " + length + " bytes");
        }
        byte[] piece = new byte[length];
        answer.readFully(piece);
        try {
            output.write(piece);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] pieceOf(InputStream input) {
        try {
            return input.readNBytes(LocalProtocol.PIECE_MAX_BYTES);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
