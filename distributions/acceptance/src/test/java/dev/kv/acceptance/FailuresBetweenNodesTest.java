package dev.kv.acceptance;

import static dev.kv.acceptance.harness.Elapsed.since;
import static dev.kv.acceptance.harness.Requests.assertReplies;
import static dev.kv.acceptance.harness.Requests.awaitServed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.MeasuresTime;
import dev.kv.acceptance.harness.SecretFile;
import dev.kv.acceptance.harness.ThreeMembers;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The replies that a client gets when another node is dead, hangs, restarts or has the wrong name or cookie: an error in the order
 * of the requests, which says whether the request was run, on a connection that stays open.
 */
@Timeout(60)
@MeasuresTime
class FailuresBetweenNodesTest extends ThreeMembers {
    private static final Duration TIMEOUT = Duration.ofSeconds(1);

    /** More than scheduling delays on a busy machine, and less than the timeout. */
    private static final Duration MARGIN = Duration.ofMillis(800);

    @BeforeEach
    void configure() {
        cluster.set("kv.router.timeout", TIMEOUT.toMillis() + "ms");
    }

    private static void assertSays(String reply, String beginning, String... contents) {
        assertThat(reply).startsWith(beginning).contains(contents);
    }

    @Test
    void aNodeThatWasKilledIsUnreachableAtOnceAndServedWhenItIsBack() throws Exception {
        cluster.start(THIRDS);
        try (LineClient client = foo.connect()) {
            assertReplies(client, "CREATE nuts|CREATE apples|CREATE zucchini", "OK", "OK", "OK");
            bar.kill();
            // The first request may still be sent on the old connection.
            Await.until(
                    "the end of bar is known", () -> client.ask("PUT nuts k v").startsWith("ERROR UNREACHABLE "));

            long start = System.nanoTime();
            client.send("PUT nuts k v\r\nPUT apples k v\r\nPUT zucchini k v\r\nGET nuts k\r\nGET apples k\r\n");
            assertSays(client.line(), "ERROR UNREACHABLE ", "bar@h", "was not run");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo("OK");
            assertSays(client.line(), "ERROR UNREACHABLE ", "bar@h", "was not run");
            assertThat(client.line()).isEqualTo("v");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(since(start)).isLessThan(TIMEOUT);

            bar.start(THIRDS);
            awaitServed(client, "nuts");
            assertReplies(client, "PUT nuts k w|GET nuts k", "OK", "w", "OK");
        }
    }

    @Test
    void aNodeThatRestartsBetweenRequestsIsFoundAgain() throws Exception {
        cluster.start(THIRDS);
        try (LineClient client = foo.connect()) {
            for (int round = 0; round < 3; round++) {
                awaitServed(client, "nuts");
                bar.stop();
                bar.start(THIRDS);
            }
            awaitServed(client, "nuts");
            assertReplies(client, "PUT nuts k v|GET nuts k", "OK", "v", "OK");
        }
    }

    @Test
    void aNodeThatHangsLeavesItsRequestsUncertainAfterTheTimeout() throws Exception {
        cluster.start(THIRDS);
        try (LineClient client = foo.connect()) {
            assertReplies(client, "CREATE nuts|CREATE apples|CREATE zucchini", "OK", "OK", "OK");
            foo.to(bar).silence();

            long start = System.nanoTime();
            client.send("PUT nuts k 1\r\nPUT apples k 1\r\nPUT nuts k 2\r\nGET apples k\r\n");
            assertSays(client.line(), "ERROR UNCERTAIN ", "bar@h", "may have run");
            assertThat(since(start)).isBetween(TIMEOUT.minusMillis(50), TIMEOUT.plus(MARGIN));
            assertThat(client.line()).isEqualTo("OK");
            assertSays(client.line(), "ERROR UNCERTAIN ", "bar@h", "may have run");
            assertThat(client.line()).isEqualTo("1");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(since(start)).as("one wait for all").isLessThan(TIMEOUT.plus(MARGIN));

            Await.until(
                    "bar is given up",
                    () -> client.ask("PUT nuts k 3").matches("ERROR UNREACHABLE bar@h .* was not run"));
            foo.to(bar).open();
            awaitServed(client, "nuts");
            assertReplies(client, "PUT nuts k 4|GET nuts k", "OK", "4", "OK");
        }
    }

