package dev.kv.acceptance;

import static dev.kv.acceptance.harness.Elapsed.since;
import static dev.kv.acceptance.harness.Requests.assertServes;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.MeasuresTime;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.TwoNodes;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Failures of the published system by its clients, each under its number, against processes of the combined release. */
@Timeout(60)
@MeasuresTime
class PublishedFailuresOfClientsTest extends TwoNodes {
    private static final int MIB = 1024 * 1024;

    @Test
    @DisplayName("1: two dozen connections opened and closed at once")
    void twoDozenConnectionsOpenedAndClosedAtOnce() throws Exception {
        foo.start();
        try (LineClient witness = foo.connect()) {
            assertServes(witness, "a");
            for (int round = 0; round < 20; round++) {
                List<LineClient> clients = new ArrayList<>();
                for (int i = 0; i < 24; i++) {
                    clients.add(round < 10 ? foo.connect() : LineClient.connect(foo.nodes()));
                }
                for (LineClient client : clients) {
                    if (round % 2 == 0) {
                        client.close();
                    } else {
                        client.reset();
                    }
                }
            }
            assertThat(witness.ask("GET a k")).isEqualTo("v");
        }
        assertServes(foo, "a");
        assertThat(foo.err().lines().filter(line -> line.contains(" ERROR "))).isEmpty();
    }

    @Test
    @DisplayName("2: more clients than file descriptors allow")
    void moreClientsThanFileDescriptorsAllow() throws Exception {
        foo.limitDescriptors(256);
        foo.start();
        List<LineClient> clients = new ArrayList<>();
        List<LineClient> refused = new ArrayList<>();
        try (LineClient witness = foo.connect()) {
            assertServes(witness, "a");
            // Of 256 descriptors, half is reserved for files, and a quarter of the rest for other nodes.
            for (int i = 1; i < 96; i++) {
                clients.add(foo.connect());
                assertThat(clients.getLast().ask("GET a k")).isEqualTo("v");
                assertThat(clients.getLast().line()).isEqualTo("OK");
            }
            for (int i = 0; i < 200; i++) {
                LineClient client = foo.connect();
                assertThat(client.line())
                        .isEqualTo("ERROR ERR too many connections: this node serves 96 at most"
                                + " (kv.server.connections-max)");
                assertThat(client.isClosed()).isTrue();
                refused.add(client);
            }
            assertServes(witness, "a");
            for (LineClient client : clients) {
                assertServes(client, "a");
            }
            assertThat(foo.err().lines().filter(line -> line.contains("refused ")))
                    .as("lines about 200 refusals within some seconds")
                    .hasSizeBetween(1, 3);

            clients.removeLast().close();
            Await.until("there is a place again", () -> isServed(foo));
        } finally {
            close(clients);
            close(refused);
        }
    }

    private static boolean isServed(NodeProcess node) throws IOException {
        try (LineClient client = node.connect()) {
            return client.ask("CREATE a").equals("OK");
        }
    }

    private static void close(List<LineClient> clients) throws IOException {
        for (LineClient client : clients) {
            client.close();
        }
    }

    @Test
    @DisplayName("2: no file descriptor is left")
    void noFileDescriptorIsLeft() throws Exception {
        foo.start();
        try (LineClient witness = foo.connect()) {
            assertServes(witness, "a");
            long limit = foo.descriptorsLimit();
            Set<Integer> open = foo.descriptors();
            foo.limitDescriptorsNow(Stream.iterate(0, next -> next + 1)
                    .filter(next -> !open.contains(next))
                    .findFirst()
                    .orElseThrow());
            long start = System.nanoTime();
            // The kernel has accepted this connection; the node accepts it when a descriptor is free.
            try (LineClient waiting = foo.connect()) {
                waiting.send("GET a k\r\n");
                Await.until("the lack is logged", () -> foo.err().contains("no file descriptor is free (ulimit -n)"));
                while (since(start).compareTo(Duration.ofSeconds(2)) < 0) {
                    assertServes(witness, "a");
                }
                assertThat(foo.isAlive()).isTrue();
                assertThat(foo.err().lines().filter(line -> line.contains("file descriptor")))
                        .hasSize(1);
                assertThat(foo.err()).doesNotContain("Exception").doesNotContain(" ERROR ");

                foo.limitDescriptorsNow(limit);
                assertThat(waiting.line()).isEqualTo("v");
            }
            assertServes(foo, "a");
        }
    }

