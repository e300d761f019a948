package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.HandmadePeer;
import dev.kv.acceptance.harness.WithBystander;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Random and nearly valid bytes at both listeners of a node. */
@Timeout(120)
class RandomBytesTest extends WithBystander {
    private static final Duration SHORT = Duration.ofSeconds(4);
    private static final Duration LONG = Duration.ofMinutes(2);

    private static byte[] noise(Random random, int lengthMax) {
        byte[] noise = new byte[random.nextInt(lengthMax)];
        random.nextBytes(noise);
        return noise;
    }

    /** Sends the pieces as far as the node takes them, and reads for 50 ms at most until it closes the connection. */
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
                // The node waits for more.
            } catch (IOException closedMeanwhile) {
                // The node has closed the connection.
            }
        }
    }

    @Test
    void randomBytesAtTheClientPortHarmNoOther() throws Exception {
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
        bystander.whileRepeating(time, random -> {
            StringBuilder text = new StringBuilder();
            int size = 1 << random.nextInt(5, 18);
            while (text.length() < size) {
                text.append(
                                random.nextInt(4) == 0
                                        ? new String(noise(random, 40), ISO_8859_1)
                                        : words[random.nextInt(words.length)])
                        .append(blanks[random.nextInt(blanks.length)]);
            }
            // Nobody else writes to the bucket of the bystander.
            pour(
                    node.clients(),
                    random,
                    text.toString().replace("witness ", "w").getBytes(ISO_8859_1));
        });
    }

    @Test
    void almostRespAtTheClientPortHarmsNoOther() throws Exception {
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
        bystander.whileRepeating(
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
    void randomBytesAtTheNodePortHarmNoOther() throws Exception {
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
        bystander.whileRepeating(time, random -> {
            byte[] hello = HandmadePeer.hello();
            switch (random.nextInt(5)) {
                case 0 -> pour(node.nodes(), random, noise(random, 100_000));
                case 1 ->
                    pour(
                            node.nodes(),
                            random,
                            HandmadePeer.frame(random.nextInt(32), noise(random, 4000)),
                            hello,
                            hello);
                case 2 -> {
                    for (int changes = random.nextInt(1, 8); changes > 0; changes--) {
                        hello[random.nextInt(hello.length)] = (byte) random.nextInt();
                    }
                    pour(node.nodes(), random, hello, HandmadePeer.proofFrame(noise(random, 64)));
                }
                case 3 -> pour(node.nodes(), random, hello, HandmadePeer.proofFrame(new byte[32]), noise(random, 1000));
                default -> {
                    // A node that has proved itself and sends invalid frames.
                    try (HandmadePeer mad = new HandmadePeer(node)) {
                        try {
                            for (int i = 0; i < 20; i++) {
                                mad.send(madness(random));
                            }
                        } catch (IOException closedMeanwhile) {
                            // The node has closed the connection at the first invalid frame.
                        }
                    }
                }
            }
        });
        assertThat(node.err().lines().count() - before).as("lines of the log").isLessThan(10 + 2 * time.toSeconds());
    }

    /** A request frame, valid or nearly so. */
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
        return HandmadePeer.frame(random.nextInt(10) == 0 ? random.nextInt(32) : 16, content);
    }
}
