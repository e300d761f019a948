package dev.kv.acceptance;

import static dev.kv.acceptance.harness.Requests.awaitAnswer;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.Load;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.NodesWithZooKeeper;
import dev.kv.acceptance.harness.ZooKeeperProcess;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A real ZooKeeper server, its own command line and three nodes, each a process of the combined release. All tests share them: whoever
 * needs a table begins with {@link #use}.
 */
@Timeout(180)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class TablesInZooKeeperTest {
    private static final String HALVES = "a..m=foo@h,n..z=bar@h";
    private static final Duration IN_FORCE_MAX = Duration.ofSeconds(1);

    @TempDir
    private static Path site;

    private static NodesWithZooKeeper nodes;
    private static ZooKeeperProcess zookeeper;
    private static NodeProcess foo;
    private static NodeProcess bar;
    private static NodeProcess baz;

    private final List<LineClient> clients = new ArrayList<>();

    @BeforeAll
    static void start() throws Exception {
        nodes = new NodesWithZooKeeper(site);
        zookeeper = nodes.zookeeper();
        zookeeper.start();
        foo = nodes.start("foo");
        bar = nodes.start("bar");
        baz = nodes.start("baz");
    }

    @AfterAll
    static void stop() throws Exception {
        nodes.close();
    }

    @AfterEach
    void closeClients() throws Exception {
        for (LineClient client : clients) {
            client.close();
        }
    }

    private LineClient connect(NodeProcess node) throws Exception {
        LineClient client = node.connect();
        clients.add(client);
        return client;
    }

    /** Writes the table for all nodes and waits until all have applied it. */
    private static void use(String table) throws Exception {
        if (zookeeper.stat("/kv/table").isPresent()) {
            zookeeper.set("/kv/table", table);
        } else {
            zookeeper.create("/kv/table", table);
        }
        assertThat(foo.kv("table", "wait").succeeded().status()).isZero();
    }

    /** Whether all nodes say in ZooKeeper that they have applied the table that is there now. */
    private static boolean haveAllApplied() throws Exception {
        String mzxid = "\"mzxid\":\"0x%x\""
                .formatted(zookeeper.stat("/kv/table").orElseThrow().getMzxid());
        for (NodeProcess node : List.of(foo, bar, baz)) {
            String document = zookeeper.get("/kv/nodes/" + node.name()).replaceAll("\\s", "");
            if (!document.contains(mzxid) || !document.contains("\"state\":\"applied\"")) {
                return false;
            }
        }
        return true;
    }

    private static void useHalves() throws Exception {
        use(HALVES);
        try (LineClient client = foo.connect()) {
            awaitAnswer(client, "CREATE nuts", "OK");
        }
    }

    /** The first, since its nodes have no table yet. */
    @Test
    @Order(1)
    void aTableSetWithZkCliIsAppliedByAllNodesUnderLoad() throws Exception {
        try (LineClient early = baz.connect()) {
            assertThat(early.ask("CREATE apples"))
                    .startsWith("ERROR NOROUTE no routing table yet: ")
                    .contains("/kv/table");
            zookeeper.ask("create", "/kv/table", HALVES);
            awaitAnswer(early, "CREATE apples", "OK");
        }
        List<Load> loads = new ArrayList<>();
        for (NodeProcess node : List.of(foo, bar, baz)) {
            for (String bucket : List.of("apples", "zebras")) {
                LineClient client = connect(node);
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
            // What `kv table wait` looks at, whose own start takes seconds on a busy machine.
            Await.until("all nodes have the table", TablesInZooKeeperTest::haveAllApplied);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(IN_FORCE_MAX.plusSeconds(4));
        }
        for (Load load : loads) {
            assertThat(load.stop()).isEmpty();
        }
    }

    @Test
    void aTableCutAtABlankIsRejectedByTheNodes() throws Exception {
        useHalves();
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
        try (LineClient client = foo.connect()) {
            assertThat(client.ask("CREATE nuts")).isEqualTo("OK");
        }
        assertThat(foo.kv("status").out()).contains("rejected");
        assertThat(foo.kv("table", "wait", "--timeout", "5s").status()).isNotZero();
    }

    @Test
    void malformedTablesAreRejectedWithTheReasonAndTheLastGoodOneStays() throws Exception {
        useHalves();
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

        List<NodeProcess> nodes = List.of(foo, bar, baz);
        String good = foo.kv("table", "history").out();
        Map<NodeProcess, Integer> before = new HashMap<>();
        for (NodeProcess node : nodes) {
            before.put(node, refusals(node).size());
        }
        List<String> told = new ArrayList<>();
        Process terminal = terminal();
        try (Writer keys = terminal.outputWriter()) {
            for (String bad : reasons.keySet()) {
                keys.write("set /kv/table " + bad + "\n");
                keys.flush();
                told.add(reasons.get(bad));
                for (NodeProcess node : nodes) {
                    Await.until(
                            node.name() + " refuses " + bad,
                            () -> refusals(node).size() == before.get(node) + told.size());
                }
            }
        }
        assertThat(terminal.waitFor()).isZero();
        for (NodeProcess node : nodes) {
            List<String> refusals = refusals(node);
            assertThat(refusals.subList(before.get(node), refusals.size()))
                    .zipSatisfy(told, (refusal, reason) -> assertThat(refusal).contains(": line 1, column ", reason));
        }
        Ended wait = foo.kv("table", "wait", "--timeout", "5s");
        assertThat(wait.status()).isEqualTo(3);
        assertThat(wait.out().lines()).hasSameSizeAs(nodes);
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
        useHalves();
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

    private Process terminal() throws Exception {
        return zookeeper
                .commandLine()
                .redirectErrorStream(true)
                .redirectOutput(site.resolve("terminal.out").toFile())
                .start();
    }

    @Test
    void zkCliWorksInteractively() throws Exception {
        useHalves();
        Process terminal = terminal();
        try (Writer keys = terminal.outputWriter()) {
            keys.write("set /kv/table a..z=bar@h\nget /kv/table\nquit\n");
        }
        assertThat(terminal.waitFor()).isZero();
        assertThat(Files.readString(site.resolve("terminal.out"))).contains("a..z=bar@h");
        try (LineClient client = foo.connect()) {
            Await.until("foo follows", () -> foo.route("apples").contains("a..z=bar@h"));
            assertThat(client.ask("CREATE apples")).isEqualTo("OK");
        }
    }

    @Test
    void withoutZooKeeperRequestsAreServedAndANodeStartsWithTheTableOnItsDisk() throws Exception {
        useHalves();
        Load load = Load.on(connect(foo), "nuts");
        zookeeper.kill();

        try (LineClient other = bar.connect()) {
            assertThat(other.ask("CREATE apples")).isEqualTo("OK");
        }
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
        use("*=baz@h");
        zookeeper.create("/kv/tables/foo@h", "*=bar@h");
        try {
            Await.until("foo has its own table", () -> foo.route("x").contains("*=bar@h"));
            assertThat(foo.kv("route", "x").out().lines())
                    .satisfiesExactly(
                            hop -> assertThat(hop).startsWith("foo@h: table 0x").endsWith("*=bar@h"),
                            hop -> assertThat(hop).startsWith("bar@h: table 0x").endsWith("*=baz@h"),
                            hop -> assertThat(hop).startsWith("baz@h: table 0x").endsWith("*=baz@h"));

            zookeeper.create("/kv/tables/baz@h", "*=foo@h");
            awaitAnswer(connect(foo), "CREATE x", "ERROR CIRCLE foo@h -> bar@h -> baz@h -> foo@h");
        } finally {
            for (String node : List.of("foo@h", "baz@h")) {
                if (zookeeper.stat("/kv/tables/" + node).isPresent()) {
                    zookeeper.delete("/kv/tables/" + node);
                }
            }
        }
    }
}
