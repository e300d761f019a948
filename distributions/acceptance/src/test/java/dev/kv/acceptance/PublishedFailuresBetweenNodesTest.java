package dev.kv.acceptance;

import static dev.kv.acceptance.harness.Elapsed.since;
import static dev.kv.acceptance.harness.Requests.assertServes;
import static dev.kv.acceptance.harness.Requests.awaitServed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.SecretFile;
import dev.kv.acceptance.harness.TwoNodes;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Failures of the published system by tables and other nodes, each under its number, against processes of the combined release.
 */
@Timeout(60)
class PublishedFailuresBetweenNodesTest extends TwoNodes {
    private static final int MIB = 1024 * 1024;

    @Test
    @DisplayName("5: no entry in the table")
    void noEntryInTheTable() throws Exception {
        NodeProcess.start(HALVES, foo);
        foo.converse("""
                > CREATE apples
                > CREATE Apples
                > GET 7 k
                > PUT apples k v
                > GET apples k
                < OK
                < ERROR NOROUTE could not find entry for "Apples" in table [a..m=foo@h,n..z=bar@h]
                < ERROR NOROUTE could not find entry for "7" in table [a..m=foo@h,n..z=bar@h]
                < OK
                < v
                < OK
                """);
    }

    @Test
    @DisplayName("5: a node that is down")
    void aNodeThatIsDown() throws Exception {
        NodeProcess.start(HALVES, foo, bar);
        try (LineClient client = foo.connect()) {
            assertServes(client, "nuts");
            bar.kill();
            Await.until(
                    "the end of bar is known", () -> client.ask("PUT nuts k v").startsWith("ERROR UNREACHABLE "));
            assertUnreachable(client, "bar@h", "");

            bar.start();
            awaitServed(client, "nuts");
            assertServes(client, "nuts");
        }
    }

    /** Checks the replies for a node that requests do not reach, and for those pipelined behind them. */
    private static void assertUnreachable(LineClient client, String node, String why) throws IOException {
        client.send("PUT nuts k v\r\nCREATE apples\r\nGET nuts k\r\nPUT apples k v\r\nGET apples k\r\n");
        assertThat(client.line()).startsWith("ERROR UNREACHABLE ").contains(node, why, "was not run");
        assertThat(client.line()).isEqualTo("OK");
        assertThat(client.line()).startsWith("ERROR UNREACHABLE ").contains(node, why, "was not run");
        assertThat(client.line()).isEqualTo("OK");
        assertThat(client.line()).isEqualTo("v");
        assertThat(client.line()).isEqualTo("OK");
    }

    @Test
    @DisplayName("5: a node with another cookie")
    void aNodeWithAnotherCookie() throws Exception {
        Path cookie = site.resolve("another-cookie");
        SecretFile.write(cookie, "not the secret of all nodes here");
        bar.set("kv.router.cookie-file", cookie.toString());
        NodeProcess.start(HALVES, foo, bar);
        try (LineClient client = foo.connect()) {
            assertUnreachable(client, "bar@h", "cookie");
        }
        assertServes(bar, "nuts");
        assertThat(foo.err() + bar.err())
                .doesNotContain(Files.readString(cookie).strip());
    }

    @Test
    @DisplayName("5: a host that nobody knows")
    void aHostThatNobodyKnows() throws Exception {
        NodeProcess.start("a..m=foo@h,n..z=bar@no-such-host.invalid", foo);
        try (LineClient client = foo.connect()) {
            assertUnreachable(client, "bar@no-such-host.invalid", "");
        }
    }

    @Test
    @DisplayName("6: a node that hangs")
    void aNodeThatHangs() throws Exception {
        Duration timeout = Duration.ofSeconds(2);
        foo.set("kv.router.timeout", timeout.toMillis() + "ms");
        NodeProcess.start(HALVES, foo, bar);
        try (LineClient client = foo.connect();
                LineClient another = foo.connect()) {
            assertServes(client, "nuts");
            bar.signal(Signal.STOP);
            long start = System.nanoTime();
            client.send("PUT nuts k hung\r\nCREATE apples\r\n");
            assertServes(another, "avocados");
            assertThat(since(start)).as("others do not wait").isLessThan(timeout);
            assertThat(client.line()).startsWith("ERROR UNCERTAIN ").contains("bar@h", "may have run");
            assertThat(since(start)).isBetween(timeout.multipliedBy(9).dividedBy(10), timeout.multipliedBy(2));
            assertThat(client.line()).isEqualTo("OK");

            start = System.nanoTime();
            assertThat(client.ask("GET nuts k"))
                    .startsWith("ERROR UNREACHABLE ")
                    .contains("bar@h");
            assertThat(since(start)).isLessThan(timeout.multipliedBy(2));

            bar.signal(Signal.CONT);
            awaitServed(client, "nuts");
            assertServes(client, "nuts");
        }
    }

    @Test
    @DisplayName("7: a circle of tables")
    void aRoutingLoop() throws Exception {
        // The heap is too small to hold the requests, and all of its pages are resident from the start.
        foo.setJavaOptions("-Xms64m -Xmx64m -XX:+AlwaysPreTouch");
        bar.setJavaOptions("-Xms64m -Xmx64m -XX:+AlwaysPreTouch");
        NodeProcess.start("a=foo@h,*=bar@h", foo);
        NodeProcess.start("*=foo@h", bar);
        try (LineClient client = foo.connect()) {
            long start = System.nanoTime();
            assertThat(client.ask("CREATE x")).isEqualTo("ERROR CIRCLE foo@h -> bar@h -> foo@h");
            assertThat(since(start)).isLessThan(Duration.ofSeconds(2));

            sendRoundInCircles(client, 20_000);
            long before = foo.residentBytes() + bar.residentBytes();
            sendRoundInCircles(client, 40_000);
            assertThat(foo.residentBytes() + bar.residentBytes() - before)
                    .as("growth of both nodes")
                    .isLessThan(48 * MIB);
            assertServes(client, "a");
        }
    }

    private static void sendRoundInCircles(LineClient client, int requests) throws IOException {
        int batch = 100;
        for (int i = 0; i < requests; i += batch) {
            client.send("PUT x k v\r\n".repeat(batch));
            for (int reply = 0; reply < batch; reply++) {
                assertThat(client.line()).isEqualTo("ERROR CIRCLE foo@h -> bar@h -> foo@h");
            }
        }
    }

    @Test
    @DisplayName("12: every command goes the way of the table")
    void everyCommandIsRoutedByTheTable() throws Exception {
        NodeProcess.start(HALVES, foo, bar);
        try (LineClient atFoo = foo.connect();
                LineClient atBar = bar.connect()) {
            assertServes(atFoo, "nuts");
            assertServes(atBar, "apples");
            assertThat(atBar.ask("GET nuts k")).isEqualTo("v");
            assertThat(atBar.line()).isEqualTo("OK");
            assertThat(atFoo.ask("DELETE nuts k")).isEqualTo("OK");
            assertThat(atBar.ask("GET nuts k")).isEmpty();
            assertThat(atBar.line()).isEqualTo("OK");

            bar.kill();
            Await.until("foo has none of it", () -> atFoo.ask("GET nuts k").startsWith("ERROR UNREACHABLE "));
            assertThat(atFoo.ask("GET apples k")).isEqualTo("v");
        }
    }
}
