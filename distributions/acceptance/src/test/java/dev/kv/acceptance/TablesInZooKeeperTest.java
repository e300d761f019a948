package dev.kv.acceptance;

import static dev.kv.acceptance.harness.Requests.awaitAnswer;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.Load;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.acceptance.harness.ZooKeeperProcess;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A real ZooKeeper server, its own command line and three nodes, each a process of the combined release. */
@Timeout(180)
class TablesInZooKeeperTest {
    private static final Duration IN_FORCE_MAX = Duration.ofSeconds(1);

    @TempDir
    private Path site;

    private final UnpackedRelease release = UnpackedRelease.of(Role.COMBINED);
    private final List<AutoCloseable> running = new ArrayList<>();
    private ZooKeeperProcess zookeeper;

    @BeforeEach
    void startZooKeeper() throws Exception {
        zookeeper = new ZooKeeperProcess(release, site);
        zookeeper.start();
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable one : running.reversed()) {
            one.close();
        }
        zookeeper.close();
    }

    private NodeProcess node(String name) throws Exception {
        NodeProcess node = new NodeProcess(release, site, name);
        node.set("kv.router.zookeeper.connect", zookeeper.address());
        node.set("kv.router.zookeeper.session-timeout", "4s");
        running.add(node);
        node.start();
        return node;
    }

    @Test
    void aTableSetWithZkCliIsAppliedByAllNodesUnderLoad() throws Exception {
        NodeProcess foo = node("foo");
        NodeProcess bar = node("bar");
        NodeProcess baz = node("baz");
        try (LineClient early = baz.connect()) {
            assertThat(early.ask("CREATE apples"))
                    .startsWith("ERROR NOROUTE no routing table yet: ")
                    .contains("/kv/table");
            zookeeper.ask("create", "/kv/table", "a..m=foo@h,n..z=bar@h");
            awaitAnswer(early, "CREATE apples", "OK");
        }
        List<Load> loads = new ArrayList<>();
        for (NodeProcess node : List.of(foo, bar, baz)) {
            for (String bucket : List.of("apples", "zebras")) {
                LineClient client = node.connect();
                running.add(client);
                awaitAnswer(client, "CREATE " + bucket + node.name().charAt(2), "OK");
                loads.add(Load.on(client, bucket + node.name().charAt(2)));
            }
        }
        for (String last : List.of("n..y", "k..y", "n..z")) {
            Await.until("load", () -> loads.stream().allMatch(Load::goesOn));
            String first = last.charAt(0) == 'k' ? "a..j" : "a..m";
            zookeeper.ask(
                    "set", "/kv/table", first + "=foo@h," + last + "=bar@h" + (last.endsWith("y") ? ",z*=bar@h" : ""));
            long start = System.nanoTime();
            Await.until(
                    "all nodes have the table",
                    () -> bar.kv("table", "wait", "--timeout", "1s").status() == 0);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(IN_FORCE_MAX.plusSeconds(4));
        }
        for (Load load : loads) {
            assertThat(load.stop()).isEmpty();
        }
    }

    @Test
    void aTableCutAtABlankIsRejectedByTheNodes() throws Exception {
        setUpTwoNodes();
        Ended set = Ended.of(
                "sh",
                "-c",
                zookeeper.program() + " -server " + zookeeper.address() + " set /kv/table a..m=foo@h, n..z=bar@h");
        assertThat(set.status()).isZero();

        Await.until(
                "the nodes refuse it", () -> zookeeper.get("/kv/nodes/foo@h").contains("\"state\":\"rejected\""));
        assertThat(zookeeper.get("/kv/nodes/foo@h"))
                .contains("line 1, column 11: expected an entry after this comma, found the end")
                .contains("was the table cut at a blank?");
        try (LineClient client = running(0).connect()) {
            assertThat(client.ask("CREATE nuts")).isEqualTo("OK");
        }
        assertThat(running(0).kv("status").out()).contains("rejected");
        assertThat(running(0).kv("table", "wait", "--timeout", "5s").status()).isNotZero();
    }

    @Test
    void malformedTablesAreRejectedWithTheReasonAndTheLastGoodOneStays() throws Exception {
        setUpTwoNodes();
        Map<String, String> reasons = new LinkedHashMap<>();
        reasons.put("a..m=foo@h1, n..z=bar@h2", "was the table cut at a blank?");
        reasons.put(",a..m=foo@h", "expected an entry, found a comma");
        reasons.put("'a..m=foo@h n..z=bar@h'", "expected a comma");
        reasons.put("m..a=foo@h", "from a lower byte to a higher one");
        reasons.put("a..m", "expected = after the range");
        reasons.put("a..m=foo", "expected @ and a host");
        reasons.put("a..m=foo@h:70000", "expected a port");
        reasons.put("ab=foo@h", "expected * after the prefix");
        reasons.put("a+=foo@h", "%2B");
        reasons.put("=foo@h", "expected a range");
        reasons.put("'# nothing'", "found an empty table");
        reasons.put("''", "found an empty table");

        NodeProcess foo = running(0);
        String good = foo.kv("table", "history").out();
        List<String> told = new ArrayList<>();
        Process terminal = terminal();
        try (Writer keys = terminal.outputWriter()) {
            for (String bad : reasons.keySet()) {
                keys.write("set /kv/table " + bad + "\n");
                keys.flush();
                told.add(reasons.get(bad));
                for (NodeProcess node : List.of(foo, running(1))) {
                    Await.until(
                            node.name() + " refuses " + bad,
                            () -> refusals(node).size() == told.size());
                }
            }
        }
        assertThat(terminal.waitFor()).isZero();
        for (NodeProcess node : List.of(foo, running(1))) {
            assertThat(refusals(node))
                    .zipSatisfy(told, (refusal, reason) -> assertThat(refusal).contains(": line 1, column ", reason));
        }
        Ended wait = foo.kv("table", "wait", "--timeout", "5s");
        assertThat(wait.status()).isEqualTo(3);
        assertThat(wait.out().lines()).hasSize(2);
        assertThat(zookeeper.get("/kv/nodes/foo@h"))
                .contains("\"state\":\"rejected\"", "\"reason\":\"line 1, column ", told.getLast());
        assertThat(foo.kv("table", "history").out()).isEqualTo(good);
        try (LineClient client = foo.connect()) {
            assertThat(client.ask("CREATE nuts")).isEqualTo("OK");
        }
    }

    private static List<String> refusals(NodeProcess node) throws Exception {
        return node.err()
                .lines()
                .filter(line -> line.contains("rejected the table"))
                .toList();
    }

    @Test
    void ofTwoConcurrentWritesOfTheTableOneFails() throws Exception {
        setUpTwoNodes();
        NodeProcess foo = running(0);
        String shown = foo.kv("table", "show").err();
        String expected = shown.replaceAll("(?s).*written by (0x[0-9a-f]+) .*", "$1");

        try (ExecutorService operators = Executors.newFixedThreadPool(2)) {
            List<Future<Ended>> sets = operators.invokeAll(List.of(
                    () -> foo.kv("table", "set", "*=foo@h", "--strand", "--expect", expected),
                    () -> foo.kv("table", "set", "*=bar@h", "--strand", "--expect", expected)));
            Ended first = sets.getFirst().get();
            Ended second = sets.getLast().get();

            boolean isFirst = first.status() == 0;
            Ended loser = isFirst ? second : first;
            assertThat(isFirst ? first : second).extracting(Ended::status).isEqualTo(0);
            assertThat(loser.status()).isEqualTo(4);
            assertThat(loser.complaints())
                    .singleElement()
                    .asString()
                    .containsAnyOf(
                            "/kv/table is not as expected: 0x",
                            "nothing written: /kv/table has changed in the meantime");
            assertThat(foo.kv("table", "show").out()).isEqualTo(isFirst ? "*=foo@h\n" : "*=bar@h\n");
        }
    }

    private NodeProcess running(int index) {
        return (NodeProcess) running.get(index);
    }

    private Process terminal() throws Exception {
        return zookeeper
                .commandLine()
                .redirectErrorStream(true)
                .redirectOutput(site.resolve("terminal.out").toFile())
                .start();
    }

    private void setUpTwoNodes() throws Exception {
        node("foo");
        node("bar");
        zookeeper.create("/kv/table", "a..m=foo@h,n..z=bar@h");
        try (LineClient client = running(0).connect()) {
            awaitAnswer(client, "CREATE nuts", "OK");
        }
    }

    @Test
    void zkCliWorksInteractively() throws Exception {
        setUpTwoNodes();
        Process terminal = terminal();
        try (Writer keys = terminal.outputWriter()) {
            keys.write("set /kv/table a..z=bar@h\nget /kv/table\nquit\n");
        }
        assertThat(terminal.waitFor()).isZero();
        assertThat(Files.readString(site.resolve("terminal.out"))).contains("a..z=bar@h");
        try (LineClient client = running(0).connect()) {
            Await.until("foo follows", () -> running(0).route("apples").contains("a..z=bar@h"));
            assertThat(client.ask("CREATE apples")).isEqualTo("OK");
        }
    }

    @Test
    void withoutZooKeeperRequestsAreServedAndANodeStartsWithTheTableOnItsDisk() throws Exception {
        setUpTwoNodes();
        LineClient client = running(0).connect();
        running.add(client);
        Load load = Load.on(client, "nuts");
        zookeeper.kill();

        NodeProcess bar = running(1);
        try (LineClient other = bar.connect()) {
            assertThat(other.ask("CREATE apples")).isEqualTo("OK");
        }
        NodeProcess foo = running(0);
        assertThat(load.stop()).isEmpty();
        foo.signal(Signal.TERM);
        assertThat(foo.awaitEnd()).isZero();
        foo.start();
        assertThat(foo.err()).contains("last good table", "may be old");
        foo.kv("status");
        try (LineClient again = foo.connect()) {
            assertThat(again.ask("CREATE apricots")).isEqualTo("OK");
            assertThat(again.ask("CREATE olives")).isEqualTo("OK");
        }

        zookeeper.start();
        zookeeper.set("/kv/table", "*=foo@h");
        Await.until(
                "foo is back", () -> foo.kv("table", "wait", "--timeout", "1s").status() == 0);
        assertThat(foo.kv("route", "zebras").out()).contains("*=foo@h");
    }

    @Test
    void nodesWithTablesOfTheirOwnMakeAPathOfSeveralHops() throws Exception {
        node("foo");
        node("bar");
        node("baz");
        zookeeper.create("/kv/table", "*=baz@h");
        zookeeper.create("/kv/tables/foo@h", "*=bar@h");
        NodeProcess foo = running(0);

        Await.until("foo has its own table", () -> foo.route("x").contains("baz@h"));
        assertThat(foo.kv("route", "x").out().lines())
                .satisfiesExactly(
                        hop -> assertThat(hop).startsWith("foo@h: table 0x").endsWith("*=bar@h"),
                        hop -> assertThat(hop).startsWith("bar@h: table 0x").endsWith("*=baz@h"),
                        hop -> assertThat(hop).startsWith("baz@h: table 0x").endsWith("*=baz@h"));

        zookeeper.create("/kv/tables/baz@h", "*=foo@h");
        try (LineClient client = foo.connect()) {
            awaitAnswer(client, "CREATE x", "ERROR CIRCLE foo@h -> bar@h -> baz@h -> foo@h");
        }
    }
}
