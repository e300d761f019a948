package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster.Member;
import dev.kv.acceptance.harness.Requests;
import dev.kv.acceptance.harness.ThreeMembers;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests of clients that other nodes run, while all is well. The first two stand in the published system too. */
@Timeout(60)
class RoutingAcrossNodesTest extends ThreeMembers {
    private static final String HALVES = "a..m=foo@h,n..z=bar@h";

    @BeforeEach
    void configure() {
        // Nothing here may fail for want of time.
        cluster.set("kv.router.timeout", "20s");
    }

    @Test
    void routesRequestsAcrossNodes() throws IOException {
        foo.start(HALVES);
        bar.start(HALVES);

        foo.converse(Requests.BOTH_HALVES);
    }

    @Test
    void raisesOnUnknownEntries() throws IOException {
        foo.start(HALVES);

        foo.converse("""
                > GET Apples k
                < ERROR NOROUTE could not find entry for "Apples" in table [a..m=foo@h,n..z=bar@h]
                > CREATE apples
                < OK
                """);
    }

    @Test
    void everyCommandIsForwardedInBothDirections() throws IOException {
        foo.start(HALVES);
        bar.start(HALVES);

        String conversation = """
                > GET BUCKET-\\i k
                < NOT FOUND
                > PUT BUCKET-\\i k v
                < NOT FOUND
                > DELETE BUCKET-\\i k
                < NOT FOUND
                > CREATE BUCKET-\\i
                < OK
                > GET BUCKET-\\i k
                <
                < OK
                > DELETE BUCKET-\\i k
                < OK
                > PUT BUCKET-\\i \\x00\\xFF\\xC3 \\x80%\\x01
                < OK
                > GET BUCKET-\\i \\x00\\xFF\\xC3
                < \\x80%\\x01
                < OK
                > CREATE BUCKET-\\i
                < OK
                > PUT BUCKET-\\i \\{60000*k} \\{900000*v}
                < OK
                > GET BUCKET-\\i \\{60000*k}
                < \\{900000*v}
                < OK
                > DELETE BUCKET-\\i \\{60000*k}
                < OK
                > GET BUCKET-\\i \\{60000*k}
                <
                < OK
                > NONSENSE BUCKET-\\i
                < UNKNOWN COMMAND
                """;
        foo.converse(conversation.replace("BUCKET", "nuts"));
        bar.converse(conversation.replace("BUCKET", "apples"));
    }

    @Test
    void allNodesShowTheSameBuckets() throws IOException {
        cluster.start(THIRDS);

        try (LineClient atFoo = foo.connect();
                LineClient atBar = bar.connect();
                LineClient atBaz = baz.connect()) {
            for (String bucket : List.of("apples", "nuts", "zucchini")) {
                assertThat(atFoo.ask("CREATE " + bucket)).isEqualTo("OK");
                assertThat(atBar.ask("PUT " + bucket + " k v")).isEqualTo("OK");
                assertThat(atBaz.ask("GET " + bucket + " k")).isEqualTo("v");
                assertThat(atBaz.line()).isEqualTo("OK");
            }
        }
    }

    @Test
    void everyNodeOnThePathUsesItsOwnTable() throws IOException {
        foo.start("*=bar@h");
        bar.start("*=baz@h");
        baz.start("*=baz@h");

        foo.converse("""
                > CREATE nuts-\\i
                < OK
                > PUT nuts-\\i k v
                < OK
                > GET nuts-\\i k
                < v
                < OK
                """);
        try (LineClient atFoo = foo.connect();
                LineClient atBaz = baz.connect()) {
            assertThat(atFoo.ask("CREATE x")).isEqualTo("OK");
            bar.kill();
            assertThat(atBaz.ask("PUT x k v")).as("baz has the bucket itself").isEqualTo("OK");
        }
    }

    @Test
    void aRoutingLoopOfTwoNodesIsNamed() throws IOException {
        foo.start("a=foo@h,*=bar@h");
        bar.start("*=foo@h");

        foo.converse("> CREATE x\n> CREATE a\n< ERROR CIRCLE foo@h -> bar@h -> foo@h\n< OK\n");
    }

    @Test
    void aRoutingLoopOfThreeNodesIsNamedFromEachNode() throws IOException {
        foo.start("*=bar@h");
        bar.start("*=baz@h");
        baz.start("*=foo@h");

        foo.converse("> PUT x k v\n< ERROR CIRCLE foo@h -> bar@h -> baz@h -> foo@h\n");
        baz.converse("> GET x k\n< ERROR CIRCLE baz@h -> foo@h -> bar@h -> baz@h\n");
    }

