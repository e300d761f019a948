package dev.kv.acceptance;

import static dev.kv.acceptance.harness.Elapsed.since;
import static dev.kv.acceptance.harness.Requests.assertLines;
import static dev.kv.acceptance.harness.Requests.assertReplies;
import static dev.kv.acceptance.harness.Requests.awaitServed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.BareHost;
import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.testcontainers.containers.Network;
import org.testcontainers.junit.jupiter.Testcontainers;

/**
 * Releases on three containers in a private network. Clients connect to {@code front} on blue, a server release. Red and green run
 * the storage release and keep a half of the alphabet each. Buckets from x to z go from blue to red, and from red to green.
 */
@Tag("distributed")
@Testcontainers(disabledWithoutDocker = true)
@Timeout(300)
class HostsTest {
    private static final String HALVES = "a..m=foo@red,n..z=bar@green";
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    /** More than scheduling delays on a busy machine, and less than the timeout. */
    private static final Duration MARGIN = Duration.ofMillis(1500);

    private static final List<AutoCloseable> OPEN = new ArrayList<>();

    private static BareHost red;
    private static BareHost green;
    private static BareHost blue;

    @BeforeAll
    static void startHosts() {
        BareHost.makeImage();
        Network network = opened(Network.builder()
                .createNetworkCmdModifier(command -> command.withInternal(true))
                .build());
        red = opened(new BareHost("red", Role.STORAGE, network));
        green = opened(new BareHost("green", Role.STORAGE, network));
        blue = opened(new BareHost("blue", Role.SERVER, network));
        configure(red, "foo@red", HALVES);
        configure(green, "bar@green", HALVES);
        configure(blue, "front@blue", "x..z=foo@red," + HALVES);
        blue.configure("kv.server.host = \"0.0.0.0\"");

        red.run("bin/kv start");
        String cookie = red.run("cat nodes/foo@red/cookie");
        green.put("nodes/bar@green/cookie", cookie);
        blue.put("nodes/front@blue/cookie", cookie);
        green.run("bin/kv start");
        blue.run("bin/kv start");
    }

    private static void configure(BareHost host, String node, String table) {
        host.configure("""
                kv.node.name = "%s"
                kv.router.table = "%s"
                kv.router.timeout = %dms
                """.formatted(node, table, TIMEOUT.toMillis()));
    }

    private static <T extends AutoCloseable> T opened(T resource) {
        OPEN.addFirst(resource);
        return resource;
    }

    @AfterAll
    static void stopHosts() throws Exception {
        for (AutoCloseable resource : OPEN) {
            resource.close();
        }
    }

    @BeforeEach
    void makeBuckets() throws Exception {
        try (LineClient client = blue.connect()) {
            awaitServed(client, "apples");
            awaitServed(client, "nuts");
            awaitServed(client, "xylophones");
        }
    }

    private static void assertServedBy(BareHost host, LineClient client, String bucket) throws IOException {
        assertReplies(client, "PUT " + bucket + " k v|GET " + bucket + " k", "OK", "v", "OK");
        assertThat(host.run("bin/kv status")).contains("running");
    }

    /**
     * Makes red silent on an open link. Its requests are UNCERTAIN after one timeout, requests for other nodes run meanwhile, and red
     * is served again after the fault ends.
     */
    private static void assertSilenceIsSurvived(Runnable fault, Runnable mend) throws Exception {
        try (LineClient client = blue.connect()) {
            assertServedBy(red, client, "apples");
            fault.run();
            try {
                long start = System.nanoTime();
                client.send("PUT apples k 1\r\nPUT nuts k 1\r\nGET nuts k\r\nPUT apples k 2\r\n");
                try (LineClient another = blue.connect()) {
                    assertReplies(another, "PUT nuts other 1|GET nuts other", "OK", "1", "OK");
                }
                assertThat(since(start)).as("others do not wait").isLessThan(TIMEOUT);
                assertThat(client.line()).startsWith("ERROR UNCERTAIN foo@red ").contains("may have run");
                assertThat(since(start)).isBetween(TIMEOUT.minusMillis(50), TIMEOUT.plus(MARGIN));
                assertLines(client, "OK", "1", "OK");
                assertThat(client.line()).startsWith("ERROR UNCERTAIN foo@red ");

                Await.until(
                        "red is given up",
                        () -> client.ask("PUT apples k 3").matches("ERROR UNREACHABLE foo@red .* was not run"));
                assertReplies(client, "PUT nuts k 2|GET nuts k", "OK", "2", "OK");
            } finally {
                mend.run();
            }
            awaitServed(client, "apples");
            assertServedBy(red, client, "apples");
        }
    }

