package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Bystander;
import dev.kv.acceptance.harness.HandmadePeer;
import dev.kv.acceptance.harness.MeasuresTime;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.acceptance.harness.WithBystander;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Clients and unproven nodes that connect thousands of times, send lines without an end, or never read. */
@Timeout(120)
class GreedyClientsTest extends WithBystander {
    private static final int MIB = 1024 * 1024;

    private static final long PAUSE_NANOS = 1_000_000;

    private final List<AutoCloseable> open = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable resource : open) {
            resource.close();
        }
    }

    @Test
    void thousandsOfHandshakesThatNobodyFinishesKeepNodesOutForTheTimeoutAtMost() throws Exception {
        byte[] hello = HandmadePeer.hello();
        List<Socket> strangers = new ArrayList<>();
        bystander.during(() -> {
            for (int i = 0; i < 3000; i++) {
                Socket stranger =
                        new Socket(node.nodes().getAddress(), node.nodes().getPort());
                open.add(stranger);
                strangers.add(stranger);
                try {
                    stranger.getOutputStream().write(hello, 0, i % 2 == 0 ? hello.length : i % hello.length);
                } catch (IOException refused) {
                    // There are more than kv.router.connections-max.
                }
            }
            return null;
        });
        Await.until("a node gets in", () -> {
            try (HandmadePeer _ = new HandmadePeer(node)) {
                return true;
            } catch (IOException refused) {
                return false;
            }
        });
        assertThat(strangers).hasSize(3000);
    }

    @Test
    void framesThatAreTooLongEndTheirConnectionsBeforeTheyAreTaken() throws Exception {
        bystander.during(() -> {
            for (int length : new int[] {0, -1, Integer.MIN_VALUE, Integer.MAX_VALUE, 2049, 65_543}) {
                byte[] header =
                        ByteBuffer.allocate(5).putInt(length).put((byte) 1).array();
                try (Socket stranger =
                        new Socket(node.nodes().getAddress(), node.nodes().getPort())) {
                    stranger.setSoTimeout((int) Await.TIMEOUT.toMillis());
                    stranger.getOutputStream().write(header);
                    assertThat(stranger.getInputStream().read()).isEqualTo(-1);
                }
                if (length != 2049) {
                    try (HandmadePeer caller = new HandmadePeer(node)) {
                        caller.send(header);
                        caller.expectEnd();
                    }
                }
            }
            return null;
        });
    }

    /** Writes the bytes again and again to all channels until none of them takes any for a second; returns how many bytes were taken. */
    private long push(List<SocketChannel> channels, byte[] bytes, long bytesMaxEach) throws IOException {
        long[] sent = new long[channels.size()];
        long all = 0;
        long progressNanos = System.nanoTime();
        while (System.nanoTime() - progressNanos < Duration.ofSeconds(1).toNanos()) {
            long before = all;
            for (int i = 0; i < sent.length; i++) {
                int from = (int) (sent[i] % bytes.length);
                int length = (int) Math.min(bytes.length - from, bytesMaxEach - sent[i]);
                if (length > 0 && channels.get(i).isOpen()) {
                    try {
                        int taken = channels.get(i).write(ByteBuffer.wrap(bytes, from, length));
                        sent[i] += taken;
                        all += taken;
                        progressNanos = taken > 0 ? System.nanoTime() : progressNanos;
                    } catch (IOException closedMeanwhile) {
                        channels.get(i).close();
                    }
                }
            }
            if (all == before) {
                LockSupport.parkNanos(PAUSE_NANOS);
            }
        }
        return all;
    }

    private List<SocketChannel> connect(NodeProcess to, int count) throws IOException {
        List<SocketChannel> channels = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            SocketChannel channel = SocketChannel.open();
            open.add(channel);
            channel.setOption(StandardSocketOptions.SO_RCVBUF, 4096);
            channel.connect(to.clients());
            channel.configureBlocking(false);
            channels.add(channel);
        }
        return channels;
    }

    @Test
    void linesThatNeverEndFillNoMoreThanTheirBuffer() throws Exception {
        List<SocketChannel> strangers = connect(node, 1000);
        // A line that begins with no command is cut off at 64 KiB.
        byte[] line = ("PUT b k " + "x".repeat(64 * 1024)).getBytes(UTF_8);
        bystander.during(() -> {
            assertThat(push(strangers, line, MIB - 1)).isGreaterThan(Bystander.HEAP_MIB / 4 * (long) MIB);
            return null;
        });
        Await.until("the lack of memory is logged", () -> node.err().contains("kv.server.buffer-max"));
    }

    @Test
    void clientsThatNeverReadAreHeldBack() throws Exception {
        try (LineClient client = node.connect()) {
            assertThat(client.ask("CREATE large")).isEqualTo("OK");
            assertThat(client.ask("PUT large k " + "v".repeat(10_000))).isEqualTo("OK");
        }
        List<SocketChannel> strangers = connect(node, 750);
        byte[] requests = "GET large k\r\n".repeat(200).getBytes(UTF_8);
        bystander.during(() -> {
            assertThat(push(strangers, requests, MIB)).isPositive();
            return null;
        });
    }

    @Test
    void clientsThatSendManyHgetallsAheadAndNeverReadDelayNobody() throws Exception {
        sendHgetallsAhead(bystander, 20, 500, 16, Duration.ofSeconds(4), Duration.ofSeconds(3));
    }

    @Test
    @Tag("soak")
    @Timeout(600)
    void fiftyClientsThatSendTwoThousandHgetallsAheadAndNeverReadDelayNobody(@TempDir Path site) throws Exception {
        try (Bystander roomy = new Bystander(site, 2048)) {
            sendHgetallsAhead(roomy, 50, 2000, 64, Duration.ofSeconds(60), Duration.ofSeconds(5));
        }
    }

    /**
     * Asks for the same bucket on many connections, goes on asking for a while, and reads no reply.
     *
     * @param ahead requests on each connection
     * @param bucketMib the size of the bucket, of values of 4 KiB
     * @param waitMax the longest wait of others: 0.6 s on a quiet machine, 3.2 s at a load of 5 with 50 clients and 64 MiB. If each
     *     reply were built at once, others would wait for 25 s, and the node would run out of memory
     */
    private void sendHgetallsAhead(
            Bystander others, int clients, int ahead, int bucketMib, Duration time, Duration waitMax) throws Exception {
        NodeProcess asked = others.node();
        try (RespClient client = new RespClient(asked.clients())) {
            for (int i = 0; i < bucketMib; i++) {
                List<String> words = new ArrayList<>(List.of("HSET", "large"));
                for (int key = 0; key < 256; key++) {
                    words.addAll(List.of(i + "-" + key, "v".repeat(4096)));
                }
                assertThat(client.ask(words.toArray(String[]::new))).isEqualTo(":256");
            }
        }
        List<SocketChannel> strangers = connect(asked, clients);
        byte[] request = RespClient.request("HGETALL", "large").getBytes(US_ASCII);
        byte[] requests = new String(request, US_ASCII).repeat(ahead).getBytes(US_ASCII);
        others.during(() -> {
            assertThat(push(strangers, requests, requests.length)).isEqualTo((long) clients * requests.length);
            return null;
        });
        others.whileRepeating(time, random -> {
            try {
                strangers.get(random.nextInt(clients)).write(ByteBuffer.wrap(request));
            } catch (IOException closed) {
                // All buffers together take kv.server.buffer-max.
            }
            LockSupport.parkNanos(PAUSE_NANOS);
        });
        assertThat(others.longestWait()).isLessThan(waitMax);
        for (SocketChannel stranger : strangers) {
            stranger.close();
        }
        others.during(() -> null);
        assertThat(others.longestWait()).isLessThan(waitMax);
    }

    /** Requests of 50 KB that write and have replies of 900 KB: queued, on the way to the other node, there, and on the way back. */
    @Test
    @MeasuresTime
    void transactionsOfClientsThatNeverReadEndNoNodeWithASmallHeap(@TempDir Path site) throws Exception {
        NodeProcess far = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "far");
        NodeProcess near = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "near");
        open.addAll(List.of(near, far));
        far.setJavaOptions("-Xmx256m");
        near.setJavaOptions("-Xmx256m");
        NodeProcess.introduce(near, far);
        NodeProcess.start("*=far@h", far, near);
        String value = "v".repeat(50_000);
        StringBuilder reads = new StringBuilder(RespClient.request("MULTI"));
        try (RespClient client = new RespClient(near.clients())) {
            for (int i = 0; i < 18; i++) {
                assertThat(client.ask("HSET", "hash", "f" + i, value)).isEqualTo(":1");
                assertThat(client.ask("SET", "n" + i, value)).isEqualTo("OK");
                reads.append(RespClient.request("GET", "n" + i));
            }
        }
        byte[] ofOne = (RespClient.request("MULTI")
                        + RespClient.request("HSET", "hash", "f0", value)
                        + RespClient.request("HGETALL", "hash")
                        + RespClient.request("EXEC"))
                .getBytes(US_ASCII);
        byte[] ofSeveral = reads.append(RespClient.request("SET", "n0", value))
                .append(RespClient.request("EXEC"))
                .toString()
                .getBytes(US_ASCII);
        List<SocketChannel> ofNear = connect(near, 60);
        push(ofNear, ofOne, 4 * MIB);
        List<SocketChannel> ofFar = connect(far, 30);
        push(ofFar, ofSeveral, 4 * MIB);
        try (LineClient witness = near.connect()) {
            assertThat(witness.ask("CREATE witness")).isEqualTo("OK");
            for (int round = 0; round < 50; round++) {
                Bystander.assertServed(witness, round);
            }
        }
        assertThat(near.isAlive()).isTrue();
        assertThat(far.isAlive()).isTrue();
    }

    @Test
    void aClientThatAsksForLargeValuesOfAnotherNodeAndNeverReadsEndsNoNode(@TempDir Path site) throws Exception {
        NodeProcess far = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "far");
        NodeProcess near = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "near");
        open.addAll(List.of(near, far));
        far.set("kv.router.table", "*=far@h");
        near.set("kv.router.table", "*=far@h");
        // The witness comes by another loop, and so by another link: on the same one it waits for all of it.
        near.set("kv.router.io-threads", "2");
        far.set("kv.router.io-threads", "2");
        near.setJavaOptions("-Xmx" + Bystander.HEAP_MIB + "m");
        // Twice the heap.
        int requests = 2 * Bystander.HEAP_MIB;
        NodeProcess.introduce(near, far);
        far.start();
        near.start();
        try (LineClient greedy = near.connect();
                LineClient witness = near.connect()) {
            assertThat(greedy.ask("CREATE large")).isEqualTo("OK");
            assertThat(greedy.ask("PUT large k " + "v".repeat(1_000_000))).isEqualTo("OK");
            greedy.send("GET large k\n".repeat(requests));

            assertThat(witness.ask("CREATE witness")).isEqualTo("OK");
            for (int round = 0; round < 200; round++) {
                Bystander.assertServed(witness, round);
            }
            int served = 0;
            for (int reply = 0; reply < requests; reply++) {
                String line = greedy.line();
                if (line.startsWith("ERROR ")) {
                    assertThat(line)
                            .containsAnyOf(
                                    "kv.server.buffer-max", "kv.router.assembly-max", "ERROR UNCERTAIN far@h did not");
                } else {
                    assertThat(line).hasSize(1_000_000);
                    assertThat(greedy.line()).isEqualTo("OK");
                    served++;
                }
            }
            assertThat(served).isPositive();
            assertThat(greedy.ask("CREATE large")).isEqualTo("OK");
        }
        assertThat(near.isAlive()).isTrue();
    }
}