    @Test
    void aNodeThatForwardsItsOwnBucketsThroughAnotherIsARoutingLoop() throws IOException {
        foo.start("*=bar@h");
        bar.start("*=baz@h");
        baz.start("*=bar@h");

        foo.converse("> CREATE x\n< ERROR CIRCLE foo@h -> bar@h -> baz@h -> bar@h\n");
    }

    @Test
    void aPathLongerThanHopsMaxEnds() throws IOException {
        cluster.set("kv.router.hops-max", "1");
        foo.start("*=bar@h");
        bar.start("*=baz@h");
        baz.start("*=baz@h");

        foo.converse("> CREATE x\n<~ ERROR CIRCLE foo@h -> bar@h\n");
        bar.converse("> CREATE x\n< OK\n");
    }

    @Test
    void aMissingEntryAtTheSecondNodeNamesThatNode() throws IOException {
        foo.start("a..m=foo@h,*=bar@h");
        bar.start("n=bar@h");

        try (LineClient client = foo.connect()) {
            client.send("CREATE nuts\r\nCREATE x\r\nCREATE apples\r\n");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line())
                    .isEqualTo("ERROR NOROUTE could not find entry for \"x\" in table [n=bar@h] of bar@h");
            assertThat(client.line()).isEqualTo("OK");
        }
    }

    @Test
    void repliesOfManyNodesComeInTheOrderOfTheRequests() throws IOException {
        cluster.start(THIRDS);

        StringBuilder requests = new StringBuilder();
        List<String> expected = new ArrayList<>();
        for (String bucket : List.of("apples", "nuts", "zucchini")) {
            requests.append("CREATE ").append(bucket).append("\r\n");
            expected.add("OK");
        }
        for (int i = 0; i < 1000; i++) {
            String bucket =
                    List.of("nuts", "apples", "zucchini", "unknown", "Nowhere").get(i % 5);
            String value = i + "-" + (i % 97 == 0 ? "v".repeat(200_000) : "v");
            requests.append("PUT " + bucket + " k " + value + "\r\n");
            requests.append("GET " + bucket + " k\r\n");
            switch (bucket) {
                case "unknown" -> expected.addAll(List.of("NOT FOUND", "NOT FOUND"));
                case "Nowhere" -> {
                    String error = "ERROR NOROUTE could not find entry for \"Nowhere\" in table [" + THIRDS + "]";
                    expected.addAll(List.of(error, error));
                }
                default -> expected.addAll(List.of("OK", value, "OK"));
            }
        }
        List<String> replies = new ArrayList<>();
        try (LineClient client = foo.connect()) {
            Thread.ofVirtual().start(() -> sendAll(client, requests.toString()));
            while (replies.size() < expected.size()) {
                replies.add(client.line());
            }
        }
        assertThat(replies).isEqualTo(expected);
    }

    private static void sendAll(LineClient client, String requests) {
        try {
            client.send(requests);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void tenClientsOnTwoNodesLoseNoWrite() throws Exception {
        foo.start(HALVES);
        bar.start(HALVES);

        List<Thread> clients = new ArrayList<>();
        List<String> replies = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 10; i++) {
            int number = i;
            Member node = i % 2 == 0 ? foo : bar;
            clients.add(Thread.ofVirtual().start(() -> {
                try (LineClient client = node.connect()) {
                    StringBuilder requests = new StringBuilder("CREATE nuts\r\n");
                    for (int key = 0; key < 200; key++) {
                        requests.append("PUT nuts " + number + "-" + key + " v\r\n");
                    }
                    client.send(requests.toString());
                    for (int reply = 0; reply <= 200; reply++) {
                        replies.add(client.line());
                    }
                } catch (IOException e) {
                    replies.add(e.toString());
                }
            }));
        }
        for (Thread client : clients) {
            client.join();
        }
        assertThat(replies).hasSize(2010).containsOnly("OK");
        try (LineClient client = foo.connect()) {
            for (int i = 0; i < 2000; i++) {
                assertThat(client.ask("GET nuts " + i % 10 + "-" + i / 10)).isEqualTo("v");
                assertThat(client.line()).isEqualTo("OK");
            }
        }
    }

    @Test
    void requestsOfAClientThatDisconnectedRunOnTheOtherNode() throws Exception {
        foo.start(HALVES);
        bar.start(HALVES);

        try (LineClient leaving = foo.connect();
                LineClient client = bar.connect()) {
            assertThat(leaving.ask("CREATE nuts")).isEqualTo("OK");
            leaving.send("PUT nuts whole v\r\nPUT nuts half v");
            Await.until("the whole request has run", () -> {
                boolean there = client.ask("GET nuts whole").equals("v");
                assertThat(client.line()).isEqualTo("OK");
                return there;
            });
            leaving.reset();
            assertThat(client.ask("GET nuts half")).isEmpty();
        }
    }
}