    @Test
    void aNodeThatHangsIsGivenUpUnderContinuousRequests() throws Exception {
        cluster.start(THIRDS);
        try (LineClient client = foo.connect()) {
            assertThat(client.ask("CREATE nuts")).isEqualTo("OK");
            foo.to(bar).silence();
            long start = System.nanoTime();
            AtomicBoolean isOver = new AtomicBoolean();
            Thread asking = Thread.ofVirtual().start(() -> {
                try {
                    while (!isOver.get()) {
                        client.send("GET nuts k\r\n");
                        Thread.sleep(TIMEOUT.dividedBy(20));
                    }
                } catch (IOException | InterruptedException e) {
                    throw new AssertionError(e);
                }
            });
            assertSays(client.line(), "ERROR UNCERTAIN ", "bar@h");
            Await.until("bar is given up", () -> client.line().startsWith("ERROR UNREACHABLE "));
            // One timeout with the connection that fell silent, one with the attempt to make another.
            assertThat(since(start)).isLessThan(TIMEOUT.multipliedBy(2).plus(MARGIN));
            isOver.set(true);
            asking.join();
        }
    }

    @Test
    void requestsForOtherNodesRunWhileOneHangs() throws Exception {
        cluster.start(THIRDS);
        try (LineClient client = foo.connect();
                LineClient witness = baz.connect();
                LineClient another = foo.connect()) {
            assertReplies(client, "CREATE nuts|CREATE apples|CREATE zucchini", "OK", "OK", "OK");
            foo.to(bar).silence();
            long start = System.nanoTime();
            client.send("PUT nuts k v\r\nPUT zucchini k v\r\nPUT apples k v\r\n");

            Await.until("the request for baz has run", () -> {
                boolean there = witness.ask("GET zucchini k").equals("v");
                assertThat(witness.line()).isEqualTo("OK");
                return there;
            });
            assertReplies(another, "GET apples k|PUT zucchini l w|GET zucchini l", "v", "OK", "OK", "w", "OK");
            assertThat(since(start)).as("before bar was given up").isLessThan(TIMEOUT);

            assertSays(client.line(), "ERROR UNCERTAIN ", "bar@h");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo("OK");
        }
    }

    @Test
    void requestsToTwoHangingNodesTimeOutTogether() throws Exception {
        cluster.start(THIRDS);
        try (LineClient client = foo.connect()) {
            assertReplies(client, "CREATE nuts|CREATE zucchini", "OK", "OK");
            foo.to(bar).silence();
            foo.to(baz).silence();
            long start = System.nanoTime();
            client.send("GET nuts k\r\nGET zucchini k\r\nGET nuts k\r\nGET zucchini k\r\nCREATE apples\r\n");
            for (String node : List.of("bar@h", "baz@h", "bar@h", "baz@h")) {
                assertSays(client.line(), "ERROR UNCERTAIN ", node);
            }
            assertThat(client.line()).isEqualTo("OK");
            assertThat(since(start)).isLessThan(TIMEOUT.plus(MARGIN));
        }
    }

    @Test
    void aNodeThatHangsBeforeItWasEverReachedIsUnreachableAfterTheTimeout() throws Exception {
        cluster.start(THIRDS);
        foo.to(bar).silence();
        try (LineClient client = foo.connect()) {
            long start = System.nanoTime();
            client.send("CREATE nuts\r\nCREATE apples\r\n");
            assertSays(client.line(), "ERROR UNREACHABLE ", "bar@h", "was not run");
            assertThat(since(start)).isBetween(TIMEOUT.minusMillis(50), TIMEOUT.plus(MARGIN));
            assertThat(client.line()).isEqualTo("OK");

            foo.to(bar).open();
            awaitServed(client, "nuts");
        }
    }

    @Test
    void aBrokenConnectionLeavesItsRequestUncertainAndTheNextOneIsServed() throws Exception {
        cluster.start(THIRDS);
        try (LineClient client = foo.connect()) {
            assertReplies(client, "CREATE nuts|CREATE apples", "OK", "OK");
            bar.to(foo).silence();
            foo.to(bar).silence();
            client.send("PUT nuts k v\r\nPUT apples k v\r\n");
            try (LineClient another = foo.connect()) {
                Await.until("the request has left foo", () -> {
                    boolean behind = another.ask("GET apples k").equals("v");
                    assertThat(another.line()).isEqualTo("OK");
                    return behind;
                });
            }
            foo.to(bar).cut();
            assertSays(client.line(), "ERROR UNCERTAIN ", "bar@h", "may have run");
            assertThat(client.line()).isEqualTo("OK");
            foo.to(bar).open();
            awaitServed(client, "nuts");
        }
    }

    @Test
    void aNodeThatStopsInOrderLeavesNothingUncertain() throws Exception {
        cluster.start(THIRDS);
        try (LineClient client = foo.connect()) {
            assertThat(client.ask("CREATE nuts")).isEqualTo("OK");
            Thread stopping = Thread.ofPlatform().start(bar::stop);
            String reply;
            do {
                reply = client.ask("PUT nuts k v");
                assertThat(reply).matches("OK|ERROR UNREACHABLE .*");
            } while (reply.equals("OK"));
            stopping.join();
            assertThat(client.ask("CREATE apples")).isEqualTo("OK");
        }
    }