    @Test
    void aServerWithoutDataServesBothHalvesOfTheAlphabetFromHostsWithoutJava() throws IOException {
        for (BareHost host : List.of(red, green, blue)) {
            assertThat(host.tryTo("command -v java").status()).isNotZero();
        }
        try (LineClient client = blue.connect()) {
            assertReplies(
                    client,
                    "PUT apples k 1|PUT nuts k 2|PUT xylophones k 3|GET apples k|GET nuts k|GET xylophones k|GET none k",
                    "OK",
                    "OK",
                    "OK",
                    "1",
                    "OK",
                    "2",
                    "OK",
                    "3",
                    "OK",
                    "NOT FOUND");
        }
    }

    @Test
    void theRouteOfARequestListsEveryHop() {
        assertThat(blue.run("bin/kv route apples").lines())
                .containsExactly(
                        "front@blue: table static, line 1, column 14: a..m=foo@red",
                        "foo@red: table static, line 1, column 1: a..m=foo@red");
        assertThat(blue.run("bin/kv route xylophones").lines())
                .containsExactly(
                        "front@blue: table static, line 1, column 1: x..z=foo@red",
                        "foo@red: table static, line 1, column 14: n..z=bar@green",
                        "bar@green: table static, line 1, column 14: n..z=bar@green");
        Ended nowhere = blue.tryTo("bin/kv route Apples");
        assertThat(nowhere.status()).isNotZero();
        assertThat(nowhere.err()).contains("NOROUTE could not find entry for \"Apples\" in table");
    }

    @Test
    void aHostThatHangsLeavesItsRequestsUncertain() throws Exception {
        assertSilenceIsSurvived(red::pause, red::resume);
    }

    @Test
    void aHostThatIsTakenOffTheNetworkLeavesItsRequestsUncertain() throws Exception {
        assertSilenceIsSurvived(red::unplug, red::plugIn);
    }

    @Test
    void aHostBehindALinkThatLosesEverythingLeavesItsRequestsUncertain() throws Exception {
        assertSilenceIsSurvived(red::dropPackets, red::passPackets);
    }

    @Test
    void aHostThatHangsBehindAnotherIsTheOneThatIsNamed() throws Exception {
        try (LineClient client = blue.connect()) {
            // Opens the links of the I/O loop that serves this client.
            assertServedBy(green, client, "xylophones");
            green.pause();
            try {
                assertThat(client.ask("PUT xylophones k 1")).startsWith("ERROR UNCERTAIN bar@green ");
                Await.until(
                        "green is given up",
                        () -> client.ask("PUT xylophones k 2").startsWith("ERROR UNREACHABLE bar@green "));
                Ended route = blue.tryTo("bin/kv route xylophones");
                assertThat(route.status()).isNotZero();
                assertThat(route.out()).contains("front@blue: ", "foo@red: ").doesNotContain("bar@green: ");
                assertThat(route.err()).contains("UNREACHABLE ", "bar@green");
                assertReplies(client, "PUT apples k 3|GET apples k", "OK", "3", "OK");
            } finally {
                green.resume();
            }
            awaitServed(client, "xylophones");
            assertServedBy(green, client, "xylophones");
        }
    }

    @Test
    void aNodeThatIsKilledIsUnreachableAtOnceAndServedWhenItIsBack() throws Exception {
        try (LineClient client = blue.connect()) {
            assertServedBy(red, client, "apples");
            red.run("kill -KILL $(cat nodes/foo@red/pid)");
            try {
                Await.until(
                        "the end of red is known",
                        () -> client.ask("PUT apples k 1").startsWith("ERROR UNREACHABLE foo@red "));
                long start = System.nanoTime();
                assertThat(client.ask("PUT apples k 2")).matches("ERROR UNREACHABLE foo@red .* was not run");
                assertReplies(client, "PUT nuts k 2|GET nuts k", "OK", "2", "OK");
                assertThat(since(start)).isLessThan(TIMEOUT);
                assertThat(red.tryTo("bin/kv status").status()).isEqualTo(3);
            } finally {
                red.run("bin/kv start");
            }
            awaitServed(client, "apples");
            assertServedBy(red, client, "apples");
        }
    }

    @Test
    void aNodeThatStopsInOrderIsUnreachableAndServedWhenItIsBack() throws Exception {
        try (LineClient client = blue.connect()) {
            assertServedBy(green, client, "nuts");
            green.run("bin/kv stop");
            try {
                assertThat(client.ask("PUT nuts k 1")).matches("ERROR UNREACHABLE bar@green .* was not run");
            } finally {
                green.run("bin/kv start");
            }
            awaitServed(client, "nuts");
            assertServedBy(green, client, "nuts");
        }
    }
}
