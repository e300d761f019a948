package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kv.router.Bytes;
import dev.kv.router.zookeeper.Membership;
import dev.kv.router.zookeeper.Znodes;
import dev.kv.router.zookeeper.ZooKeeperSettings;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.test.TestingServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The table commands, with a ZooKeeper server and nodes in this process. */
@Timeout(60)
class TableCommandsTest {
    private static final String HALVES = "a..m=foo@h,n..z=bar@h";
    private static final String SHIFTED = "a..f=foo@h,g..z=bar@h";

    @TempDir
    private Path folder;

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private TestingServer server;
    private CuratorFramework raw;

    /** The outcome of a command. */
    private record Outcome(int status, String out, String err) {
        Config json() {
            return ConfigFactory.parseString("it: " + out);
        }
    }

    @BeforeEach
    void start() throws Exception {
        server = new TestingServer();
        opened.push(server);
        raw = CuratorFrameworkFactory.newClient(server.getConnectString(), new RetryOneTime(100));
        opened.push(raw);
        raw.start();
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable resource : opened) {
            resource.close();
        }
    }

    private Outcome kv(String... words) {
        return kvOn(server.getConnectString(), words);
    }

    private static Outcome kvOn(String connect, String... words) {
        List<String> all = new ArrayList<>(Arrays.asList(words));
        all.add("-Dkv.router.zookeeper.connect=" + connect);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        PrintStream oldOut = System.out;
        PrintStream oldErr = System.err;
        System.setOut(new PrintStream(out, true, UTF_8));
        System.setErr(new PrintStream(err, true, UTF_8));
        try {
            int status = Main.commandLine().execute(all.toArray(String[]::new));
            return new Outcome(status, out.toString(UTF_8), err.toString(UTF_8));
        } finally {
            System.setOut(oldOut);
            System.setErr(oldErr);
        }
    }

    /** A node that follows its table and holds buckets. */
    private void node(String name, String role, Map<String, Long> buckets) throws Exception {
        ZooKeeperSettings settings = new ZooKeeperSettings(
                server.getConnectString(),
                new Znodes("/kv"),
                Duration.ofSeconds(5),
                Duration.ofSeconds(1),
                512 * 1024,
                1000,
                Optional.empty(),
                Map.of());
        Path own = Files.createDirectory(folder.resolve(name));
        Membership membership = new Membership(
                settings,
                new Membership.Self(name, role, "1.0", "instance of " + name, own),
                64 * 1024,
                visitor -> buckets.forEach((bucket, bytes) -> visitor.accept(Bytes.of(bucket), bytes)));
        membership.begin();
        membership.join("127.0.0.1:4041", _ -> {}, _ -> {});
        opened.push(membership);
    }

    @ParameterizedTest
    @CsvSource({"127.0.0.1:port", "127.0.0.1:70000", "','", "127.0.0.1:2181/a//b"})
    void malformedServersAreReportedAtOnce(String connect) {
        assertThat(kvOn(connect, "nodes"))
                .isEqualTo(new Outcome(
                        1,
                        "",
                        "kv: kv.router.zookeeper.connect = \"%s\" (-Dkv.router.zookeeper.connect): expected host:port,host:port\n"
                                .formatted(connect)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"-5s", "soon"})
    void aMalformedTimeoutIsRefused(String timeout) {
        Outcome wait = kv("table", "wait", "--timeout", timeout);
        assertThat(wait.status()).isEqualTo(2);
        assertThat(wait.err()).contains("--timeout " + timeout + ": expected a duration such as 30s");
    }

    private void node(String name) throws Exception {
        node(name, "combined", Map.of());
    }

    private String mzxid(String path) throws Exception {
        return "0x" + Long.toHexString(raw.checkExists().forPath(path).getMzxid());
    }

    private String table() throws Exception {
        return new String(raw.getData().forPath("/kv/table"), UTF_8);
    }

    @Test
    void theFirstTableIsCreatedAndAllItsBucketsAreNew() throws Exception {
        Outcome set = kv("table", "set", HALVES);

        assertThat(table()).isEqualTo(HALVES);
        assertThat(set.err()).isEmpty();
        assertThat(set.status()).isZero();
        assertThat(set.out().lines())
                .contains(
                        "warning: nobody has seen the node foo@h",
                        "a..m  nobody -> foo@h",
                        "n..z  nobody -> bar@h",
                        "/kv/table is " + mzxid("/kv/table") + " now");
    }

    @Test
    void aChangeListsTheBucketsThatMoveFromNodeToNode() throws Exception {
        node("foo@h");
        node("bar@h", "server", Map.of());
        kv("table", "set", HALVES);
        String before = mzxid("/kv/table");

        Outcome set = kv("table", "set", SHIFTED, "--json");

        Config it = set.json().getConfig("it");
        assertThat(set.status()).isZero();
        assertThat(it.getString("before")).isEqualTo(before);
        assertThat(it.getString("mzxid")).isEqualTo(mzxid("/kv/table"));
        assertThat(it.getStringList("warnings")).contains("bar@h keeps no data (server release)");
        assertThat(it.getList("moves").unwrapped())
                .isEqualTo(List.of(Map.of("range", "g..m", "from", "foo@h", "to", "bar@h")));
    }

    @Test
    void aTableIsReadFromAFileOrFromStandardInputWithItsComments() throws Exception {
        String text = "# two halves\na..m=foo@h\nn..z=bar@h\n";
        Path file = Files.writeString(folder.resolve("a=b"), text);
        assertThat(kv("table", "set", file.toString()).status()).isZero();
        assertThat(table()).isEqualTo(text);

        InputStream in = System.in;
        System.setIn(new ByteArrayInputStream("*=foo@h\n".getBytes(UTF_8)));
        try {
            assertThat(kv("table", "set", "-").status()).isZero();
        } finally {
            System.setIn(in);
        }
        assertThat(table()).isEqualTo("*=foo@h\n");

        Outcome show = kv("table", "show");
        assertThat(show.out()).isEqualTo("*=foo@h\n");
        assertThat(show.err()).startsWith("/kv/table, written by " + mzxid("/kv/table") + " at ");
        assertThat(kv("table", "set", "no-such-file"))
                .isEqualTo(new Outcome(1, "", "kv: no-such-file cannot be read: no such file or folder\n"));
        assertThat(kv("table", "set", ""))
                .isEqualTo(new Outcome(
                        1,
                        "",
                        "kv: expected a file, - or a table such as a..m=foo@red,n..z=bar@blue, found an empty word\n"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            'a..m=foo@h,'       | line 1, column 11: expected
            'z..a=foo@h'        | line 1, column 1
            'a..m=foo'          | line 1, column
            'a=foo@h, b=bar@h'  | line 1, column
            '# a=foo@h'         | expected an entry, found an empty table
            """)
    void aTableThatNodesWouldRefuseIsNotWritten(String text, String reason) throws Exception {
        kv("table", "set", HALVES);

        for (String command : List.of("check", "set")) {
            Outcome outcome = kv("table", command, text);

            assertThat(outcome.status()).isEqualTo(3);
            assertThat(outcome.out()).isEmpty();
            assertThat(outcome.err())
                    .startsWith("kv: the table: ")
                    .contains(reason)
                    .hasLineCount(1);
        }
        assertThat(table()).isEqualTo(HALVES);
    }

    @Test
    void aCheckPrintsWarningsAndChangesNothing() throws Exception {
        node("front@h", "server", Map.of());

        Outcome check = kv("table", "check", "a=front@h,a=foo@h");

        assertThat(check.status()).isZero();
        assertThat(check.out())
                .contains(
                        "can never match", "front@h keeps no data (server release)", "nobody has seen the node foo@h");
        assertThat(raw.checkExists().forPath("/kv/table")).isNull();
        assertThat(kvOn("", "table", "check", "a=foo@h").status()).isZero();
    }

    @Test
    void anUnexpectedTableIsNotReplaced() throws Exception {
        assertThat(kv("table", "set", HALVES, "--expect", "0x1").status()).isEqualTo(4);
        assertThat(kv("table", "set", HALVES, "--expect", "0x0").status()).isZero();

        Outcome again = kv("table", "set", SHIFTED, "--expect", "0x0");
        assertThat(again.status()).isEqualTo(4);
        assertThat(again.err()).isEqualTo("kv: /kv/table is not as expected: " + mzxid("/kv/table") + " wrote it\n");
        assertThat(table()).isEqualTo(HALVES);

        assertThat(kv("table", "set", SHIFTED, "--expect", mzxid("/kv/table")).status())
                .isZero();
        assertThat(table()).isEqualTo(SHIFTED);
    }

    @Test
    void ofTwoConcurrentWritesOneSucceedsAndTheOtherFails() throws Exception {
        kv("table", "set", HALVES);
        String expected = mzxid("/kv/table");

        List<CompletableFuture<Integer>> both = Stream.of("*=foo@h", "*=bar@h")
                .map(text -> CompletableFuture.supplyAsync(() -> Main.commandLine()
                        .execute(
                                "table",
                                "set",
                                text,
                                "--expect",
                                expected,
                                "-Dkv.router.zookeeper.connect=" + server.getConnectString())))
                .toList();

        assertThat(both.stream().map(CompletableFuture::join)).containsExactlyInAnyOrder(0, 4);
    }

    @Test
    void aTableThatStrandsBucketsNeedsAnOption() throws Exception {
        kv("table", "set", HALVES);
        node("foo@h", "combined", Map.of("apple", 100L, "melon", 20L));
        assertThat(kv("table", "wait").status()).isZero();

        Outcome refused = kv("table", "set", SHIFTED);
        assertThat(refused.status()).isEqualTo(5);
        assertThat(refused.out())
                .contains("foo@h holds up to 2 buckets (120 bytes) of a..m=foo@h that this table sends elsewhere");
        assertThat(refused.err())
                .startsWith("kv: nothing written")
                .contains("--strand")
                .hasLineCount(1);
        assertThat(table()).isEqualTo(HALVES);
        assertThat(kv("table", "set", "a..m=foo@h,n..z=baz@h").status()).isZero();

        Outcome strand = kv("table", "set", "*=baz@h", "--strand", "--json");
        assertThat(strand.status()).isZero();
        assertThat(strand.json().getConfigList("it.stranded").getFirst().root().unwrapped())
                .isEqualTo(Map.of("node", "foo@h", "entry", "a..m=foo@h", "buckets", 2, "bytes", 120, "partly", false));
        assertThat(table()).isEqualTo("*=baz@h");
    }

    @Test
    void aNodeWithItsOwnTableDoesNotCountForTheCommonOne() throws Exception {
        kv("table", "set", HALVES);
        assertThat(kv("table", "set", "*=foo@h", "--node", "foo@h").status()).isZero();
        node("foo@h", "combined", Map.of("apple", 100L));
        assertThat(kv("table", "wait").status()).isZero();

        assertThat(kv("table", "set", "*=bar@h").status()).isZero();
        assertThat(kv("table", "set", "*=bar@h", "--node", "foo@h").status()).isEqualTo(5);
        assertThat(kv("table", "show", "--node", "foo@h").out()).isEqualTo("*=foo@h\n");
        assertThat(kv("table", "show", "--node", "bar@h"))
                .isEqualTo(new Outcome(7, "", "kv: /kv/tables/bar@h does not exist: bar@h follows /kv/table\n"));
    }

    @Test
    void aWaitEndsWhenAllNodesHaveAppliedTheTable() throws Exception {
        assertThat(kv("table", "wait")).isEqualTo(new Outcome(7, "", "kv: /kv/table does not exist\n"));
        assertThat(kv("table", "wait", "--node", "bar@h"))
                .isEqualTo(new Outcome(7, "", "kv: /kv/tables/bar@h does not exist: bar@h follows /kv/table\n"));
        kv("table", "set", HALVES);
        node("bar@h");
        node("foo@h");

        Outcome wait = kv("table", "wait");

        String applied = "applied " + mzxid("/kv/table");
        assertThat(wait).isEqualTo(new Outcome(0, "bar@h  " + applied + "\nfoo@h  " + applied + "\n", ""));
    }

    @Test
    void aWaitFailsAtOnceWhenANodeRefusesTheTable() throws Exception {
        kv("table", "set", HALVES);
        node("foo@h");
        assertThat(kv("table", "wait").status()).isZero();
        String good = mzxid("/kv/table");
        raw.setData().forPath("/kv/table", "a..m=foo@h,".getBytes(UTF_8));

        Outcome wait = kv("table", "wait", "--timeout", "1h");

        assertThat(wait.status()).isEqualTo(3);
        assertThat(wait.out())
                .startsWith("foo@h  rejected " + mzxid("/kv/table") + ": line 1, column 11: ")
                .endsWith("; " + good + " of /kv/table is in force\n");
        assertThat(kv("nodes").out()).contains(mzxid("/kv/table") + " of /kv/table is rejected: line 1, column 11: ");
        assertThat(kv("table", "show", "--json").json().getString("it.reason")).startsWith("line 1, column 11");
    }

    @Test
    void aWaitThatTimesOutListsTheNodesThatHaveNotAppliedTheTable() throws Exception {
        kv("table", "set", HALVES);
        node("foo@h");
        assertThat(kv("table", "wait").status()).isZero();
        byte[] asItWas = raw.getData().forPath("/kv/nodes/foo@h");
        raw.create().forPath("/kv/nodes/bar@h", asItWas);
        String old = mzxid("/kv/table");
        kv("table", "set", SHIFTED);

        Outcome wait = kv("table", "wait", "--timeout", "500ms", "--json");

        assertThat(wait.status()).isEqualTo(6);
        assertThat(wait.json().getConfigList("it").getFirst().root().unwrapped())
                .isEqualTo(Map.of(
                        "name",
                        "bar@h",
                        "state",
                        "pending",
                        "says",
                        "has not seen %s: %s of /kv/table is in force".formatted(mzxid("/kv/table"), old)));
    }

    @Test
    void appliedTablesAreListedAndCanBeRolledBackTo() throws Exception {
        node("foo@h");
        for (String table : List.of("*=foo@h", HALVES, SHIFTED)) {
            assertThat(kv("table", "set", table).status()).isZero();
            assertThat(kv("table", "wait").status()).isZero();
        }

        Outcome history = kv("table", "history");
        assertThat(history.out().lines().map(line -> line.replaceAll("^ *(\\d+)  \\S+  (0x\\S+)  ", "$1 ")))
                .containsExactly("1 [*=foo@h]", "2 [" + HALVES + "]", "3 [" + SHIFTED + "]");

        assertThat(kv("table", "rollback").status()).isZero();
        assertThat(table()).isEqualTo(HALVES);
        assertThat(kv("table", "wait").status()).isZero();
        assertThat(kv("table", "rollback", "1").status()).isZero();
        assertThat(table()).isEqualTo("*=foo@h");
        String first = kv("table", "history", "--json")
                .json()
                .getConfigList("it")
                .get(2)
                .getString("mzxid");
        assertThat(kv("table", "rollback", first).status()).isZero();
        assertThat(table()).isEqualTo(SHIFTED);

        assertThat(kv("table", "rollback", "99"))
                .isEqualTo(
                        new Outcome(7, "", "kv: the history of /kv/table has no such table: see `kv table history`\n"));
    }

    @Test
    void aNodesOwnTableThatWasItsFirstCannotBeRolledBack() throws Exception {
        node("foo@h");
        assertThat(kv("table", "set", "*=foo@h", "--node", "foo@h").status()).isZero();
        assertThat(kv("table", "wait", "--node", "foo@h").status()).isZero();

        assertThat(kv("table", "rollback", "--node", "foo@h"))
                .isEqualTo(
                        new Outcome(
                                7,
                                "",
                                "kv: the history of /kv/tables/foo@h has no other table before the current one: see `kv table history --node foo@h`\n"));
    }

    @Test
    void aRefusedTableIsRolledBackToTheOneInForce() throws Exception {
        node("foo@h");
        kv("table", "set", HALVES);
        kv("table", "wait");
        raw.setData().forPath("/kv/table", "a..m=foo@h,".getBytes(UTF_8));

        Outcome rollback = kv("table", "rollback");

        assertThat(rollback.out()).contains("no bucket is sent to another node");
        assertThat(table()).isEqualTo(HALVES);
    }

    @Test
    void registeredAndAbsentNodesAreListed() throws Exception {
        kv("table", "set", HALVES);
        node("foo@h", "combined", Map.of("apple", 100L, "zebra", 7L));
        kv("table", "wait");

        assertThat(kv("nodes").out())
                .startsWith("foo@h  combined, nodes at 127.0.0.1:4041\n")
                .contains(
                        "  table  " + mzxid("/kv/table") + " of /kv/table, since ",
                        "  holds  1 bucket (100 bytes)",
                        "  misplaced  1 bucket (7 bytes): zebra",
                        "bar@h  absent: a table names it, and nobody has seen it");
        List<? extends Config> documents = kv("nodes", "--json").json().getConfigList("it");
        assertThat(documents.stream().map(document -> document.getString("name")))
                .containsExactly("foo@h", "bar@h");
        assertThat(documents.getFirst().getString("table.state")).isEqualTo("applied");
        assertThat(documents.getLast().getBoolean("absent")).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"table,show", "table,wait", "table,history", "table,rollback", "nodes,--json"})
    void aCommandWithoutZooKeeperInTheConfigurationFails(String command, String word) {
        Outcome outcome = kvOn("", command, word);

        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.out()).isEmpty();
        assertThat(outcome.err())
                .startsWith("kv: kv.router.zookeeper.connect = \"\"")
                .hasLineCount(1);
    }

    @Test
    void anUnreachableZooKeeperIsReportedInOneLine() throws Exception {
        try (ServerSocket silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String connect = "127.0.0.1:" + silent.getLocalPort();

            assertThat(kvOn(connect, "nodes"))
                    .isEqualTo(new Outcome(
                            1,
                            "",
                            "kv: ZooKeeper at %s (kv.router.zookeeper.connect) does not answer within 5 s\n"
                                    .formatted(connect)));
        }
    }
}
