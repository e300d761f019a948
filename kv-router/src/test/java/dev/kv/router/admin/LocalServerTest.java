package dev.kv.router.admin;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import dev.kv.router.config.Layers;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** The local socket: what goes through it, who may use it, and its limits. */
class LocalServerTest extends LocalSocketFolder {
    private LocalServer echo() throws IOException {
        return LocalServer.open(folder, BOUNDS, (line, _) -> Map.of("line", line));
    }

    @Test
    void longCommandsCannotTakeAllPlaces() {
        LocalSocketSettings bounds = LocalSocketSettings.of(
                Layers.of(folder, Map.of("kv.node.socket.callers-max", "3")).load());

        assertThat(bounds.callersMax()).isEqualTo(3);
        assertThat(bounds.longMax()).isEqualTo(2);
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
            Config answer = LocalClient.askLong(folder, "pass", LIMIT, new ByteArrayInputStream(given), taken)
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
            Config answer = LocalClient.askLong(
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
    void aLongCommandIsAwaitedWhileTheNodeAnswersAndNoLonger() throws Exception {
        CountDownLatch answered = new CountDownLatch(2);
        CountDownLatch answer = new CountDownLatch(1);
        AtomicBoolean hangs = new AtomicBoolean();
        try (LocalServer _ = LocalServer.open(folder, BOUNDS, (line, _) -> {
            if (hangs.get() || !line.equals("status")) {
                await(answer);
            }
            answered.countDown();
            return Map.of();
        })) {
            CompletableFuture<LocalAnswer> backup = CompletableFuture.supplyAsync(
                    () -> LocalClient.askLong(
                            folder,
                            "backup x",
                            Duration.ofSeconds(1),
                            InputStream.nullInputStream(),
                            OutputStream.nullOutputStream()),
                    Thread::startVirtualThread);

            assertThat(answered.await(10, TimeUnit.SECONDS)).isTrue();
            assertThat(backup).isNotDone();
            hangs.set(true);
            assertThat(backup.get(10, TimeUnit.SECONDS)).isEqualTo(new LocalAnswer.Silent());
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
        Duration longer = LIMIT.multipliedBy(10);
        LocalSocketSettings patient = new LocalSocketSettings(4, 1024, longer, longer, 1);
        try (LocalServer _ = LocalServer.open(folder, patient, (line, _) -> Map.of("line", line))) {
            for (int i = 0; i < 20; i++) {
                silent.add(connect(folder));
            }

            assertThat(asked("status").getString("line")).isEqualTo("status");
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
                // Neither sends a line: the first is closed for the third, the second after the timeout.
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

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
