package dev.kv.router.admin;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class LocalSocketTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    @TempDir
    private Path folder;

    private LocalSocket echo() throws IOException {
        return LocalSocket.open(folder, (line, _) -> Map.of("line", line));
    }

    private static SocketChannel connect(Path folder) throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(folder.resolve("socket")));
    }

    @Test
    void aLineIsAnsweredWithADocument() throws IOException {
        try (LocalSocket _ = echo()) {
            assertThat(LocalSocket.ask(folder, "route %FF \"x\" ä", LIMIT))
                    .hasValueSatisfying(
                            answer -> assertThat(answer.getString("line")).isEqualTo("route %FF \"x\" ä"));
        }
    }

    @Test
    void aLongLineAndALongDocumentAreCarried() throws IOException {
        String line = "route " + "%00".repeat(64 * 1024);
        String text = "x".repeat(16 * 1024 * 1024);
        try (LocalSocket _ = LocalSocket.open(folder, (asked, _) -> Map.of("line", asked, "text", text))) {
            Config answer = LocalSocket.ask(folder, line, LIMIT).orElseThrow();

            assertThat(answer.getString("line")).isEqualTo(line);
            assertThat(answer.getString("text")).isEqualTo(text);
        }
    }

    @Test
    void bytesGoBothWaysBeforeTheDocument() throws IOException {
        byte[] given = new byte[300_000];
        new Random(1).nextBytes(given);
        ByteArrayOutputStream taken = new ByteArrayOutputStream();
        try (LocalSocket _ = LocalSocket.open(folder, (line, streams) -> {
            long passed = streams.input().transferTo(streams.output());
            return Map.of("line", line, "passed", passed);
        })) {
            Config answer = LocalSocket.ask(folder, "pass", LIMIT, new ByteArrayInputStream(given), taken)
                    .orElseThrow();

            assertThat(answer.getString("line")).isEqualTo("pass");
            assertThat(answer.getLong("passed")).isEqualTo(given.length);
            assertThat(taken.toByteArray()).isEqualTo(given);
        }
    }

    @Test
    void aDocumentComesThoughNotAllBytesAreTaken() throws IOException {
        try (LocalSocket _ = LocalSocket.open(
                folder, (line, streams) -> Map.of("first", streams.input().read()))) {
            Config answer = LocalSocket.ask(
                            folder,
                            "read",
                            LIMIT,
                            new ByteArrayInputStream(new byte[1 << 20]),
                            new ByteArrayOutputStream())
                    .orElseThrow();

            assertThat(answer.getInt("first")).isZero();
        }
    }

    @Test
    void onlyItsOwnerMayUseIt() throws IOException {
        try (LocalSocket _ = echo()) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("socket"))))
                    .isEqualTo("rw-------");
        }
    }

    @Test
    void nobodyAnswersBeforeItIsOpenAndAfterItIsClosed() throws IOException {
        assertThat(LocalSocket.ask(folder, "status", LIMIT)).isEmpty();

        echo().close();

        assertThat(LocalSocket.ask(folder, "status", LIMIT)).isEmpty();
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void whatACrashLeftBehindIsReplaced() throws IOException {
        try (ServerSocketChannel crashed = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            crashed.bind(UnixDomainSocketAddress.of(folder.resolve("socket")));
        }
        assertThat(folder.resolve("socket")).exists();
        assertThat(LocalSocket.ask(folder, "status", LIMIT)).isEmpty();

        try (LocalSocket _ = echo()) {
            assertThat(LocalSocket.ask(folder, "status", LIMIT)).isPresent();
        }
    }

    @Test
    void aFolderWithALongPathIsReachedToo() throws IOException {
        Path deep = Files.createDirectories(folder.resolve("a".repeat(100)).resolve("b".repeat(200)));
        try (LocalSocket _ = LocalSocket.open(deep, (line, _) -> Map.of("line", line))) {
            assertThat(deep.resolve("socket")).exists();
            assertThat(LocalSocket.ask(deep, "status", LIMIT)).isPresent();
        }
        assertThat(deep).isEmptyDirectory();
    }

    @Test
    void anAnswerThatTakesTooLongIsNotWaitedFor() throws IOException {
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch answer = new CountDownLatch(1);
        try (LocalSocket _ = LocalSocket.open(folder, (line, _) -> {
            asked.countDown();
            await(answer);
            return Map.of();
        })) {
            assertThat(LocalSocket.ask(folder, "status", Duration.ofMillis(200)))
                    .isEmpty();
            assertThat(asked.getCount()).isZero();
            answer.countDown();
        }
    }

    @Test
    void aSlowAnswerDelaysNoOther() throws Exception {
        CountDownLatch answer = new CountDownLatch(1);
        try (LocalSocket _ = LocalSocket.open(folder, (line, _) -> {
            if (line.equals("slow")) {
                await(answer);
            }
            return Map.of("line", line);
        })) {
            CompletableFuture<Boolean> slow = CompletableFuture.supplyAsync(
                    () -> LocalSocket.ask(folder, "slow", LIMIT).isPresent());

            assertThat(LocalSocket.ask(folder, "quick", LIMIT)).isPresent();
            assertThat(slow).isNotDone();
            answer.countDown();
            assertThat(slow.get(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void clientsThatSayNothingAreGivenUpSoThatOthersAreHeard() throws IOException {
        List<SocketChannel> silent = new ArrayList<>();
        try (LocalSocket _ = echo()) {
            for (int i = 0; i < 20; i++) {
                silent.add(connect(folder));
            }

            assertThat(LocalSocket.ask(folder, "status", Duration.ofSeconds(20)))
                    .isPresent();
        } finally {
            for (SocketChannel channel : silent) {
                channel.close();
            }
        }
    }

    @Test
    void aLineWithoutEndIsCutOff() throws IOException {
        try (LocalSocket _ = echo();
                SocketChannel channel = connect(folder)) {
            ByteBuffer endless = ByteBuffer.allocate(256 * 1024 + 1);
            while (endless.hasRemaining()) {
                channel.write(endless);
            }

            assertThat(channel.read(ByteBuffer.allocate(1))).isNegative();
        }
    }

    @Test
    void aFaultEndsThatConversationAlone() throws IOException {
        try (LocalSocket _ = LocalSocket.open(folder, (line, _) -> {
            if (line.equals("fail")) {
                throw new IllegalStateException("on purpose");
            }
            return Map.of();
        })) {
            assertThat(LocalSocket.ask(folder, "fail", LIMIT)).isEmpty();
            assertThat(LocalSocket.ask(folder, "status", LIMIT)).isPresent();
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
