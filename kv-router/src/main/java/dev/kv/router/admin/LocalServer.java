package dev.kv.router.admin;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.OperatorError;
import dev.kv.router.admin.LocalProtocol.Cut;
import dev.kv.router.config.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.StandardProtocolFamily;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The node's side of the {@linkplain LocalProtocol local socket}; only the owner of the node may use it. */
public final class LocalServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LocalServer.class);
    private static final int CONVERSATIONS_MAX = 16;

    /** How long a caller may take to send its line, and to take the answer. */
    private static final Duration TRANSFER_MAX = Duration.ofSeconds(5);

    private static final Duration FAREWELL_MAX = Duration.ofSeconds(1);
    private static final Duration PAUSE = Duration.ofSeconds(1);
    private static final int SHOWN_LINE_MAX = 256;

    private final Path path;
    private final ServerSocketChannel listening;
    private final Answering answers;
    private final Semaphore free = new Semaphore(CONVERSATIONS_MAX);
    private final ExecutorService conversations = Executors.newVirtualThreadPerTaskExecutor();

    /** Makes documents of lines. */
    @FunctionalInterface
    public interface Answering {
        /**
         * The answer to a line; may block. Whatever it throws is told to the caller and logged: an {@link OperatorError} as one
         * line, all else as a fault.
         *
         * @throws IOException if a file fails, or the caller no longer takes and gives
         */
        Map<String, Object> to(String line, Caller caller) throws IOException;
    }

    private LocalServer(Path path, ServerSocketChannel listening, Answering answers) {
        this.path = path;
        this.listening = listening;
        this.answers = answers;
    }

    /**
     * Answers from now on. What another process left behind in the folder is replaced, so its lock has to be held.
     *
     * @param answers called by several threads at once
     */
    public static LocalServer open(Path folder, Answering answers) throws IOException {
        Path path = LocalProtocol.socket(folder);
        Files.deleteIfExists(path);
        ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            LocalProtocol.reach(path, listening::bind);
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
        } catch (IOException e) {
            listening.close();
            throw e;
        }
        LocalServer server = new LocalServer(path, listening, answers);
        Thread.ofPlatform().name("kv-local-socket").daemon().start(server::listen);
        return server;
    }

    private void listen() {
        while (listening.isOpen()) {
            free.acquireUninterruptibly();
            try {
                SocketChannel channel = listening.accept();
                conversations.execute(() -> converse(channel));
            } catch (ClosedChannelException | RejectedExecutionException e) {
                // It was closed; the end of the process closes what was still accepted.
                return;
            } catch (IOException e) {
                // Most likely no file descriptor is free.
                LOG.warn("{} could not take a connection: {}", path, e.getMessage());
                free.release();
                LockSupport.parkNanos(PAUSE.toNanos());
            }
        }
    }

    private void converse(SocketChannel channel) {
        try (channel) {
            Cut cut = new Cut(TRANSFER_MAX, channel);
            String line = readLine(Channels.newInputStream(channel));
            cut.callOff();
            Caller caller = new Caller(channel);
            byte[] answer = answer(line, caller);
            caller.end();
            // What was interrupted is over, and the same interrupt would cut off the answer to it.
            boolean _ = Thread.interrupted();
            cut = new Cut(TRANSFER_MAX, channel);
            LocalProtocol.write(channel, ByteBuffer.wrap(answer));
            cut.callOff();
        } catch (IOException e) {
            LOG.debug("a conversation at {} broke off", path, e);
        } finally {
            free.release();
        }
    }

    /** The document for a line, whatever comes of it. */
    private byte[] answer(String line, Caller caller) throws IOException {
        String why;
        try {
            byte[] answer = Json.bytes(answers.to(line, caller));
            if (answer.length <= LocalProtocol.DOCUMENT_MAX_BYTES) {
                return answer;
            }
            why = "the answer has %d bytes, and at most %d are sent"
                    .formatted(answer.length, LocalProtocol.DOCUMENT_MAX_BYTES);
            LOG.warn("`{}`: {}", shown(line), why);
        } catch (Throwable fault) {
            if (caller.isGone()) {
                throw new IOException("the caller went away", fault);
            }
            if (fault instanceof OperatorError) {
                LOG.warn("`{}`: {}", shown(line), fault.getMessage());
                return refusal(fault.getMessage());
            }
            LOG.error("`{}` failed", shown(line), fault);
            why = "`" + shown(line) + "` failed: " + reason(fault) + "; its log tells more";
        }
        return refusal(why);
    }

    private static byte[] refusal(String why) {
        return Json.bytes(Map.of(LocalProtocol.REFUSAL, why));
    }

    private static String reason(Throwable fault) {
        return fault instanceof IOException e ? OperatorError.reason(e) : fault.toString();
    }

    private static String shown(String line) {
        return line.length() <= SHOWN_LINE_MAX ? line : line.substring(0, SHOWN_LINE_MAX) + "...";
    }

    private static String readLine(InputStream input) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int b = input.read(); b != '\n'; b = input.read()) {
            if (b < 0 || line.size() == LocalProtocol.LINE_MAX_BYTES) {
                throw new IOException("no end of the line after " + line.size() + " bytes");
            }
            line.write(b);
        }
        return line.toString(UTF_8);
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
