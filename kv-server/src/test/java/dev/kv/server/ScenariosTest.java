package dev.kv.server;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.testing.Await;
import dev.kv.router.testing.MapStore;
import dev.kv.server.testing.LineClient;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What clients and others did to the published system, or might do to this one. */
@Timeout(60)
final class ScenariosTest {
    private final TestDoor door = new TestDoor(new MapStore());

    @AfterEach
    void close() {
        door.close();
    }

    private void assertServed() throws Exception {
        try (LineClient client = door.client()) {
            assertThat(client.ask("CREATE served")).isEqualTo("OK");
        }
    }

    @Test
    void manyConnectionsThatOpenAndCloseAtOnceDisturbNoOther() throws Exception {
        try (LineClient witness = door.client()) {
            assertThat(witness.ask("CREATE b")).isEqualTo("OK");
            for (int round = 0; round < 10; round++) {
                List<LineClient> clients = new ArrayList<>();
                for (int i = 0; i < 24; i++) {
                    clients.add(door.client());
                }
                for (LineClient client : clients) {
                    if (round % 2 == 0) {
                        client.close();
                    } else {
                        client.reset();
                    }
                }
            }
            assertThat(witness.ask("GET b k")).isEmpty();
            assertThat(witness.line()).isEqualTo("OK");
            Await.until("the door has 1 connections", () -> door.connections() == 1);
        }
        assertServed();
    }

    @Test
    void aBurstOfCommandsIsNotDelayed() throws Exception {
        try (LineClient client = door.client()) {
            assertThat(client.ask("CREATE b")).isEqualTo("OK");
            List<Duration> bursts = new ArrayList<>();
            for (int i = 0; i < 51; i++) {
                long start = System.nanoTime();
                client.send("PUT b k v\r\n");
                client.send("PUT b l w\r\n");
                client.send("GET b k\r\n");
                assertThat(List.of(client.line(), client.line(), client.line(), client.line()))
                        .containsExactly("OK", "OK", "v", "OK");
                bursts.add(Duration.ofNanos(System.nanoTime() - start));
            }
            Collections.sort(bursts);
            assertThat(bursts.get(bursts.size() / 2)).isLessThan(Duration.ofMillis(20));
        }
    }

    @Test
    void aHundredConnectionsAreServedWithinASecond() throws Exception {
        assertServed();
        List<LineClient> clients = new ArrayList<>();
        long start = System.nanoTime();
        for (int i = 0; i < 100; i++) {
            clients.add(door.client());
        }
        for (LineClient client : clients) {
            assertThat(client.ask("CREATE b")).isEqualTo("OK");
        }
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(1));
        for (LineClient client : clients) {
            client.close();
        }
    }

    @Test
    void anHttpRequestOfABrowserRunsNoCommand() throws Exception {
        String body = "CREATE evil\r\nPUT evil k v\r\n";
        for (String request : List.of(
                "POST / HTTP/1.1\r\nHost: 127.0.0.1:4040\r\n\r\n",
                "POST /" + "x".repeat(2_000_000) + " HTTP/1.1\r\nHost: 127.0.0.1:4040\r\n\r\n",
                "PUT /a HTTP/1.1\r\nHost: 127.0.0.1:4040\r\n\r\n",
                "GET /a HTTP/1.1\r\nhost: 127.0.0.1:4040\r\n\r\n",
                "GET /" + "x".repeat(2_000_000) + " HTTP/1.1\r\nHost: 127.0.0.1:4040\r\n\r\n",
                "Host: 127.0.0.1:4040\r\n")) {
            try (LineClient browser = door.client()) {
                try {
                    browser.send(request + body);
                } catch (SocketException closedMeanwhile) {
                    // As it should be.
                }
                drain(browser);
            }
            try (LineClient client = door.client()) {
                assertThat(client.ask("GET evil k"))
                        .as(request.substring(0, 10))
                        .isEqualTo("NOT FOUND");
            }
        }
    }

    @Test
    void aCallerOfAnotherProtocolGetsTheReasonInIt() throws Exception {
        String reason = "this port is for clients of kv (kv.server.port)";
        Map<String, String> refusals = Map.of(
                "\0\0\0U\u0001kvpeer\r\n\0\u0001\0\u0002",
                "ERROR ERR " + reason + "; other nodes connect to kv.router.port",
                "\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003",
                "\u0015\u0003\u0001\0\u0002\u0002F",
                "POST / HTTP/1.1\r\n",
                "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" + reason);
        for (Map.Entry<String, String> refusal : refusals.entrySet()) {
            try (LineClient caller = door.client()) {
                caller.send(refusal.getKey());

                assertThat(caller.rest()).as(refusal.getKey()).startsWith(refusal.getValue());
            }
        }
    }

    private static void drain(LineClient client) throws Exception {
        try {
            assertThat(client.rest()).doesNotContain("OK");
        } catch (SocketException reset) {
            // The connection was closed before all of it was read.
        }
    }

    @Test
    void linesLikeHttpAfterTheFirstTwoAreCommands() throws Exception {
        try (LineClient client = door.client()) {
            assertThat(client.ask("CREATE b")).isEqualTo("OK");
            assertThat(client.ask("POST / HTTP/1.1")).isEqualTo("UNKNOWN COMMAND");
            assertThat(client.ask("Host: a")).isEqualTo("UNKNOWN COMMAND");
            assertThat(client.ask("CREATE b")).isEqualTo("OK");
        }
    }

    @Test
    void randomBytesDisturbNoOtherConnection() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        String[] pieces = {"GET ", "PUT ", "CREATE ", "DELETE ", "\r\n", "\n", " ", "b", "*3\r\n$3\r\n", "\0", "Host: "
        };
        try (LineClient witness = door.client()) {
            for (int round = 0; round < 200; round++) {
                try (LineClient client = door.client()) {
                    StringBuilder bytes = new StringBuilder();
                    while (bytes.length() < 5_000) {
                        byte[] noise = new byte[random.nextInt(20)];
                        random.nextBytes(noise);
                        bytes.append(new String(noise, ISO_8859_1)).append(pieces[random.nextInt(pieces.length)]);
                    }
                    client.send(bytes.toString());
                    client.endOutput();
                    client.rest();
                } catch (SocketException closed) {
                    // It may have begun like HTTP.
                }
                assertThat(witness.ask("CREATE witness")).as("seed %d", seed).isEqualTo("OK");
            }
        }
        Await.until("the door has 0 connections", () -> door.connections() == 0);
    }
}