    @Test
    @DisplayName("2: strangers at both doors")
    void strangersAtBothDoors() throws Exception {
        // Unproven connections at the node listener stay open during the test.
        foo.set("kv.router.handshake-timeout", "60s");
        foo.limitDescriptors(256);
        NodeProcess.start(HALVES, foo, bar);
        List<LineClient> strangers = new ArrayList<>();
        try (LineClient witness = foo.connect();
                LineClient across = bar.connect()) {
            assertServes(witness, "a");
            assertServes(across, "b");
            for (int i = 0; i < 600; i++) {
                strangers.add(LineClient.connect(foo.nodes()));
                strangers.add(LineClient.connect(foo.nodes()));
                strangers.add(foo.connect());
            }
            assertServes(witness, "a");
            assertServes(across, "b");
            // Bar connects anew, as a node without links.
            bar.kill();
            bar.start();
            assertServes(bar, "c");
            // New segments need descriptors.
            String value = "v".repeat(MIB / 2);
            for (int i = 0; i < 200; i++) {
                assertThat(witness.ask("PUT a big" + i + " " + value)).isEqualTo("OK");
            }
            assertThat(foo.descriptors()).hasSizeLessThan(250);
            assertThat(foo.err()).doesNotContain("no file descriptor").doesNotContain(" ERROR ");
        } finally {
            close(strangers);
        }
    }

    @Test
    @DisplayName("3: 300 000 buckets")
    void threeHundredThousandBuckets() throws Exception {
        foo.start();
        int buckets = 300_000;
        int batch = 1000;
        try (LineClient client = foo.connect()) {
            for (int first = 0; first < buckets; first += batch) {
                StringBuilder requests = new StringBuilder();
                for (int i = first; i < first + batch; i++) {
                    requests.append("CREATE bucket-").append(i).append("\r\n");
                }
                client.send(requests.toString());
                for (int i = 0; i < batch; i++) {
                    assertThat(client.line()).isEqualTo("OK");
                }
            }
            for (int i = 0; i < buckets; i += buckets / 100) {
                assertServes(client, "bucket-" + i);
            }
            assertThat(client.ask("GET bucket-" + buckets + " k")).isEqualTo("NOT FOUND");
        }
        assertThat(foo.kv("status").out()).contains("buckets " + buckets + ",");
    }

    @Test
    @DisplayName("4: long lines")
    void longLines() throws Exception {
        foo.set("kv.router.timeout", "20s");
        bar.set("kv.router.timeout", "20s");
        NodeProcess.start(HALVES, foo, bar);
        String conversation = """
                > CREATE BUCKET-\\i
                < OK
                > PUT BUCKET-\\i k \\{1460*v}
                < OK
                > GET BUCKET-\\i k
                < \\{1460*v}
                < OK
                > PUT BUCKET-\\i k \\{1000000*w}
                < OK
                > PUT BUCKET-\\i k \\{1100000*x}
                <~ ERROR TOOLARGE
                > GET BUCKET-\\i k
                < \\{1000000*w}
                < OK
                > \\{3000000*x}
                <~ ERROR TOOLARGE
                > PUT BUCKET-\\i k v
                < OK
                """;
        foo.converse(conversation.replace("BUCKET", "apples"));
        foo.converse(conversation.replace("BUCKET", "nuts"));
    }

    @ParameterizedTest(name = "of {0}")
    @DisplayName("8: bursts of commands")
    @ValueSource(strings = {"apples", "nuts"})
    void burstsOfCommands(String bucket) throws Exception {
        NodeProcess.start(HALVES, foo, bar);
        try (LineClient client = foo.connect()) {
            assertServes(client, bucket);
            List<Duration> bursts = new ArrayList<>();
            for (int i = 0; i < 101; i++) {
                long start = System.nanoTime();
                client.send("PUT " + bucket + " k v\r\n");
                client.send("PUT " + bucket + " l w\r\n");
                client.send("GET " + bucket + " k\r\n");
                assertThat(List.of(client.line(), client.line(), client.line(), client.line()))
                        .containsExactly("OK", "OK", "v", "OK");
                bursts.add(since(start));
            }
            Collections.sort(bursts);
            assertThat(bursts.get(bursts.size() / 2)).as("median").isLessThan(Duration.ofMillis(20));
        }
    }

    @Test
    @DisplayName("9: a hundred quick connects")
    void aHundredQuickConnects() throws Exception {
        foo.start();
        assertServes(foo, "a");
        List<LineClient> clients = new ArrayList<>();
        try {
            long start = System.nanoTime();
            for (int i = 0; i < 100; i++) {
                clients.add(foo.connect());
            }
            for (LineClient client : clients) {
                client.send("GET a k\r\n");
            }
            for (LineClient client : clients) {
                assertThat(client.line()).isEqualTo("v");
            }
            assertThat(since(start)).isLessThan(Duration.ofSeconds(1));
        } finally {
            close(clients);
        }
    }

    @ParameterizedTest(name = "[{0}]")
    @DisplayName("11: backwards ranges and malformed tables")
    @ValueSource(
            strings = {
                "m..a=foo@h",
                "a..=foo@h",
                "a..m=foo@h,",
                "a..m=foo@h n..z=bar@h",
                "a..m",
                "*=foo",
                "\u00e4=foo@h"
            })
    void backwardsRangesAndMalformedTables(String table) throws Exception {
        foo.set("kv.router.table", table);
        Ended run = foo.kv("run");
        assertThat(run.status()).isEqualTo(1);
        assertThat(run.complaints())
                .singleElement()
                .asString()
                .startsWith("kv: kv.router.table = ")
                .containsPattern("line 1, column [0-9]+: ");
    }
}
