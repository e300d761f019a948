package dev.kv.acceptance;

import static dev.kv.acceptance.harness.Requests.awaitAnswer;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.FreePorts;
import dev.kv.acceptance.harness.Load;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.NodesWithZooKeeper;
import dev.kv.acceptance.harness.ZooKeeperProcess;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.Firewall;
import dev.kv.server.testing.LineClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What nodes make of a real ZooKeeper server that they cannot reach, that forgets them, or that is gone. */
@Timeout(180)
class ZooKeeperOutagesTest {
    private static final Duration PAUSE = Duration.ofMillis(8);
    private static final String HALVES = "a..m=foo@h,n..z=bar@h";

    @TempDir
    private Path site;

    private NodesWithZooKeeper nodes;
    private ZooKeeperProcess zookeeper;
    private Firewall firewall;

    @BeforeEach
    void startZooKeeper() throws Exception {
        nodes = new NodesWithZooKeeper(site);
        zookeeper = nodes.zookeeper();
        zookeeper.start();
        firewall = nodes.closing(new Firewall(zookeeper::port));
    }

    @AfterEach
    void stop() throws Exception {
        nodes.close();
    }

    private NodeProcess nodeBehindTheFirewall(String name) throws Exception {
        return nodes.node(site, name, "127.0.0.1:" + firewall.address().getPort());
    }

    private static void awaitEntry(NodeProcess node, String bucket, String entry) throws Exception {
        Await.until(bucket + " goes by " + entry, () -> node.route(bucket).contains(entry));
    }

    private boolean isRegistered(String node) throws Exception {
        return zookeeper.stat("/kv/nodes/" + node).isPresent();
    }

    @Test
    void aTableCreatedAgainWhileANodeWasCutOffIsApplied() throws Exception {
        zookeeper.create("/kv/table", HALVES);
        NodeProcess foo = nodeBehindTheFirewall("foo");
        // Longer than all that is typed here takes, so that the session and its watches live on.
        foo.set("kv.router.zookeeper.session-timeout", "30s");
        foo.start();
        awaitEntry(foo, "apples", "a..m=foo@h");

        firewall.silence();
        zookeeper.delete("/kv/table");
        zookeeper.create("/kv/table", "a..z=foo@h");
        assertThat(zookeeper.stat("/kv/table").orElseThrow().getVersion()).isZero();
        assertThat(isRegistered("foo@h")).isTrue();
        firewall.cut();
        firewall.open();

        awaitEntry(foo, "apples", "a..z=foo@h");
        assertThat(zookeeper.get("/kv/nodes/foo@h")).contains("\"state\":\"applied\"");
    }

    @Test
    void aNodeWhoseSessionExpiresServesRequestsAndRegistersAgain() throws Exception {
        NodeProcess foo = nodeBehindTheFirewall("foo");
        foo.start();
        zookeeper.create("/kv/table", HALVES);
        LineClient client = nodes.connect(foo);
        awaitAnswer(client, "CREATE apples", "OK");
        Load load = Load.on(client, "apples");

        firewall.silence();
        Await.until("the server forgets foo", () -> !isRegistered("foo@h"));
        zookeeper.set("/kv/table", "a..z=foo@h");
        firewall.cut();
        firewall.open();

        Await.until("foo is back", () -> isRegistered("foo@h"));
        awaitEntry(foo, "apples", "a..z=foo@h");
        assertThat(load.stop()).isEmpty();
        assertThat(foo.isAlive()).isTrue();
    }

    @Test
    void aNodePausedForLongerThanItsSessionAppliesTheTableThatIsThereThen() throws Exception {
        NodeProcess foo = nodeBehindTheFirewall("foo");
        foo.start();
        zookeeper.create("/kv/table", HALVES);
        awaitEntry(foo, "apples", "a..m=foo@h");
        String instance = Files.readString(foo.folder().resolve("instance")).strip();

        foo.signal(Signal.STOP);
        Await.until("the server forgets foo", () -> !isRegistered("foo@h"));
        zookeeper.set("/kv/table", "a..z=foo@h");
        foo.signal(Signal.CONT);

        awaitEntry(foo, "apples", "a..z=foo@h");
        Await.until("foo is back", () -> isRegistered("foo@h"));
        assertThat(zookeeper.get("/kv/nodes/foo@h")).contains(instance);
    }

