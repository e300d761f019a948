package dev.kv.router.admin;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.typesafe.config.Config;
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
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

@Timeout(30)
class LocalServerTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private static final LocalSocketSettings BOUNDS =
            new LocalSocketSettings(16, 256 * 1024, Duration.ofSeconds(5), Duration.ofMinutes(1), 4);

    @TempDir
    private Path folder;

    private LocalServer echo() throws IOException {
        return LocalServer.open(folder, BOUNDS, (line, _) -> Map.of("line", line));
    }

    private LocalAnswer ask(String line) {
        return LocalClient.ask(folder, line, LIMIT);
    }

    private Config asked(String line) {
        return ask(line).document().orElseThrow();
    }

    private static SocketChannel connect(Path folder) throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(folder.resolve("socket")));
    }

    @Test
    void aLineIsAnsweredWithADocument() throws IOException {
        try (LocalServer _ = echo()) {
            assertThat(asked("route %FF \"x\" ä").getString("line")).isEqualTo("route %FF \"x\" ä");
        }
    }

    @Test
    void longLinesAndDocumentsAreTransferred() throws IOException {
        String line = "route " + "%00".repeat(64 * 1024);
        String text = "x".repeat(16 * 1024 * 1024);
        try (LocalServer _ = LocalServer.open(folder, BOUNDS, (asked, _) -> Map.of("line", asked, "text", text))) {
            Config answer = asked(line);

            assertThat(answer.getString("line")).isEqualTo(line);
            assertThat(answer.getString("text")).isEqualTo(text);
        }
    }

    @Test
    void bytesGoBothWaysBeforeTheDocument() throws IOException {
        byte[] given = new byte[300_000];
        new Random(1).nextBytes(given);
        ByteArrayOutputStream taken = new ByteArrayOutputStream();
        try (LocalServer _ = LocalServer.open(folder, BOUNDS, (line, streams) -> {
            long passed = streams.input().transferTo(streams.output());
            return Map.of("line", line, "passed", passed);
        })) {
            Config answer = LocalClient.ask(folder, "pass", LIMIT, new ByteArrayInputStream(given), taken)
                    .document()
                    .orElseThrow();

            assertThat(answer.getString("line")).isEqualTo("pass");
            assertThat(answer.getLong("passed")).isEqualTo(given.length);
            assertThat(taken.toByteArray()).isEqualTo(given);
        }
    }

    @Test
    void theDocumentFollowsInputThatWasNotReadToItsEnd() throws IOException {
        try (LocalServer _ = LocalServer.open(
                folder,
                BOUNDS,
                (line, streams) -> Map.of("first", streams.input().read()))) {
            Config answer = LocalClient.ask(
                            folder,
                            "read",
                            LIMIT,
                            new ByteArrayInputStream(new byte[1 << 20]),
                            new ByteArrayOutputStream())
                    .document()
                    .orElseThrow();

            assertThat(answer.getInt("first")).isZero();
        }
    }

    @Test
    void onlyItsOwnerMayUseIt() throws IOException {
        try (LocalServer _ = echo()) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("socket"))))
                    .isEqualTo("rw-------");
        }
    }

    @Test
    void nobodyAnswersBeforeItIsOpenAndAfterItIsClosed() throws IOException {
        assertThat(ask("status")).isEqualTo(new LocalAnswer.Absent());

        echo().close();

        assertThat(ask("status")).isEqualTo(new LocalAnswer.Absent());
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void theSocketOfACrashedProcessIsReplaced() throws IOException {
        try (ServerSocketChannel crashed = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            crashed.bind(UnixDomainSocketAddress.of(folder.resolve("socket")));
        }
        assertThat(folder.resolve("socket")).exists();
        assertThat(ask("status")).isEqualTo(new LocalAnswer.Absent());

        try (LocalServer _ = echo()) {
            assertThat(ask("status").document()).isPresent();
        }
    }

    @Test
    void aFolderWithALongPathWorks() throws IOException {
        Path deep = Files.createDirectories(folder.resolve("a".repeat(100)).resolve("b".repeat(200)));
        try (LocalServer _ = LocalServer.open(deep, BOUNDS, (line, _) -> Map.of("line", line))) {
            assertThat(deep.resolve("socket")).exists();
            assertThat(LocalClient.ask(deep, "status", LIMIT).document()).isPresent();
        }
        assertThat(deep).isEmptyDirectory();
    }

    @Test
    void theClientGivesUpAfterItsTimeout() throws IOException {
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch answer = new CountDownLatch(1);
        try (LocalServer _ = LocalServer.open(folder, BOUNDS, (line, _) -> {
            asked.countDown();
            await(answer);
            return Map.of();
        })) {
            assertThat(LocalClient.ask(folder, "status", Duration.ofMillis(200)))
                    .isEqualTo(new LocalAnswer.Silent());
            assertThat(asked.getCount()).isZero();
            answer.countDown();
        }
    }

    @Test
    void aSlowAnswerDelaysNoOther() throws Exception {
        CountDownLatch answer = new CountDownLatch(1);
        try (LocalServer _ = LocalServer.open(folder, BOUNDS, (line, _) -> {
            if (line.equals("slow")) {
                await(answer);
            }
            return Map.of("line", line);
        })) {
            CompletableFuture<Boolean> slow =
                    CompletableFuture.supplyAsync(() -> ask("slow").document().isPresent());

            assertThat(ask("quick").document()).isPresent();
            assertThat(slow).isNotDone();
            answer.countDown();
            assertThat(slow.get(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void silentCallersAreClosedAndOthersServed() throws IOException {
        List<SocketChannel> silent = new ArrayList<>();
        try (LocalServer _ = echo()) {
            for (int i = 0; i < 20; i++) {
                silent.add(connect(folder));
            }

            assertThat(LocalClient.ask(folder, "status", Duration.ofSeconds(20)).document())
                    .isPresent();
        } finally {
            for (SocketChannel channel : silent) {
                channel.close();
            }
        }
    }

    @Test
    void theBoundsAreThoseOfTheSettings() throws IOException {
        Duration moment = Duration.ofMillis(100);
        LocalSocketSettings tight = new LocalSocketSettings(2, 10, moment, moment, 1);
        try (LocalServer _ = LocalServer.open(
                folder,
                tight,
                (line, caller) ->
                        Map.of("line", line.equals("read") ? "" + caller.input().read() : line))) {
            assertThat(asked("0123456789").getString("line")).isEqualTo("0123456789");
            assertThat(ask("0123456789a")).isInstanceOf(LocalAnswer.Broken.class);
            try (SocketChannel first = connect(folder);
                    SocketChannel second = connect(folder)) {
                // Neither sends a line: both are closed after the timeout, and the third is served.
                assertThat(asked("third").getString("line")).isEqualTo("third");
                assertThat(first.read(ByteBuffer.allocate(1))).isNegative();
                assertThat(second.read(ByteBuffer.allocate(1))).isNegative();
            }
            try (SocketChannel slow = connect(folder)) {
                slow.write(ByteBuffer.wrap("read\n".getBytes(UTF_8)));
                assertThat(slow.read(ByteBuffer.allocate(1))).isOne();
                // It sends no piece.
                assertThat(slow.read(ByteBuffer.allocate(1))).isNegative();
            }
        }
    }

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

    @Test
    void aLineWithoutEndIsCutOff() throws IOException {
        try (LocalServer _ = echo();
                SocketChannel channel = connect(folder)) {
            ByteBuffer endless = ByteBuffer.allocate(256 * 1024 + 1);
            while (endless.hasRemaining()) {
                channel.write(endless);
            }

            assertThat(channel.read(ByteBuffer.allocate(1))).isNegative();
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
            LocalAnswer answer = LocalClient.ask(
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

    @Test
    void anAnswerThatIsTooLongIsRefused() throws IOException {
        String text = "x".repeat(64 * 1024 * 1024);
        try (LocalServer _ = LocalServer.open(folder, BOUNDS, (_, _) -> Map.of("text", text))) {
            assertThat(ask("status"))
                    .isEqualTo(new LocalAnswer.Refused("the answer has 67108875 bytes, and at most 67108864 are sent"));
        }
    }

    @Test
    void aCallerThatDisconnectsFreesItsSlot() throws Exception {
        BlockingQueue<Boolean> ended = new LinkedBlockingQueue<>();
        try (LocalServer _ = LocalServer.open(folder, BOUNDS, (_, caller) -> {
            try {
                int _ = caller.input().read();
                return Map.of();
            } finally {
                ended.add(caller.isGone());
            }
        })) {
            for (int i = 0; i < 40; i++) {
                try (SocketChannel channel = connect(folder)) {
                    channel.write(ByteBuffer.wrap("import x\n".getBytes(UTF_8)));
                    assertThat(channel.read(ByteBuffer.allocate(1))).isOne();
                }
                assertThat(ended.poll(10, TimeUnit.SECONDS)).isTrue();
            }
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
                "foo@h", "server", "1", false, LIMIT, LIMIT, new Limits(16, 1024, 1024, 1024, 1024)));
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

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
