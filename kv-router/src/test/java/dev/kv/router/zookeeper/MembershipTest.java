package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.config.BadStart;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.placement.Holding;
import dev.kv.router.placement.Misplaced;
import dev.kv.router.table.TableInForce;
import dev.kv.router.testing.Firewall;
import dev.kv.router.zookeeper.NodeDocument.State;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.test.TestingServer;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Nodes and a ZooKeeper server in one process, with a firewall between them; an operator is connected past it. */
@Timeout(60)
class MembershipTest {
    private static final Duration SESSION = Duration.ofSeconds(2);
    private static final Duration POLL = Duration.ofSeconds(20);
    private static final int DOCUMENT_MAX_BYTES = 64 * 1024;
    private static final int NODES_MAX = 20;
    private static final Znodes ZNODES = new Znodes("/kv");
    private static final String HALVES = "a..m=foo@h,n..z=bar@h";

    @TempDir
    Path folder;

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private final Map<Bytes, Long> buckets = new ConcurrentSkipListMap<>();
    private volatile Optional<Error> countFault = Optional.empty();
    private Duration poll = POLL;
    private TestingServer server;
    private Firewall firewall;
    private CuratorFramework operator;

    /** A node: its membership, and the table that it got last. */
    private final class Node implements AutoCloseable {
        private final Membership membership;
        private volatile TableInForce inForce;
        private volatile Optional<Error> fault = Optional.empty();

        Node(String name, String instance, Optional<String> auth) {
            ZooKeeperSettings settings = new ZooKeeperSettings(
                    firewall.address().getHostString() + ":"
                            + firewall.address().getPort(),
                    ZNODES,
                    SESSION,
                    poll,
                    DOCUMENT_MAX_BYTES,
                    NODES_MAX,
                    auth,
                    Map.of());
            Path own = folder.resolve(name);
            assertThat(own.toFile().mkdirs() || Files.isDirectory(own)).isTrue();
            membership = new Membership(
                    settings, new Membership.Self(name, "combined", "1.0", instance, own), 64 * 1024, visitor -> {
                        countFault.ifPresent(fault -> {
                            throw fault;
                        });
                        buckets.forEach(visitor);
                    });
            inForce = membership.begin();
            opened.push(this);
        }

        Node join() {
            membership.join("127.0.0.1:4041", this::follow, _ -> {});
            return this;
        }

        private void follow(TableInForce table) {
            if (fault.isPresent()) {
                throw fault.get();
            }
            inForce = table;
        }

        String table() {
            return inForce.table().toString();
        }

        Map<String, String> status() {
            return Metrics.texts(membership.metrics());
        }

        /** The document of a node in ZooKeeper. */
        NodeDocument says(String name) throws Exception {
            return NodeDocument.read(operator.getData().forPath(ZNODES.node(name)), DOCUMENT_MAX_BYTES);
        }

        @Override
        public void close() {
            membership.close();
        }
    }

    private Node node(String name) {
        return new Node(name, "instance of " + name, Optional.empty());
    }

    @BeforeEach
    void start() throws Exception {
        server = new TestingServer();
        opened.push(server);
        firewall = new Firewall(server::getPort);
        opened.push(firewall);
        operator = connect(server.getConnectString());
        operator.create().forPath("/kv");
    }

