package dev.kv.router.peer;

import static dev.kv.router.peer.Wires.REPLY;
import static dev.kv.router.peer.Wires.REQUEST;
import static dev.kv.router.peer.Wires.chunk;
import static dev.kv.router.peer.Wires.createRequest;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.kv.router.Bytes;
import java.io.IOException;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** The listener for other nodes: malformed, random, cancelled and too long requests. */
class PeerDoorTest extends HandwrittenFrames {
    @Test
    void anUnknownCommandIsAnsweredAsUnsupported() throws IOException {
        Wires foo = connect().handshake();
        byte[] unknown = createRequest("nuts");
        unknown[0] = 99;
        foo.request(1, unknown);
        foo.request(2, createRequest("nuts"));

        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 1, new byte[] {6, 99}));
        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 2, new byte[] {0}));
    }

    @Test
    void aMalformedFrameEndsOnlyItsConnection() throws IOException {
        List<byte[]> frames = List.of(
                frame(0, new byte[0]),
                frame(1 << 30, new byte[] {REQUEST}),
                frame(1, new byte[] {99}),
                frame(1, new byte[] {REQUEST}),
                frame(6, new byte[] {REQUEST, 0, 0, 0, 0, 1}),
                frame(5, new byte[] {REPLY, 0, 0, 0, 1}),
                frame(7, new byte[] {REPLY, 0, 0, 0, 0, 1, 0}),
                frame(3, new byte[] {19, 0, 0}),
                frame(
                        21,
                        ByteBuffer.allocate(21)
                                .put((byte) REQUEST)
                                .put(6, (byte) 1)
                                .putInt(17, -1)
                                .array()));
        Wires good = connect().handshake();
        for (byte[] frame : frames) {
            Wires bad = connect().handshake();
            bad.raw(frame);
            bad.expectEnd();
        }
        good.request(5, createRequest("nuts"));
        assertThat(good.expect(REPLY)).isEqualTo(chunk(false, 5, new byte[] {0}));
    }

    @Test
    void aCallerThatIsNoNodeGetsTheReasonInItsProtocol() throws IOException {
        String reason = "this port is for other nodes of kv (kv.router.port); clients connect to the port"
                + " kv.server.port, 4040 by default\r\n";
        Map<String, String> refusals = Map.of(
                "*1\r\n$4\r\nPING\r\n",
                "-ERR " + reason,
                "PING\r\n",
                "ERROR ERR " + reason,
                "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n",
                "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" + reason,
                "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003",
                "\u0015\u0003\u0001\u0000\u0002\u0002F",
                "\u00ff\u00fe\u00fd\u00fc",
                "");
        for (Map.Entry<String, String> refusal : refusals.entrySet()) {
            Wires caller = connect();
            caller.raw(refusal.getKey().getBytes(ISO_8859_1));

            assertThat(caller.rest()).as(refusal.getKey()).isEqualTo(refusal.getValue());
        }
        assertServesOthers();
    }

    @Test
    void theLogNamesTheProtocolOfACallerThatIsNoNode() throws IOException {
        Logger log = (Logger) LoggerFactory.getLogger(PeerDoor.class);
        ListAppender<ILoggingEvent> logged = new ListAppender<>();
        logged.start();
        log.addAppender(logged);
        try {
            Wires client = connect();
            client.raw("*1\r\n$4\r\nPING\r\n".getBytes(US_ASCII));
            client.rest();

            assertThat(logged.list)
                    .singleElement()
                    .extracting(ILoggingEvent::getFormattedMessage)
                    .asString()
                    .matches(
                            "refused 127.0.0.1:\\d+: it speaks RESP, the protocol of Redis, but this port is for other nodes"
                                    + " \\(kv.router.port\\); clients connect to kv.server.port");
        } finally {
            log.detachAppender(logged);
        }
    }

    @Test
    void aRequestThatIsTooLongIsAnsweredWithTooLarge() throws IOException {
        Wires foo = connect().handshake();
        byte[] chunk = new byte[64 * 1024];
        for (int sent = 0; sent <= (65 << 20) + (64 << 20); sent += chunk.length) {
            foo.frame(REQUEST, chunk(true, 1, chunk));
        }
        foo.frame(REQUEST, chunk(false, 1, chunk));
        foo.request(2, createRequest("nuts"));

        assertThat(new String(foo.expect(REPLY), UTF_8)).contains("TOOLARGE");
        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 2, new byte[] {0}));
    }

    @Test
    void aCancelledRequestIsDropped() throws IOException {
        Wires foo = connect().handshake();
        byte[] body = createRequest("nuts");
        foo.frame(REQUEST, chunk(true, 1, body));
        foo.frame(19, ByteBuffer.allocate(4).putInt(1).array());
        foo.request(1, createRequest("dates"));

        assertThat(foo.expect(REPLY)).isEqualTo(chunk(false, 1, new byte[] {0}));
        assertThat(bar.buckets).containsOnlyKeys(Bytes.of("dates"));
    }

    @Test
    void randomBytesDisturbNoOtherNode() throws IOException {
        long seed = System.nanoTime();
        System.out.println("PeerDoorTest random bytes: seed " + seed);
        Random random = new Random(seed);
        for (int i = 0; i < 200; i++) {
            Wires wires = i % 2 == 0 ? connect() : connect().handshake();
            byte[] bytes = new byte[random.nextInt(1, 5000)];
            random.nextBytes(bytes);
            if (i % 4 == 3) {
                // A sound frame around nonsense.
                bytes = frame(
                        5 + bytes.length,
                        ByteBuffer.allocate(bytes.length + 5)
                                .put((byte) REQUEST)
                                .put(5, bytes)
                                .array());
            }
            try {
                wires.raw(bytes);
            } catch (SocketException closed) {
                assertThat(closed).isNotNull();
            }
        }
        assertServesOthers();
        connect().handshake();
    }
}
