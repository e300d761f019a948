package dev.kv.router.admin;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.kv.router.Limits;
import dev.kv.router.spi.EngineFailed;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.FileSystemException;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** Faults at the local socket: of the node, of its callers, and in what goes through it. */
class LocalServerFaultsTest extends LocalSocketFolder {
    @Test
    void aFaultWhileACallerIsTakenIsLoggedOnceAndTheNextOneIsAnswered() throws Exception {
        Queue<Throwable> faults = new ConcurrentLinkedQueue<>(List.of(
                new OutOfMemoryError("unable to create native thread"), new IllegalStateException("on purpose")));
        ThreadFactory failing = task -> {
            Throwable fault = faults.poll();
            if (fault instanceof Error error) {
                throw error;
            }
            if (fault instanceof RuntimeException exception) {
                throw exception;
            }
            return Thread.ofVirtual().unstarted(task);
        };
        Logger log = (Logger) LoggerFactory.getLogger(LocalServer.class);
        ListAppender<ILoggingEvent> logged = new ListAppender<>();
        logged.start();
        log.addAppender(logged);
        try (LocalServer _ = LocalServer.open(
                folder, BOUNDS, (line, _) -> Map.of("line", line), Executors.newThreadPerTaskExecutor(failing))) {
            assertThat(ask("status")).isInstanceOf(LocalAnswer.Broken.class);
            assertThat(ask("status")).isInstanceOf(LocalAnswer.Broken.class);

            assertThat(asked("status").getString("line")).isEqualTo("status");
            assertThat(faults).isEmpty();
            assertThat(logged.list)
                    .singleElement()
                    .asString()
                    .contains(folder.resolve("socket") + " cannot take callers");
        } finally {
            log.detachAppender(logged);
        }
    }

    @ParameterizedTest
    @MethodSource("faults")
    void aFaultIsReportedToItsCallerAndEndsOnlyThatConversation(Throwable fault, String why) throws IOException {
        try (LocalServer _ = LocalServer.open(folder, BOUNDS, (line, caller) -> {
            if (line.equals("status")) {
                return Map.of();
            }
            // Also in the middle of streams in both directions.
            int _ = caller.input().read();
            caller.output().write(1);
            throw thrown(fault);
        })) {
            LocalAnswer answer = LocalClient.askLong(
                    folder,
                    "import x",
                    LIMIT,
                    new ByteArrayInputStream(new byte[1 << 20]),
                    new ByteArrayOutputStream());

            assertThat(answer).isEqualTo(new LocalAnswer.Refused(why));
            assertThat(ask("status").document()).isPresent();
        }
    }

    static List<Arguments> faults() {
        String beginning = "`import x` failed: ";
        String end = "; its log tells more";
        return List.of(
                Arguments.of(new EngineFailed("there is no bucket x"), "there is no bucket x"),
                Arguments.of(
                        new FileSystemException("import-1", null, "No space left on device"),
                        beginning + "No space left on device" + end),
                Arguments.of(new IOException("disk quota exceeded"), beginning + "disk quota exceeded" + end),
                Arguments.of(new ClosedByInterruptException(), beginning + "it was interrupted" + end),
                Arguments.of(
                        new IllegalStateException("on purpose"),
                        beginning + "java.lang.IllegalStateException: on purpose" + end),
                Arguments.of(new StackOverflowError(), beginning + "java.lang.StackOverflowError" + end));
    }

    private static IOException thrown(Throwable fault) {
        return switch (fault) {
            case IOException e -> e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalArgumentException(fault);
        };
    }

    @Test
    void anInterruptedCommandIsAnswered() throws IOException {
        try (LocalServer _ = LocalServer.open(folder, BOUNDS, (_, _) -> {
            Thread.currentThread().interrupt();
            throw new EngineFailed("this node stops");
        })) {
            assertThat(ask("backup x")).isEqualTo(new LocalAnswer.Refused("this node stops"));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "{\"a\":",
                "{\"a\":1",
                "\0",
                "<",
                "<\0\0",
                "<\177\377\377\377",
                "<\377\377\377\377",
                "<\0\0\0\5ab",
                ">"
            })
    void aTruncatedOrMalformedAnswerIsNotReportedAsSilence(String said) throws Exception {
        try (ServerSocketChannel node = listen()) {
            CompletableFuture<Void> saying = CompletableFuture.runAsync(() -> say(node, said.getBytes(ISO_8859_1)));

            assertThat(ask("status")).isInstanceOf(LocalAnswer.Broken.class);
            saying.get(10, TimeUnit.SECONDS);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"[", "{\"a\":"})
    void aDeepAnswerIsNotParsed(String level) throws Exception {
        try (ServerSocketChannel node = listen()) {
            String deep = "{\"a\":" + level.repeat(5000);
            CompletableFuture<Void> saying = CompletableFuture.runAsync(() -> say(node, deep.getBytes(UTF_8)));

            assertThat(ask("status"))
                    .isEqualTo(
                            new LocalAnswer.Broken("its answer is cut short or no document: more than 16 levels deep"));
            saying.get(10, TimeUnit.SECONDS);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"[", "{", "\"", "\\", "%", " ", "\0", "\377"})
    void anyLineIsAnswered(String piece) throws IOException {
        NodeState state = new NodeState(new NodeState.Identity(
                "foo@h", "server", "1", false, LIMIT, LIMIT, new Limits(16, 1024, 1024, 1024, 1024, 1024)));
        try (LocalServer _ = LocalServer.open(folder, BOUNDS, new NodeAnswers(state, 4, () -> {}))) {
            for (String command : List.of("", "route ", "backup ", "import ", "stats ")) {
                assertThat(ask(command + piece.repeat(5000)))
                        .isNotInstanceOfAny(
                                LocalAnswer.Silent.class, LocalAnswer.Absent.class, LocalAnswer.Broken.class);
            }
            assertThat(asked("status").getString("name")).isEqualTo("foo@h");
            assertThat(ask("route a%"))
                    .isEqualTo(new LocalAnswer.Refused(
                            "expected two hexadecimal digits behind each percent sign of its argument"));
            assertThat(ask("backup a%00b"))
                    .isEqualTo(new LocalAnswer.Refused("its argument is no path: Nul character not allowed"));
        }
    }

    private ServerSocketChannel listen() throws IOException {
        ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listening.bind(UnixDomainSocketAddress.of(folder.resolve("socket")));
        return listening;
    }

    /** Acts as a node that reads a line and closes the connection in the middle of its answer. */
    private static void say(ServerSocketChannel node, byte[] said) {
        try (SocketChannel channel = node.accept()) {
            assertThat(channel.read(ByteBuffer.allocate(64))).isPositive();
            channel.write(ByteBuffer.wrap(said));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