    private CuratorFramework connect(String servers) {
        CuratorFramework client = new ZooKeeperSettings(
                        servers, ZNODES, SESSION, POLL, DOCUMENT_MAX_BYTES, NODES_MAX, Optional.empty(), Map.of())
                .open();
        opened.push(client);
        return client;
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable one : opened) {
            one.close();
        }
    }

    private void create(String path, String text) throws Exception {
        operator.create().creatingParentsIfNeeded().forPath(path, text.getBytes(UTF_8));
    }

    private Stat set(String path, String text) throws Exception {
        return operator.setData().forPath(path, text.getBytes(UTF_8));
    }

    private static void await(BooleanSupplier condition) {
        long deadlineNanos = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("nothing came of it in time").isLessThan(deadlineNanos);
            Thread.onSpinWait();
        }
    }

    private static void awaitTable(Node node, String table) {
        await(() -> node.table().equals(table));
    }

    private NodeDocument awaitState(Node node, State state) {
        await(() -> node.membership
                .document()
                .filter(said -> said.table().state() == state)
                .isPresent());
        return node.membership.document().orElseThrow();
    }

    @Test
    void everyChangeOfTheTableIsInForceWithinASecond() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        assertThat(foo.table()).isEqualTo(HALVES);

        for (int i = 0; i < 20; i++) {
            String next = i % 2 == 0 ? "*=bar@h" : HALVES;
            long mzxid = set(ZNODES.table(), next).getMzxid();
            long start = System.nanoTime();
            await(() -> foo.inForce.version() == mzxid);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(1));
            assertThat(foo.table()).isEqualTo(next);
            assertThat(foo.inForce.source()).isEqualTo("/kv/table");
        }
    }

    @Test
    void aNodeRegistersTheStateOfItsTable() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();

        NodeDocument said = foo.says("foo@h");
        String mzxid = Znodes.hex(operator.checkExists().forPath(ZNODES.table()).getMzxid());
        assertThat(said.role()).isEqualTo("combined");
        assertThat(said.peer()).isEqualTo("127.0.0.1:4041");
        assertThat(said.table().state()).isEqualTo(State.APPLIED);
        assertThat(Znodes.hex(said.table().mzxid())).isEqualTo(mzxid);
        assertThat(said.table().warnings()).contains("nobody has seen the node bar@h");
        assertThat(said.inForce())
                .map(NodeDocument.InForce::sha256)
                .contains(said.table().sha256());
        assertThat(new String(operator.getData().forPath(ZNODES.node("foo@h")), UTF_8))
                .doesNotContain("\n")
                .contains("\"mzxid\":\"" + mzxid + "\"");
        assertThat(new String(
                        operator.getData().forPath(ZNODES.historyOf(said.table().mzxid())), UTF_8))
                .contains("\"path\":\"/kv/table\"", "\"text\":\"" + HALVES + "\"");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
            a..m=foo@h,           | expected an entry after this comma, found the end: was the table cut at a blank?
            ,a..m=foo@h           | expected an entry, found a comma
            a..m=foo@h n..z=bar@h | expected a comma
            m..a=foo@h            | from a lower byte to a higher one
            a..m                  | expected = after the range
            a..m=foo              | expected @ and a host
            a..m=foo@h:70000      | expected a port
            ab=foo@h              | expected * after the prefix
            ä=foo@h               | %C3%A4
            # nothing             | found an empty table
            *                     | expected = after the range
            =foo@h                | expected a range
            """)
    void aTableThatIsRefusedLeavesTheLastGoodOneInForce(String text, String reason) throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        long mzxid = set(ZNODES.table(), text).getMzxid();

        NodeDocument said = awaitState(foo, State.REJECTED);
        assertThat(said.table().reason()).contains("line 1, column ", reason);
        assertThat(said.table().mzxid()).isEqualTo(mzxid);
        assertThat(said.inForce()).map(NodeDocument.InForce::mzxid).contains(foo.inForce.version());
        assertThat(foo.table()).isEqualTo(HALVES);

        set(ZNODES.table(), "*=bar@h");
        awaitTable(foo, "*=bar@h");
        awaitState(foo, State.APPLIED);
    }

    @Test
    void anEmptyOrTooLargeTableIsRefused() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        set(ZNODES.table(), "");
        assertThat(awaitState(foo, State.REJECTED).table().reason()).contains("found an empty table");

        set(ZNODES.table(), "#".repeat(64 * 1024 + 1));
        await(() -> foo.membership.document().orElseThrow().table().reason().contains("kv.router.table-max"));
        assertThat(foo.table()).isEqualTo(HALVES);
    }

    @Test
    void requestsFailUntilThereIsATable() throws Exception {
        Node foo = node("foo@h").join();
        assertThat(foo.inForce.absence()).contains("/kv/table does not exist");
        assertThat(foo.membership.document().orElseThrow().table().state()).isEqualTo(State.MISSING);

        create(ZNODES.table(), HALVES);
        awaitTable(foo, HALVES);
        assertThat(foo.inForce.absence()).isEmpty();
    }

    @Test
    void aDeletedTableStaysInForceAcrossRestarts() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        operator.delete().forPath(ZNODES.table());
        awaitState(foo, State.MISSING);
        assertThat(foo.table()).isEqualTo(HALVES);
        long version = foo.inForce.version();
        foo.close();

        Node again = node("foo@h").join();
        assertThat(again.table()).isEqualTo(HALVES);
        assertThat(again.inForce.version()).isEqualTo(version);
    }

    @Test
    void aNodesOwnTableReplacesTheCommonOne() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        Node bar = node("bar@h").join();

        create(ZNODES.tableOf("bar@h"), "*=foo@h");
        awaitTable(bar, "*=foo@h");
        assertThat(bar.inForce.source()).isEqualTo("/kv/tables/bar@h");
        assertThat(foo.table()).isEqualTo(HALVES);

        set(ZNODES.table(), "*=bar@h");
        awaitTable(foo, "*=bar@h");
        assertThat(bar.table()).isEqualTo("*=foo@h");

        operator.delete().forPath(ZNODES.tableOf("bar@h"));
        awaitTable(bar, "*=bar@h");
    }

    @Test
    void aTableThatWasCreatedAgainWhileTheNodeWasCutOffIsApplied() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        firewall.silence();
        operator.delete().forPath(ZNODES.table());
        create(ZNODES.table(), "*=bar@h");
        assertThat(operator.checkExists().forPath(ZNODES.table()).getVersion()).isZero();
        firewall.cut();
        firewall.open();

        awaitTable(foo, "*=bar@h");
    }

    @Test
    void withoutZooKeeperTheLastGoodTableStaysInForce() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        server.stop();
        firewall.cut();
        assertThat(foo.table()).isEqualTo(HALVES);

        Node bar = node("bar@h");
        assertThat(bar.inForce.absence()).contains("has not been read");
        Node again = node("foo@h");
        assertThat(again.table()).as("the copy on disk").isEqualTo(HALVES);

        server.restart();
        set(ZNODES.table(), "*=bar@h");
        awaitTable(foo, "*=bar@h");
    }

    @Test
    void aNodeStartsWithoutZooKeeperAndFindsItLater() throws Exception {
        create(ZNODES.table(), HALVES);
        node("foo@h").join().close();
        server.stop();

        Node foo = node("foo@h").join();
        assertThat(foo.table()).isEqualTo(HALVES);
        server.restart();
        set(ZNODES.table(), "*=bar@h");
        awaitTable(foo, "*=bar@h");
        await(() -> exists(ZNODES.node("foo@h")));
    }

    @Test
    void aCopyOnDiskThatIsNoFileIsReplaced() throws Exception {
        create(ZNODES.table(), HALVES);
        Path own = Files.createDirectories(folder.resolve("foo@h"));
        List<Path> copies = List.of(own.resolve("table"), own.resolve("addresses"));
        for (Path copy : copies) {
            assertThat(new ProcessBuilder("mkfifo", copy.toString()).start().waitFor())
                    .isZero();
        }

        Node foo = node("foo@h").join();

        assertThat(foo.table()).isEqualTo(HALVES);
        await(() -> copies.stream().allMatch(Files::isRegularFile));
    }

    @ParameterizedTest
    @CsvSource({
        "table,a start without ZooKeeper would take an older table",
        "addresses,would look for nodes where they were"
    })
    void aFailedWriteToDiskIsReportedAndRetried(String name, String otherwise) throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h");
        Path inTheWay = Files.createDirectory(folder.resolve("foo@h").resolve(name + ".new"));
        foo.join();
        assertThat(foo.table()).isEqualTo(HALVES);
        assertThat(foo.status().get("unwritten"))
                .contains(folder.resolve("foo@h").resolve(name) + " cannot be written: ", otherwise);

        Files.delete(inTheWay);
        node("bar@h").join();
        await(() ->
                foo.membership.addressOf("foo@h").isPresent() && !foo.status().containsKey("unwritten"));
        server.stop();
        Node again = node("foo@h");
        assertThat(again.table()).isEqualTo(HALVES);
        assertThat(again.membership.addressOf("foo@h")).isPresent();
    }

    @Test
    void theStatusShowsSinceWhenZooKeeperDoesNotAnswer() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        assertThat(foo.status())
                .containsEntry("state", "connected")
                .containsEntry("table", "applied " + Znodes.hex(foo.inForce.version()));

        server.stop();
        firewall.cut();
        await(() -> foo.status().get("state").matches("does not answer: [A-Z]+, since \\S+Z"));

        server.restart();
        await(() -> foo.status().get("state").equals("connected"));
    }

    @Test
    void theStatusShowsThatTheNodeMayNotWrite() throws Exception {
        create(ZNODES.table(), HALVES);
        new Node("foo@h", "instance", Optional.of("kv:secret")).join();
        Node bar = new Node("bar@h", "another instance", Optional.of("kv:wrong")).join();

        assertThat(bar.table()).isEqualTo(HALVES);
        assertThat(bar.status().get("state"))
                .startsWith("refuses what this node wants to read or write there (kv.router.zookeeper.auth): ")
                .contains("NoAuth");
    }

    @Test
    void theStatusShowsThatAnotherNodeHasTheName() throws Exception {
        create(ZNODES.table(), HALVES);
        Node first = node("foo@h").join();
        firewall.silence();
        await(() -> !exists(ZNODES.node("foo@h")));
        operator.create().forPath(ZNODES.node("foo@h"), "{}".getBytes(UTF_8));
        firewall.cut();
        firewall.open();

        await(() -> first.status().get("state").equals("another node is registered as foo@h, at an unknown address"));
        assertThat(first.table()).isEqualTo(HALVES);
    }

    private boolean exists(String path) {
        try {
            return operator.checkExists().forPath(path) != null;
        } catch (Exception e) {
            return false;
        }
    }

    @Test
    void afterItsSessionHasExpiredANodeRegistersAgain() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        firewall.silence();
        await(() -> !exists(ZNODES.node("foo@h")));
        firewall.cut();
        firewall.open();

        await(() -> exists(ZNODES.node("foo@h")));
        set(ZNODES.table(), "*=bar@h");
        awaitTable(foo, "*=bar@h");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{}", "garbage"})
    void aNodesDocumentIsRestoredWhenOthersOverwriteIt(String text) throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        for (int i = 0; i < 3; i++) {
            set(ZNODES.node("foo@h"), text);
            await(() -> isRegistered("foo@h"));
            assertThat(foo.says("foo@h")).isEqualTo(foo.membership.document().orElseThrow());
        }
    }

    private boolean isRegistered(String name) {
        try {
            return NodeDocument.read(operator.getData().forPath(ZNODES.node(name)), DOCUMENT_MAX_BYTES) != null;
        } catch (Exception e) {
            return false;
        }
    }

    /** Registers a node and cuts it off, as if its host had failed; the nodes after it have a firewall of their own. */
    private void letANodeDie(String name) throws Exception {
        create(ZNODES.table(), HALVES);
        assertThat(node(name).join().table()).isEqualTo(HALVES);
        firewall.silence();
        firewall = new Firewall(server::getPort);
        opened.push(firewall);
    }

    @Test
    void theSameInstanceTakesItsNameOverAtOnce() throws Exception {
        letANodeDie("foo@h");

        long start = System.nanoTime();
        Node foo = node("foo@h").join();
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(SESSION);
        assertThat(foo.says("foo@h").instance()).isEqualTo("instance of foo@h");
    }

    @Test
    void anotherInstanceOfTheNameIsRefusedWithTheAddressOfTheFirst() throws Exception {
        create(ZNODES.table(), HALVES);
        Node first = node("foo@h").join();
        Node second = new Node("foo@h", "another instance", Optional.empty());

        assertThatThrownBy(second::join)
                .isInstanceOf(BadStart.class)
                .hasMessageContaining("another node is registered as foo@h, at 127.0.0.1:4041");
        assertThat(first.says("foo@h").instance()).isEqualTo("instance of foo@h");
    }

    @Test
    void anotherInstanceWaitsForTheNameOfOneThatDied() throws Exception {
        letANodeDie("foo@h");

        Node foo = new Node("foo@h", "another instance", Optional.empty()).join();
        assertThat(foo.says("foo@h").instance()).isEqualTo("another instance");
    }

    @Test
    void nodesKnowTheAddressesOfTheOthers() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        assertThat(foo.membership.addressOf("bar@h")).isEmpty();
        node("bar@h").join();

        await(() -> foo.membership.addressOf("bar@h").isPresent());
        assertThat(foo.membership.addressOf("bar@h").orElseThrow().getPort()).isEqualTo(4041);
        await(() -> !foo.membership
                .document()
                .orElseThrow()
                .table()
                .warnings()
                .toString()
                .contains("bar@h"));
    }

    private static Stream<Arguments> documents() {
        String other = "{\"role\":1}";
        return Stream.of(
                Arguments.of("[".repeat(5000), "more than 16 levels deep"),
                Arguments.of("{\"a\":".repeat(5000), "more than 16 levels deep"),
                Arguments.of("{\"a\":\"\"\"\\\"\"\",\"b\":" + "[".repeat(5000), "a text behind a text"),
                Arguments.of("]".repeat(5000) + "[".repeat(5000), "more than 16 levels deep"),
                Arguments.of(" ".repeat(DOCUMENT_MAX_BYTES + 1), "65537 bytes, at most 65536 are read"),
                Arguments.of("", "Empty document"),
                Arguments.of("null", "null"),
                Arguments.of("[]", "object"),
                Arguments.of("\0\uFFFF", ""),
                Arguments.of(other, "No configuration setting found for key"),
                Arguments.of(document("127.0.0.1:4041", "1e999999"), "1e999999"),
                Arguments.of(document("nowhere", "0x5"), "its peer is not host:port"));
    }

    private static String document(String peer, String mzxid) {
        return """
                {"role": "combined", "version": "1.0.0", "instance": "i", "peer": "%s", "client": "", "holds": [],
                 "misplaced": {"buckets": 0, "bytes": 0, "names": []},
                 "table": {"source": "/kv/table", "mzxid": "%s", "sha256": "", "state": "applied", "reason": "",
                           "warnings": [], "since": ""}}
                """.formatted(peer, mzxid);
    }

    @ParameterizedTest
    @MethodSource("documents")
    void aDocumentThatCannotBeReadIsIgnoredAndTheRestOfTheRoundGoesOn(String text, String why) throws Exception {
        create(ZNODES.table(), HALVES);
        create(ZNODES.node("evil@h"), text);
        Node foo = node("foo@h").join();
        node("bar@h").join();

        await(() -> foo.membership.addressOf("bar@h").isPresent());
        assertThat(foo.membership.addressOf("evil@h")).isEmpty();
        assertThat(foo.status()).containsEntry("state", "connected");
        assertThat(foo.status().get("ignored")).startsWith("/kv/nodes/evil@h: ").contains(why);

        set(ZNODES.node("evil@h"), document("127.0.0.1:1", "0x5"));
        set(ZNODES.table(), "*=bar@h");
        awaitTable(foo, "*=bar@h");
        await(() -> !foo.status().containsKey("ignored"));
        assertThat(foo.membership.addressOf("evil@h")).isPresent();
    }

    @Test
    void aZnodeWithoutDataIsIgnored() throws Exception {
        create(ZNODES.table(), HALVES);
        operator.create().creatingParentsIfNeeded().forPath(ZNODES.node("evil@h"), null);
        operator.create().creatingParentsIfNeeded().forPath(ZNODES.tableOf("bar@h"), null);
        Node foo = node("foo@h").join();
        Node bar = node("bar@h").join();

        assertThat(foo.status()).containsEntry("state", "connected");
        assertThat(awaitState(bar, State.REJECTED).table().reason()).contains("found an empty table");
    }

    @Test
    void childrenThatAreNoNodesOrTooManyAreIgnoredAndThoseOfTheTableAreRead() throws Exception {
        create(ZNODES.table(), "a..m=foo@h,n..z=zoe@h");
        for (int i = 0; i < NODES_MAX; i++) {
            create(ZNODES.node("n" + i + "@h"), document("127.0.0.1:1", "0x5"));
        }
        create(ZNODES.node("no node"), "x");
        create(ZNODES.node("zoe@h"), document("127.0.0.1:2", "0x5"));
        Node foo = node("foo@h").join();

        assertThat(foo.status().get("ignored"))
                .contains(
                        "/kv/nodes/no node: this is no node's name",
                        "/kv/nodes: it has 21 nodes, 20 are read (kv.router.zookeeper.nodes-max)");
        assertThat(foo.membership.addressOf("zoe@h")).isPresent();
        assertThat(foo.membership.addressOf("n0@h")).isPresent();
    }

    @Test
    void roundsGoOnWithoutAListOfNodesThatIsTooLong() throws Exception {
        poll = Duration.ofSeconds(2);
        create(ZNODES.table(), HALVES);
        List<String> names = List.of("x".repeat(600_000), "y".repeat(600_000));
        for (String name : names) {
            create(ZNODES.node(name), "");
        }
        Node foo = node("foo@h").join();

        await(() -> exists(ZNODES.node("foo@h")));
        await(() -> foo.status()
                .getOrDefault("ignored", "")
                .startsWith("/kv/nodes: the connection was lost over its list: "));
        set(ZNODES.table(), "*=bar@h");
        awaitTable(foo, "*=bar@h");
        for (String name : names) {
            operator.delete().forPath(ZNODES.node(name));
        }
        node("bar@h").join();
        await(() ->
                foo.membership.addressOf("bar@h").isPresent() && !foo.status().containsKey("ignored"));
    }

    @Test
    void aTableThatIsTooLargeForTheHistoryIsAppliedAndReported() throws Exception {
        String large = HALVES + "\n#" + "\t".repeat(DOCUMENT_MAX_BYTES * 2 / 3);
        create(ZNODES.table(), large);
        Node foo = node("foo@h").join();

        assertThat(foo.table()).isEqualTo(HALVES);
        assertThat(foo.says("foo@h").table().state()).isEqualTo(State.APPLIED);
        assertThat(foo.status().get("ignored"))
                .startsWith(ZNODES.historyOf(foo.inForce.version()) + ": ")
                .contains("kv.router.zookeeper.document-max");
    }

    @Test
    void aDocumentThatWouldBeTooLargeOmitsTheHoldings() throws Exception {
        create(
                ZNODES.table(),
                IntStream.range(1000, 3000)
                        .mapToObj(i -> "bucket-" + i + "*=foo@h")
                        .collect(Collectors.joining(",")));
        Node foo = node("foo@h").join();

        NodeDocument said = foo.says("foo@h");
        assertThat(said.holds()).isEmpty();
        assertThat(said.table().warnings().getLast())
                .startsWith("what this node holds is not told: ")
                .endsWith("(kv.router.zookeeper.document-max)");
    }

    @Test
    void aFailedRoundIsReportedAndRetried() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h");
        foo.fault = Optional.of(new StackOverflowError("deep"));
        foo.join();
        await(() -> foo.status()
                .get("state")
                .matches("cannot be followed: java.lang.StackOverflowError: deep, since \\S+Z"));

        foo.fault = Optional.empty();
        awaitTable(foo, HALVES);
        await(() -> foo.status().get("state").equals("connected"));
    }

    @Test
    void theTableIsFollowedWhenCountingFails() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        countFault = Optional.of(new StackOverflowError("deep"));
        await(() -> foo.status().get("state").startsWith("cannot be followed: "));

        set(ZNODES.table(), "*=foo@h");
        awaitTable(foo, "*=foo@h");
        countFault = Optional.empty();
        await(() -> foo.status().get("state").equals("connected"));
    }

    @Test
    void theStatusShowsThatTheThreadHasEnded() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("kv-zookeeper"))
                .forEach(Thread::interrupt);

        await(() -> foo.status()
                .get("state")
                .startsWith("is no longer followed: the thread that does it has ended; restart this node, since "));
    }

    @Test
    void bucketsAreCountedByEntryAndMisplacedOnesReported() throws Exception {
        create(ZNODES.table(), "a*=foo@h,*=bar@h");
        buckets.put(Bytes.of("apples"), 100L);
        buckets.put(Bytes.of("avocados"), 50L);
        buckets.put(Bytes.of("nuts"), 7L);
        Node foo = node("foo@h").join();

        NodeDocument said = foo.says("foo@h");
        assertThat(said.holds()).containsExactly(new Holding("a*=foo@h", 2, 150));
        assertThat(said.misplaced()).isEqualTo(new Misplaced(1, 7, List.of("nuts")));
        assertThat(said.table().warnings())
                .contains("misplaced here: 1 bucket (7 bytes) that this table sends elsewhere");
        assertThat(foo.status()).containsEntry("misplaced", "1 bucket (7 bytes): nuts");

        set(ZNODES.table(), "*=bar@h");
        await(() -> foo.membership.document().orElseThrow().misplaced().buckets() == 3);
        assertThat(foo.membership.document().orElseThrow().table().warnings())
                .contains("misplaced here: 3 buckets (157 bytes) that this table sends elsewhere");
        set(ZNODES.table(), "*=foo@h");
        await(() -> foo.membership.document().orElseThrow().misplaced().buckets() == 0);
    }

    @Test
    void newAndDroppedBucketsAreReportedWithinSeconds() throws Exception {
        create(ZNODES.table(), "*=foo@h");
        Node foo = node("foo@h").join();
        for (List<Holding> held :
                List.of(List.of(new Holding("*=foo@h", 1, 100)), List.of(new Holding("*=foo@h", 0, 0)))) {
            if (buckets.remove(Bytes.of("apples")) == null) {
                buckets.put(Bytes.of("apples"), 100L);
            }
            long start = System.nanoTime();
            while (!foo.says("foo@h").holds().equals(held)) {
                assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(POLL.dividedBy(2));
            }
        }
    }

    @Test
    void countingAMillionBucketsDoesNotDelayTheNextTable() throws Exception {
        for (int i = 0; i < 1_000_000; i++) {
            buckets.put(Bytes.of("bucket-" + i), 300L);
        }
        create(ZNODES.table(), "*=foo@h");
        Node foo = node("foo@h").join();
        assertThat(foo.says("foo@h").holds()).containsExactly(new Holding("*=foo@h", 1_000_000, 300_000_000));

        String prefixes = IntStream.range(1000, 3000)
                .mapToObj(i -> "bucket-x" + i + "*=bar@h,")
                .collect(Collectors.joining());
        set(ZNODES.table(), prefixes + "*=foo@h");
        await(() -> foo.table().startsWith(prefixes));
        long mzxid = set(ZNODES.table(), "*=bar@h").getMzxid();
        long start = System.nanoTime();
        await(() -> foo.inForce.version() == mzxid);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(1));
        await(() -> foo.membership.document().orElseThrow().misplaced().buckets() == 1_000_000);
    }

    @Test
    void theHistoryKeepsTheLastThousandTables() throws Exception {
        for (int i = 1; i <= 1003; i++) {
            create(ZNODES.historyOf(i), "{}");
        }
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        assertThat(foo.table()).isEqualTo(HALVES);

        List<String> history = operator.getChildren().forPath(ZNODES.history()).stream()
                .sorted()
                .toList();
        assertThat(history).hasSize(1000);
        assertThat(history.getFirst()).isEqualTo("%016x".formatted(5));
        assertThat(ZNODES.history() + "/" + history.getLast()).isEqualTo(ZNODES.historyOf(foo.inForce.version()));
    }

    @Test
    void znodesOfANodeWithAnIdentityAreWritableOnlyByIt() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = new Node("foo@h", "instance", Optional.of("kv:secret")).join();
        assertThat(foo.table()).isEqualTo(HALVES);

        assertThat(operator.getData().forPath(ZNODES.node("foo@h"))).isNotEmpty();
        assertThatThrownBy(() -> operator.setData().forPath(ZNODES.node("foo@h"), new byte[0]))
                .isInstanceOf(KeeperException.NoAuthException.class);
        assertThatThrownBy(() -> operator.create().forPath(ZNODES.nodes() + "/evil@h"))
                .isInstanceOf(KeeperException.NoAuthException.class);
    }
}
