package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.MeasuresTime;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Clients whose requests two nodes pass on, beside others that send thousands of requests the same way and never read. */
@Timeout(120)
@MeasuresTime
class NeverReadingClientsTest {
    private static final String VALUE = "v".repeat(50_000);
    private static final String LONG = "v".repeat(70_000);
    private static final int AHEAD = 8000;
    private static final int SMALL = 16;
    private static final Duration TIME = Duration.ofSeconds(8);
    private static final Duration PAUSE = Duration.ofMillis(2);

    /** 0.8 s at a load of 9 on two cores; more than 5 s, and errors, if each client had a thousand replies of unknown length on their way. */
    private static final Duration WAIT_MAX = Duration.ofSeconds(2);

    @TempDir
    private Path site;

    @AutoClose
    private NodeProcess near;

    @AutoClose
    private NodeProcess middle;

    @AutoClose
    private NodeProcess far;

    @AutoClose("shutdownNow")
    private final ExecutorService threads =
            Executors.newThreadPerTaskExecutor(Thread.ofPlatform().daemon().factory());

    private final List<SocketChannel> strangers = new ArrayList<>();

    @BeforeEach
    void makeNodes() throws IOException {
        near = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "near");
        middle = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "middle");
        far = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "far");
    }

    private void start(String javaOptions) throws Exception {
        NodeProcess.introduce(near, middle, far);
        for (NodeProcess node : List.of(far, middle, near)) {
            node.setJavaOptions(javaOptions);
            node.set("kv.router.table", node == near ? "*=middle@h" : "*=far@h");
            node.start();
        }
        try (RespClient client = new RespClient(near.clients())) {
            assertThat(client.ask("SET", "large", VALUE)).isEqualTo("OK");
            for (int i = 0; i < SMALL; i++) {
                assertThat(client.ask("HSET", "small" + i, "k", "v" + i)).isEqualTo(":1");
            }
        }
    }

    private void connect(int clients) throws IOException {
        for (int i = 0; i < clients; i++) {
            SocketChannel stranger = SocketChannel.open();
            strangers.add(stranger);
            stranger.setOption(StandardSocketOptions.SO_RCVBUF, 4096);
            stranger.connect(near.clients());
        }
    }

    /** Asks for small values on all connections, and reads the replies. */
    private void readSmall() throws IOException {
        byte[] requests = RespClient.request("HGET", "small1", "k").repeat(300).getBytes(US_ASCII);
        for (SocketChannel stranger : strangers) {
            stranger.write(ByteBuffer.wrap(requests));
            ByteBuffer replies = ByteBuffer.allocate("$2\r\nv1\r\n".length() * 300);
            while (replies.hasRemaining()) {
                assertThat(stranger.read(replies)).isPositive();
            }
        }
    }

    /** Asks for the value on all connections, and reads no reply. */
    private void askAll(String name, int times) throws IOException {
        byte[] requests = RespClient.request("GET", name).repeat(times).getBytes(US_ASCII);
        for (SocketChannel stranger : strangers) {
            stranger.configureBlocking(false);
            stranger.write(ByteBuffer.wrap(requests));
        }
    }

    private void ask(int clients) throws IOException {
        connect(clients);
        askAll("large", AHEAD);
    }

    private Void leave() throws IOException {
        for (SocketChannel stranger : strangers) {
            stranger.close();
        }
        strangers.clear();
        return null;
    }

    /** Reads small values while strangers do their deed; none may wait for long. */
    private void assertServedDuring(String name, Callable<Void> deed) throws Exception {
        Future<Void> done = threads.submit(deed);
        List<Long> waits = new ArrayList<>();
        long endNanos = System.nanoTime() + TIME.toNanos();
        try (RespClient client = new RespClient(near.clients())) {
            for (int i = 0; System.nanoTime() < endNanos; i = (i + 1) % SMALL) {
                long start = System.nanoTime();
                assertThat(client.ask("HGET", "small" + i, "k")).isEqualTo("\"v" + i + "\"");
                waits.add(System.nanoTime() - start);
                LockSupport.parkNanos(PAUSE.toNanos());
            }
        }
        done.get();
        leave();
        waits.sort(null);
        Duration longest = Duration.ofNanos(waits.getLast());
        System.out.println("NeverReadingClientsTest: the bystander waited "
                + Duration.ofNanos(waits.get(waits.size() / 2)).toMillis() + " ms (p50), at most " + longest.toMillis()
                + " ms, " + waits.size() + " times, beside " + name);
        assertThat(longest).isLessThan(WAIT_MAX);
    }

    @Test
    void nobodyWaitsForSixtyOfThem() throws Exception {
        start("");
        assertServedDuring("sixty strangers", () -> {
            ask(60);
            return null;
        });
    }

    /** The nodes expect short replies: each client has sixteen large ones on their way before the first one tells. */
    @Test
    void nobodyWaitsForTwentyThatHaveReadShortRepliesBefore() throws Exception {
        start("");
        connect(20);
        readSmall();
        assertServedDuring("twenty strangers that have read", () -> {
            askAll("large", AHEAD);
            return null;
        });
    }

    @Test
    void nobodyWaitsForWavesOfThem() throws Exception {
        start("");
        long endNanos = System.nanoTime() + TIME.toNanos();
        assertServedDuring("waves of strangers", () -> {
            while (System.nanoTime() < endNanos) {
                ask(20);
                LockSupport.parkNanos(Duration.ofMillis(500).toNanos());
                leave();
            }
            return null;
        });
    }

    /** What those have asked for takes minutes to check and to send. */
    @Test
    void nobodyWaitsBehindLargeValuesOfClientsThatAreGone() throws Exception {
        start("");
        try (RespClient client = new RespClient(near.clients())) {
            assertThat(client.ask("SET", "huge", "v".repeat(16 << 20))).isEqualTo("OK");
            assertThat(client.ask("SET", "long", LONG)).isEqualTo("OK");
        }
        for (int wave = 0; wave < 13; wave++) {
            connect(20);
            askAll("huge", 20);
            LockSupport.parkNanos(Duration.ofMillis(300).toNanos());
            leave();
        }
        try (RespClient client = new RespClient(near.clients())) {
            long start = System.nanoTime();
            assertThat(client.ask("GET", "long")).isEqualTo('"' + LONG + '"');
            Duration wait = Duration.ofNanos(System.nanoTime() - start);
            System.out.println("NeverReadingClientsTest: a reply of 70 KB took " + wait.toMillis()
                    + " ms behind clients that are gone");
            assertThat(wait).isLessThan(WAIT_MAX);
        }
    }

    @Test
    void slowReadersGetAllTheirRepliesFromANodeWithASmallHeap() throws Exception {
        start("-Xmx256m");
        List<Callable<Void>> readers = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            readers.add(this::readSlowly);
        }
        Future<Void> asked = threads.submit(() -> {
            ask(60);
            return null;
        });
        for (Future<Void> reader : threads.invokeAll(readers)) {
            reader.get();
        }
        asked.get();
        leave();
    }

    private Void readSlowly() throws IOException {
        try (RespClient client = new RespClient(near.clients())) {
            for (int round = 0; round < 3; round++) {
                client.send(RespClient.request("GET", "large").repeat(10));
                for (int i = 0; i < 10; i++) {
                    LockSupport.parkNanos(Duration.ofMillis(100).toNanos());
                    assertThat(client.reply()).isEqualTo('"' + VALUE + '"');
                }
            }
        }
        return null;
    }
}
