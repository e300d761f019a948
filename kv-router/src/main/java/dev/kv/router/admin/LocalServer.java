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
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The server side of the {@linkplain LocalProtocol local socket}; only the user that runs the node may connect. */
public final class LocalServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LocalServer.class);
    /** How long a stop waits for conversations under way, which the node has cut off by then. */
    private static final Duration FAREWELL_MAX = Duration.ofSeconds(1);

    /** The time between two attempts to take a caller, while they fail. */
    private static final Duration PAUSE = Duration.ofMillis(500);

    /** The log shows no more of a caller's line. */
    private static final int SHOWN_LINE_MAX = 256;

    private final Path path;
    private final ServerSocketChannel listening;
    private final Answering answers;
    private final LocalSocketSettings settings;
    private final Semaphore free;
    private final ExecutorService conversations;

    /** Callers that have not sent their line, in the order in which they came. */
    private final Set<SocketChannel> silent = Collections.synchronizedSet(new LinkedHashSet<>());

    /** Answers lines with documents. */
    @FunctionalInterface
    public interface Answering {
        /**
         * The answer to a line; may block. Any exception is sent to the caller and logged: an {@link OperatorError} as one line, others
         * as a fault.
         *
         * @throws IOException if a file or the connection of the caller fails
         */
        Map<String, Object> to(String line, Caller caller) throws IOException;
    }

    private LocalServer(
            Path path,
            ServerSocketChannel listening,
            LocalSocketSettings settings,
            Answering answers,
            ExecutorService conversations) {
        this.path = path;
        this.listening = listening;
        this.settings = settings;
        this.answers = answers;
        this.free = new Semaphore(settings.callersMax());
        this.conversations = conversations;
    }

    /**
     * Answers from now on. Replaces the socket of a dead process in the folder, so the lock of the folder must be held.
     *
     * @param answers called by several threads at once
     */
    public static LocalServer open(Path folder, LocalSocketSettings settings, Answering answers) throws IOException {
        return open(folder, settings, answers, Executors.newVirtualThreadPerTaskExecutor());
    }

    /**
     * Likewise.
     *
     * @param conversations makes a thread for each caller; it is shut down with the server
     */
    static LocalServer open(Path folder, LocalSocketSettings settings, Answering answers, ExecutorService conversations)
            throws IOException {
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
        LocalServer server = new LocalServer(path, listening, settings, answers, conversations);
        Thread.ofPlatform().name("kv-local-socket").daemon().start(server::listen);
        return server;
    }

    /** Takes callers until the socket is closed. A caller that cannot be taken is left to the next attempt, and logged once. */
    private void listen() {
        boolean isFailing = false;
        while (listening.isOpen()) {
            try {
                begin(listening.accept());
                isFailing = false;
            } catch (IOException | RuntimeException | Error fault) {
                if (!listening.isOpen()) {
                    return;
                }
                if (!isFailing) {
                    // Most likely there is no file descriptor or no thread left.
                    LOG.error("{} cannot take callers; it tries again every {} ms", path, PAUSE.toMillis(), fault);
                }
                isFailing = true;
                LockSupport.parkNanos(PAUSE.toNanos());
            }
        }
    }

    /** Serves a caller as soon as there is a place: if all are taken, that of the caller who has sent nothing for longest. */
    private void begin(SocketChannel channel) throws IOException {
        if (!free.tryAcquire()) {
            closeSilent();
            free.acquireUninterruptibly();
        }
        silent.add(channel);
        try {
            conversations.execute(() -> converse(channel));
        } catch (RuntimeException | Error e) {
            silent.remove(channel);
            free.release();
            channel.close();
            throw e;
        }
    }

    private void closeSilent() throws IOException {
        Optional<SocketChannel> first;
        synchronized (silent) {
            first = silent.stream().findFirst();
        }
        if (first.isPresent()) {
            first.get().close();
        }
    }

    private void converse(SocketChannel channel) {
        try (channel) {
            Cut cut = new Cut(settings.timeout(), channel);
            String line = readLine(Channels.newInputStream(channel));
            silent.remove(channel);
            cut.callOff();
            Caller caller = new Caller(channel, settings.pieceTimeout());
            byte[] answer = answer(line, caller);
            caller.end();
            // The interrupt was for the command, which is over; it would also interrupt the answer.
            boolean _ = Thread.interrupted();
            cut = new Cut(settings.timeout(), channel);
            LocalProtocol.write(channel, ByteBuffer.wrap(answer));
            cut.callOff();
        } catch (IOException e) {
            LOG.debug("a conversation at {} broke off", path, e);
        } catch (RuntimeException | Error fault) {
            LOG.error("a conversation at {} failed", path, fault);
        } finally {
            silent.remove(channel);
            free.release();
        }
    }

    /** The document for a line, or the refusal if it fails. */
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

    private String readLine(InputStream input) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int b = input.read(); b != '\n'; b = input.read()) {
            if (b < 0 || line.size() == settings.lineMaxBytes()) {
                throw new IOException("no end of the line after " + line.size() + " bytes");
            }
            line.write(b);
        }
        return line.toString(UTF_8);
    }

    /** Stops listening; conversations under way get a second to end. */
    @Override
    public void close() throws IOException {
        try {
            listening.close();
            Files.deleteIfExists(path);
        } finally {
            end();
        }
    }

    private void end() {
        conversations.shutdown();
        try {
            conversations.awaitTermination(FAREWELL_MAX.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        conversations.shutdownNow();
    }
}
