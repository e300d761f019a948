package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code kv table wait} and {@code kv nodes}, and commands that do not reach ZooKeeper. */
class TableWaitTest extends CommandsAtZooKeeper {
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
    @ValueSource(strings = {"-5s", "soon", "3"})
    void aMalformedTimeoutIsRefused(String timeout) {
        Outcome wait = kv("table", "wait", "--timeout", timeout);
        assertThat(wait.status()).isEqualTo(2);
        assertThat(wait.err())
                .contains("--timeout " + timeout + ": expected a number with a unit, such as 500ms, 10s or 5m");
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
        raw.delete().forPath("/kv/table");
        assertThat(kv("table", "wait").out())
                .as("without the common table")
                .isEqualTo("foo@h  applied " + mzxid("/kv/tables/foo@h") + "\n");
    }

    @Test
    void aWaitEndsWhenAllNodesHaveAppliedTheTable() throws Exception {
        assertThat(kv("table", "wait")).isEqualTo(new Outcome(7, "", "kv: /kv/table does not exist\n"));
        assertThat(kv("table", "wait", "--node", "bar@h"))
                .isEqualTo(new Outcome(7, "", "kv: /kv/tables/bar@h does not exist: bar@h follows /kv/table\n"));
        kv("table", "set", HALVES);
        assertThat(kv("table", "wait", "--timeout", "0s"))
                .isEqualTo(new Outcome(
                        6,
                        "no node is registered\n",
                        "kv: not registered, though the table names them: bar@h, foo@h\n"));
        node("bar@h");
        node("foo@h");

        Outcome wait = kv("table", "wait");

        String applied = "applied " + mzxid("/kv/table");
        assertThat(wait).isEqualTo(new Outcome(0, "bar@h  " + applied + "\nfoo@h  " + applied + "\n", ""));
    }

    @Test
    void aWaitFailsAtOnceWhenANodeRejectsTheTable() throws Exception {
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
    void registeredAndAbsentNodesAreListed() throws Exception {
        assertThat(kv("nodes").out()).isEqualTo("no node is registered in /kv/nodes\n");
        kv("table", "set", HALVES);
        node("foo@h", "combined", Map.of("apple", 100L, "zebra", 7L));
        kv("table", "wait");

        assertThat(kv("nodes").out())
                .startsWith("foo@h  combined, nodes at 127.0.0.1:4041\n")
                .contains(
                        "  table  " + mzxid("/kv/table") + " of /kv/table, since ",
                        "  holds  1 bucket (100 bytes)",
                        "  misplaced  1 bucket (7 bytes): zebra",
                        "bar@h  absent: a table names it, and it is not registered in ZooKeeper");
        List<? extends Config> documents = kv("nodes", "--json").json().getConfigList("it");
        assertThat(documents.stream().map(document -> document.getString("name")))
                .containsExactly("foo@h", "bar@h");
        assertThat(documents.getFirst().getString("table.state")).isEqualTo("applied");
        assertThat(documents.getLast().getBoolean("absent")).isTrue();
    }

    @Test
    void moreNodesThanAreReadDoNotHideThoseOfTheTable() throws Exception {
        kv("table", "set", "*=zoe@h");
        for (String name : List.of("ann@h", "ben@h", "zoe@h")) {
            node(name);
        }
        String some = "-Dkv.router.zookeeper.nodes-max=2";

        Outcome wait = kv("table", "wait", some);
        assertThat(wait.status()).isZero();
        assertThat(wait.out()).contains("zoe@h  applied ", "ann@h  applied ").doesNotContain("ben@h");
        assertThat(wait.err())
                .isEqualTo("kv: 1 more registered nodes are not looked at: raise kv.router.zookeeper.nodes-max\n");
        kv("table", "set", "a*=ann@h,b*=ben@h,*=zoe@h", "--strand");
        assertThat(kv("table", "wait", "--timeout", "0s", some).out())
                .contains("zoe@h  is not looked at (kv.router.zookeeper.nodes-max)");
        assertThat(kv("nodes", some).out()).contains("ann@h  combined", "ben@h  combined");
        kv("table", "set", "*=zoe@h", "--strand");
        assertThat(kv("nodes", some).out()).contains("zoe@h  combined", "ann@h  combined");
        assertThat(kv("table", "check", "*=zoe@h", some).out()).doesNotContain("not registered");
    }

    @Test
    void aNodeThatKeepsNoDataIsListedWithoutHoldings() throws Exception {
        node("front@h", "server", Map.of());

        assertThat(kv("nodes").out()).contains("front@h  server").doesNotContain("holds");
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
                            "kv: ZooKeeper at %s (kv.router.zookeeper.connect) does not answer within 5 s: check that a server runs there\n"
                                    .formatted(connect)));
        }
        assertThat(kvOn("nosuch.invalid:2181", "nodes").err())
                .endsWith(" does not answer within 5 s: no such host: nosuch.invalid\n");
    }
}