    @Test
    void theErrorNamesTheSilentNode() throws Exception {
        foo.start("*=bar@h");
        bar.start("*=baz@h");
        baz.start("*=baz@h");
        try (LineClient client = foo.connect()) {
            assertThat(client.ask("CREATE nuts")).isEqualTo("OK");
            bar.to(baz).silence();
            long start = System.nanoTime();
            String reply = client.ask("PUT nuts k v");
            assertSays(reply, "ERROR UNCERTAIN ", "baz@h", "may have run");
            assertThat(reply).doesNotContain("bar@h");
            assertThat(since(start)).isLessThan(TIMEOUT.plus(MARGIN));

            bar.to(baz).open();
            awaitServed(client, "nuts");
            baz.kill();
            Await.until("the end of baz is known", () -> {
                String said = client.ask("PUT nuts k v");
                return said.startsWith("ERROR UNREACHABLE ") && said.contains("baz@h");
            });
            bar.kill();
            Await.until("the end of bar is known", () -> {
                String said = client.ask("PUT nuts k v");
                return said.startsWith("ERROR UNREACHABLE ") && said.contains("bar@h");
            });
        }
    }

    @Test
    void aNodeWithAnotherCookieIsUnreachableInBothDirections(@TempDir Path other) throws Exception {
        SecretFile.write(other.resolve("cookie"), "not the secret of all nodes here");
        foo.start(THIRDS);
        baz.start(THIRDS);
        bar.set("kv.router.cookie-file", other.resolve("cookie").toString());
        bar.start(THIRDS);
        try (LineClient client = foo.connect();
                LineClient atBar = bar.connect()) {
            client.send("CREATE nuts\r\nCREATE apples\r\nCREATE zucchini\r\nGET nuts k\r\n");
            assertSays(client.line(), "ERROR UNREACHABLE ", "bar@h", "cookie", "was not run");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo("OK");
            assertSays(client.line(), "ERROR UNREACHABLE ", "bar@h", "cookie");
            assertSays(atBar.ask("CREATE apples"), "ERROR UNREACHABLE ", "foo@h", "cookie");
            assertThat(atBar.ask("CREATE nuts")).isEqualTo("OK");
        }
    }

    @Test
    void anotherNodeAtTheAddressIsUnreachableAndBothAreNamed() throws Exception {
        baz.start(THIRDS);
        foo.set("kv.router.peers.\"bar@h\"", "127.0.0.1:" + baz.nodes().getPort());
        foo.start(THIRDS);
        try (LineClient client = foo.connect()) {
            client.send("CREATE nuts\r\nCREATE apples\r\nCREATE zucchini\r\n");
            assertSays(client.line(), "ERROR UNREACHABLE ", "bar@h", "baz@h", "was not run");
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo("OK");
        }
    }

    @Test
    void aHostThatDoesNotResolveIsUnreachable() throws Exception {
        foo.start("a..i=foo@h,*=bar@no-such-host.invalid");
        try (LineClient client = foo.connect()) {
            client.send("CREATE nuts\r\nCREATE apples\r\n");
            assertSays(client.line(), "ERROR UNREACHABLE ", "bar@no-such-host.invalid", "was not run");
            assertThat(client.line()).isEqualTo("OK");
        }
    }

    @Test
    void anotherServiceAtTheAddressIsUnreachable() throws Exception {
        baz.start(THIRDS);
        foo.set("kv.router.peers.\"bar@h\"", "127.0.0.1:" + baz.clients().getPort());
        foo.start(THIRDS);
        try (LineClient client = foo.connect()) {
            client.send("CREATE nuts\r\nCREATE apples\r\n");
            assertSays(
                    client.line(),
                    "ERROR UNREACHABLE ",
                    "bar@h",
                    "it says \"ERROR ERR this port is for clients of kv (kv.server.port)",
                    "was not run");
            assertThat(client.line()).isEqualTo("OK");
        }
    }

    @Test
    void pipelinedRequestsAreAnsweredInOrderDuringAFailure() throws Exception {
        cluster.start(THIRDS);
        try (LineClient client = foo.connect()) {
            assertReplies(client, "CREATE nuts|CREATE apples|CREATE zucchini", "OK", "OK", "OK");
            StringBuilder requests = new StringBuilder();
            for (int i = 0; i < 300; i++) {
                requests.append("PUT nuts k " + i + "\r\nPUT apples k " + i + "\r\nGET apples k\r\n");
            }
            foo.to(bar).silence();
            client.send(requests.toString());
            for (int i = 0; i < 300; i++) {
                assertThat(client.line()).matches("ERROR (UNCERTAIN|UNREACHABLE) .*bar@h.*");
                assertThat(client.line()).isEqualTo("OK");
                assertThat(client.line()).isEqualTo(String.valueOf(i));
                assertThat(client.line()).isEqualTo("OK");
            }
            foo.to(bar).open();
            awaitServed(client, "nuts");
        }
    }
}