    @Test
    void aFailureToConnectIsLoggedOnce() throws Exception {
        NodeProcess foo = nodes.node(site, "foo", zookeeper.address());
        foo.set("kv.router.zookeeper.client.\"zookeeper.clientCnxnSocket\"", "no.such.Class");
        // It waits some seconds for ZooKeeper, in which it tries again and again.
        foo.start();
        Await.until("foo runs", () -> foo.err().contains("foo@h runs: "));

        assertThat(foo.err().lines().filter(line -> line.contains(" ERROR "))).hasSize(1);
        assertThat(foo.err()).contains("no.such.Class");
    }

    @Test
    void requestsAreServedWhileZooKeeperIsDownForLongerThanASession() throws Exception {
        outage(Duration.ofSeconds(8));
    }

    @Test
    @Tag("soak")
    void requestsAreServedWhileZooKeeperIsDownForAMinute() throws Exception {
        outage(Duration.ofMinutes(1));
    }

    private void outage(Duration length) throws Exception {
        NodeProcess foo = nodes.node(site, "foo", zookeeper.address());
        NodeProcess bar = nodes.node(site, "bar", zookeeper.address());
        foo.start();
        bar.start();
        zookeeper.create("/kv/table", HALVES);
        LineClient ofFoo = nodes.connect(foo);
        LineClient ofBar = nodes.connect(bar);
        awaitAnswer(ofFoo, "CREATE apples", "OK");
        awaitAnswer(ofFoo, "CREATE nuts", "OK");
        awaitAnswer(ofBar, "CREATE avocados", "OK");
        awaitAnswer(ofBar, "CREATE oranges", "OK");
        List<Load> loads = List.of(
                Load.on(nodes.connect(foo), "apples"),
                Load.on(nodes.connect(foo), "nuts"),
                Load.on(nodes.connect(bar), "oranges"),
                Load.on(nodes.connect(bar), "avocados"));

        zookeeper.kill();
        long endNanos = System.nanoTime() + length.toNanos();
        while (System.nanoTime() - endNanos < 0) {
            assertThat(ofFoo.ask("CREATE olives")).isEqualTo("OK");
            assertThat(ofBar.ask("CREATE apricots")).isEqualTo("OK");
            LockSupport.parkNanos(PAUSE.toNanos());
        }
        assertThat(loads).allMatch(Load::goesOn);
        zookeeper.start();

        zookeeper.set("/kv/table", "apri*=bar@h," + HALVES);
        awaitEntry(foo, "apricots", "apri*=bar@h");
        awaitEntry(bar, "apricots", "apri*=bar@h");
        assertThat(foo.kv("table", "wait").status()).isZero();
        for (Load load : loads) {
            assertThat(load.stop()).isEmpty();
        }
    }

    @Test
    void aNodeThatRestartsAtAnotherPortIsFound() throws Exception {
        NodeProcess foo = nodes.node(site, "foo", zookeeper.address());
        NodeProcess bar = nodes.node(site, "bar", zookeeper.address());
        foo.start();
        bar.start();
        zookeeper.create("/kv/table", HALVES);
        LineClient client = nodes.connect(foo);
        awaitAnswer(client, "CREATE nuts", "OK");

        bar.kill();
        bar.set("kv.router.port", String.valueOf(FreePorts.next()));
        bar.start();
        awaitAnswer(client, "CREATE nuts", "OK");
    }

    @Test
    void requestsGoToTheNodeThatHasTakenAName() throws Exception {
        NodeProcess foo = nodes.node(site, "foo", zookeeper.address());
        NodeProcess old = nodeBehindTheFirewall("bar");
        foo.start();
        old.start();
        zookeeper.create("/kv/table", HALVES);
        LineClient client = nodes.connect(foo);
        awaitAnswer(client, "CREATE nuts", "OK");
        assertThat(client.ask("PUT nuts where old")).isEqualTo("OK");

        // The old one lives, and so does foo's link to it; only ZooKeeper does not hear of it any more.
        firewall.silence();
        NodeProcess fresh = nodes.node(Files.createDirectory(site.resolve("another host")), "bar", zookeeper.address());
        fresh.start();

        awaitAnswer(client, "GET nuts where", "NOT FOUND");
        try (LineClient ofOld = old.connect()) {
            assertThat(ofOld.ask("GET nuts where")).isEqualTo("old");
        }
    }
}
