package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Strangers at both doors of a node in a process of its own, with little memory: it lives, serves others meanwhile, and takes
 * no more of the host than a node does. Whatever is random comes from the seed that a failure tells.
 */
@Timeout(120)
class RandomBytesTest {
    private static final Duration SHORT = Duration.ofSeconds(4);
    private static final Duration LONG = Duration.ofMinutes(2);
    private static final int MIB = 1024 * 1024;
    private static final int HEAP_MIB = 256;

    /** The heap, and about twice what a JVM takes beside it when nothing happens. */
    private static final long RESIDENT_MAX_BYTES = (HEAP_MIB + 192L) * MIB;

    private static final int STRANGERS_AT_ONCE = 4;
    private static final String SECRET = "the secret of all nodes here";

    private final long seed = System.nanoTime();
    private final List<AutoCloseable> open = new ArrayList<>();
    private NodeProcess node;

    @BeforeEach
    void start(@TempDir Path site) throws Exception {
        node = new NodeProcess(Release.of(Release.Role.COMBINED), site, "foo");
        node.setJavaOptions("-Xmx" + HEAP_MIB + "m");
        node.set("kv.router.table", "*=foo@h");
        node.set("kv.router.timeout", "1s");
        node.start();
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable resource : open) {
            resource.close();
        }
        node.close();
    }

    /** Something that a stranger does; with randomness of its own. */
    @FunctionalInterface
    private interface Deed {
        void with(Random random) throws Exception;
    }

    /** Does the deed again and again, several at once, while another client has to be served. */
    private void again(Duration time, Deed deed) throws Exception {
        long endNanos = System.nanoTime() + time.toNanos();
        List<Callable<Void>> strangers = new ArrayList<>();
        for (int i = 0; i < STRANGERS_AT_ONCE; i++) {
            Random random = new Random(seed + i);
            strangers.add(() -> {
                while (System.nanoTime() < endNanos) {
                    deed.with(random);
                }
                return null;
            });
        }
        meanwhile(strangers);
    }

    /** Has a client served until all deeds are done, and holds the node to what it should be then. */
    private void meanwhile(List<Callable<Void>> deeds) throws Exception {
        try (ExecutorService threads =
                        Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory());
                LineClient witness = node.connect()) {
            assertThat(witness.ask("CREATE witness")).isEqualTo("OK");
            List<Future<Void>> done = deeds.stream().map(threads::submit).toList();
            int round = 0;
            do {
                assertServed(witness, round++);
                Thread.sleep(2);
            } while (done.stream().anyMatch(deed -> !deed.isDone()));
            for (Future<Void> deed : done) {
                deed.get();
            }
            assertServed(witness, round);
            try (LineClient late = node.connect()) {
                assertServed(late, round + 1);
            }
        } catch (IOException | ExecutionException e) {
            throw new AssertionError("seed " + seed + ", alive: " + node.isAlive() + ", log: " + node.err(), e);
        }
        assertThat(node.residentBytes()).as("memory, seed %d", seed).isLessThan(RESIDENT_MAX_BYTES);
        assertThat(node.err()).as("log, seed %d", seed).doesNotContain("ERROR").doesNotContain("fault in");
    }

    private static void assertServed(LineClient client, int round) throws IOException {
        client.send("PUT witness k " + round + "\r\nGET witness k\r\n");
        assertThat(List.of(client.line(), client.line(), client.line())).containsExactly("OK", "" + round, "OK");
    }

    private static byte[] noise(Random random, int lengthMax) {
        byte[] noise = new byte[random.nextInt(lengthMax)];
        random.nextBytes(noise);
        return noise;
    }

    /** Sends all of it, as far as the node takes it, and waits for the end that it makes, but not for long. */
    private static void pour(InetSocketAddress door, Random random, byte[]... pieces) throws IOException {
        try (Socket socket = new Socket(door.getAddress(), door.getPort())) {
            socket.setSoTimeout(50);
            OutputStream out = socket.getOutputStream();
            try {
                for (byte[] piece : pieces) {
                    out.write(piece);
                }
                if (random.nextBoolean()) {
                    socket.shutdownOutput();
                    socket.getInputStream().readAllBytes();
                } else if (random.nextBoolean()) {
                    socket.setSoLinger(true, 0);
                }
            } catch (SocketTimeoutException stillOpen) {
                // It waits for more.
            } catch (IOException closedMeanwhile) {
                // As it should be, mostly.
            }
        }
    }

    @Test
    void randomBytesAtTheDoorForClientsHarmNobody() throws Exception {
        randomBytesAtTheDoorForClients(SHORT);
    }

    @Test
    @Tag("soak")
    @Timeout(300)
    void randomBytesAtTheDoorForClientsHarmNobodyForLong() throws Exception {
        randomBytesAtTheDoorForClients(LONG);
    }

    private void randomBytesAtTheDoorForClients(Duration time) throws Exception {
        String[] words = {"CREATE", "PUT", "GET", "DELETE", "witness2", "k", "*3\r\n$3\r\n", "Host:", "POST ", "\0"};
        String[] blanks = {" ", " ", "\t", "\r\n", "\r\n", "\n", ""};
        again(time, random -> {
            StringBuilder text = new StringBuilder();
            int size = 1 << random.nextInt(5, 18);
            while (text.length() < size) {
                text.append(
                                random.nextInt(4) == 0
                                        ? new String(noise(random, 40), ISO_8859_1)
                                        : words[random.nextInt(words.length)])
                        .append(blanks[random.nextInt(blanks.length)]);
            }
            // The witness keeps its bucket to itself.
            pour(
                    node.clients(),
                    random,
                    text.toString().replace("witness ", "w").getBytes(ISO_8859_1));
        });
    }

    @Test
    void almostRespAtTheDoorForClientsHarmsNobody() throws Exception {
        almostRespAtTheDoorForClients(SHORT);
    }

    @Test
    @Tag("soak")
    @Timeout(300)
    void almostRespAtTheDoorForClientsHarmsNobodyForLong() throws Exception {
        almostRespAtTheDoorForClients(LONG);
    }

    private void almostRespAtTheDoorForClients(Duration time) throws Exception {
        String requests = Stream.of(
                        "HSET bucket field value other 1",
                        "HINCRBY bucket other 5",
                        "HINCRBYFLOAT bucket other 0.5",
                        "HGETALL bucket",
                        "MULTI",
                        "HSCAN bucket 0 COUNT 10 MATCH *[a-f]?*",
                        "HRANDFIELD bucket -5 WITHVALUES",
                        "EXEC",
                        "SCAN 0 COUNT 3",
                        "RENAME bucket copy",
                        "CLIENT LIST",
                        "COMMAND DOCS HSET",
                        "HELLO 3",
                        "INFO")
                .map(request -> RespClient.request(request.split(" ")))
                .collect(Collectors.joining());
        again(
                time,
                random -> pour(node.clients(), random, mutated(requests, random).getBytes(ISO_8859_1)));
    }

    private static String mutated(String requests, Random random) {
        StringBuilder bytes = new StringBuilder(requests);
        for (int i = random.nextInt(6); i >= 0; i--) {
            int at = random.nextInt(bytes.length());
            switch (random.nextInt(5)) {
                case 0 -> bytes.setCharAt(at, (char) random.nextInt(256));
                case 1 -> bytes.deleteCharAt(at);
                case 2 -> bytes.insert(at, (char) random.nextInt(256));
                case 3 -> bytes.insert(at, requests, 0, random.nextInt(requests.length()));
                default -> bytes.insert(at, random.nextInt());
            }
        }
        return bytes.toString();
    }

    @Test
    void randomBytesAtTheDoorForNodesHarmNobody() throws Exception {
        randomBytesAtTheDoorForNodes(SHORT);
    }

    @Test
    @Tag("soak")
    @Timeout(300)
    void randomBytesAtTheDoorForNodesHarmNobodyForLong() throws Exception {
        randomBytesAtTheDoorForNodes(LONG);
    }

    private void randomBytesAtTheDoorForNodes(Duration time) throws Exception {
        long before = node.err().lines().count();
        again(time, random -> {
            byte[] hello = hello();
            switch (random.nextInt(5)) {
                case 0 -> pour(node.nodes(), random, noise(random, 100_000));
                case 1 -> pour(node.nodes(), random, frame(random.nextInt(32), noise(random, 4000)), hello, hello);
                case 2 -> {
                    for (int changes = random.nextInt(1, 8); changes > 0; changes--) {
                        hello[random.nextInt(hello.length)] = (byte) random.nextInt();
                    }
                    pour(node.nodes(), random, hello, frame(3, noise(random, 64)));
                }
                case 3 -> pour(node.nodes(), random, hello, frame(3, new byte[32]), noise(random, 1000));
                default -> {
                    // One that knows the secret, and has gone mad.
                    try (Caller mad = new Caller()) {
                        try {
                            for (int i = 0; i < 20; i++) {
                                mad.send(madness(random));
                            }
                        } catch (IOException closedMeanwhile) {
                            // As it should be, at the first one that makes no sense.
                        }
                    }
                }
            }
        });
        assertThat(node.err().lines().count() - before).as("lines of the log").isLessThan(10 + 2 * time.toSeconds());
    }

    /** A frame of a caller: more or less what the protocol says. */
    private static byte[] madness(Random random) {
        byte[] body = noise(random, 60);
        ByteBuffer request = ByteBuffer.allocate(200)
                .put((byte) random.nextInt(2))
                .putInt(random.nextInt(4))
                .put((byte) random.nextInt(1, 8))
                .putInt(random.nextInt())
                .putInt(random.nextInt())
                .putShort((short) random.nextInt(2));
        if (random.nextBoolean()) {
            request.putInt(random.nextInt(12)).put("buckets".getBytes(UTF_8)).putInt(random.nextInt(12));
        }
        byte[] content = new byte[request.position() + body.length];
        request.flip().get(content, 0, content.length - body.length);
        System.arraycopy(body, 0, content, content.length - body.length, body.length);
        return frame(random.nextInt(10) == 0 ? random.nextInt(32) : 16, content);
    }

    private static byte[] frame(int kind, byte[] content) {
        return ByteBuffer.allocate(4 + 1 + content.length)
                .putInt(1 + content.length)
                .put((byte) kind)
                .put(content)
                .array();
    }

    /** The frame that a node called bar@h begins with, as {@code docs/peer-protocol.md} has it. */
    private static byte[] hello() {
        byte[] caller = "bar@h".getBytes(UTF_8);
        byte[] called = "foo@h".getBytes(UTF_8);
        byte[] content = ByteBuffer.allocate(8 + 2 + 2 + 8 + 32 + 2 + caller.length + 2 + called.length)
                .put("kvpeer\r\n".getBytes(UTF_8))
                .putShort((short) 1)
                .putShort((short) 1)
                .putLong(0)
                .put(new byte[32])
                .putShort((short) caller.length)
                .put(caller)
                .putShort((short) called.length)
                .put(called)
                .array();
        return frame(1, content);
    }

    /** A node that has proved itself, and writes its frames by hand. */
    private final class Caller implements AutoCloseable {
        private final Socket socket =
                new Socket(node.nodes().getAddress(), node.nodes().getPort());

        Caller() throws IOException {
            socket.setSoTimeout((int) Await.TIMEOUT.toMillis());
            byte[] hello = hello();
            send(hello);
            byte[] challenge = expect(2);
            send(frame(3, proof(hello, challenge)));
            expect(4);
        }

        private static byte[] proof(byte[] hello, byte[] challenge) {
            try {
                Mac mac = Mac.getInstance("HmacSHA256");
                mac.init(new SecretKeySpec(SECRET.getBytes(UTF_8), "HmacSHA256"));
                mac.update("caller".getBytes(UTF_8));
                mac.update(ByteBuffer.allocate(4).putInt(0, hello.length - 5));
                mac.update(hello, 5, hello.length - 5);
                return mac.doFinal(challenge);
            } catch (GeneralSecurityException e) {
                throw new AssertionError(e);
            }
        }

        void send(byte[] frame) throws IOException {
            socket.getOutputStream().write(frame);
        }

        /** The content of the next frame, which is of this kind. */
        byte[] expect(int kind) throws IOException {
            DataInputStream in = new DataInputStream(socket.getInputStream());
            int length = in.readInt();
            assertThat(in.readUnsignedByte()).isEqualTo(kind);
            return in.readNBytes(length - 1);
        }

        /** Waits until the node has closed the connection. */
        void expectEnd() {
            try {
                assertThat(socket.getInputStream().readAllBytes()).isEmpty();
            } catch (SocketTimeoutException stillOpen) {
                throw new AssertionError("the connection is open", stillOpen);
            } catch (IOException reset) {
                assertThat(reset).hasMessageContaining("reset");
            }
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    @Test
    void thousandsOfHandshakesThatNobodyFinishesKeepNodesOutForTheTimeoutAtMost() throws Exception {
        byte[] hello = hello();
        List<Socket> strangers = new ArrayList<>();
        meanwhile(List.of(() -> {
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
        }));
        Await.until("a node gets in", () -> {
            try (Caller caller = new Caller()) {
                return caller.socket.isConnected();
            } catch (IOException refused) {
                return false;
            }
        });
        assertThat(strangers).hasSize(3000);
    }

    @Test
    void framesThatAreTooLongEndTheirConnectionsBeforeTheyAreTaken() throws Exception {
        meanwhile(List.of(() -> {
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
                    try (Caller caller = new Caller()) {
                        caller.send(header);
                        caller.expectEnd();
                    }
                }
            }
            return null;
        }));
    }

    /** Bytes that are sent without end on a connection that waits for nothing, as far as it takes them. */
    private long push(List<SocketChannel> channels, byte[] bytes, long bytesMaxEach) throws IOException {
        long[] sent = new long[channels.size()];
        long all = 0;
        long progressNanos = System.nanoTime();
        // Until nobody has taken anything for a second.
        while (System.nanoTime() - progressNanos < Duration.ofSeconds(1).toNanos()) {
            for (int i = 0; i < sent.length; i++) {
                int length = (int) Math.min(bytes.length, bytesMaxEach - sent[i]);
                if (length > 0 && channels.get(i).isOpen()) {
                    try {
                        int taken = channels.get(i).write(ByteBuffer.wrap(bytes, 0, length));
                        sent[i] += taken;
                        all += taken;
                        progressNanos = taken > 0 ? System.nanoTime() : progressNanos;
                    } catch (IOException closedMeanwhile) {
                        channels.get(i).close();
                    }
                }
            }
        }
        return all;
    }

    private List<SocketChannel> connect(int count) throws IOException {
        List<SocketChannel> channels = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            SocketChannel channel = SocketChannel.open();
            open.add(channel);
            channel.setOption(StandardSocketOptions.SO_RCVBUF, 4096);
            channel.connect(node.clients());
            channel.configureBlocking(false);
            channels.add(channel);
        }
        return channels;
    }

    @Test
    void linesThatNeverEndFillNoMoreThanTheirBuffer() throws Exception {
        List<SocketChannel> strangers = connect(1000);
        byte[] line = "x".repeat(64 * 1024).getBytes(UTF_8);
        meanwhile(List.of(() -> {
            assertThat(push(strangers, line, MIB - 1)).isGreaterThan(HEAP_MIB / 4 * (long) MIB);
            return null;
        }));
        assertThat(node.err()).contains("kv.server.buffer-max");
    }

    @Test
    void clientsThatNeverReadAreHeldBack() throws Exception {
        try (LineClient client = node.connect()) {
            assertThat(client.ask("CREATE large")).isEqualTo("OK");
            assertThat(client.ask("PUT large k " + "v".repeat(10_000))).isEqualTo("OK");
        }
        List<SocketChannel> strangers = connect(1500);
        byte[] requests = "GET large k\r\n".repeat(200).getBytes(UTF_8);
        meanwhile(List.of(() -> {
            assertThat(push(strangers, requests, MIB)).isPositive();
            return null;
        }));
    }

    @Test
    void aClientThatAsksForLargeValuesOfAnotherNodeAndNeverReadsEndsNoNode(@TempDir Path site) throws Exception {
        NodeProcess far = new NodeProcess(Release.of(Release.Role.COMBINED), site, "far");
        NodeProcess near = new NodeProcess(Release.of(Release.Role.SERVER), site, "near");
        open.addAll(List.of(near, far));
        far.set("kv.router.table", "*=far@h");
        near.set("kv.router.table", "*=far@h");
        // The witness comes by another loop, and so by another link: on the same one it waits for a gigabyte.
        near.set("kv.router.io-threads", "2");
        far.set("kv.router.io-threads", "2");
        near.setJavaOptions("-Xmx" + HEAP_MIB + "m");
        NodeProcess.introduce(near, far);
        far.start();
        near.start();
        try (LineClient greedy = near.connect();
                LineClient witness = near.connect()) {
            assertThat(greedy.ask("CREATE large")).isEqualTo("OK");
            assertThat(greedy.ask("PUT large k " + "v".repeat(1_000_000))).isEqualTo("OK");
            greedy.send("GET large k\n".repeat(1024));

            assertThat(witness.ask("CREATE witness")).isEqualTo("OK");
            for (int round = 0; round < 200; round++) {
                assertServed(witness, round);
            }
            int served = 0;
            for (int reply = 0; reply < 1024; reply++) {
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
