package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import dev.kv.router.zookeeper.Tables;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code kv table check, set, show, history} and {@code rollback}. */
class TableCommandsTest extends CommandsAtZooKeeper {
    @Test
    void theFirstTableIsCreatedAndAllItsBucketsAreNew() throws Exception {
        Outcome set = kv("table", "set", HALVES);

        assertThat(table()).isEqualTo(HALVES);
        assertThat(set.err()).isEmpty();
        assertThat(set.status()).isZero();
        assertThat(set.out().lines())
                .contains(
                        "warning: foo@h is not registered in ZooKeeper: it does not run, or does not reach ZooKeeper",
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
            'a=foo@h b=bar@h'   | line 1, column
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
                        "can never match",
                        "front@h keeps no data (server release)",
                        "foo@h is not registered in ZooKeeper");
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
        node("bar@h");
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
    void aTableThatMayStrandBucketsNeedsAnOption() throws Exception {
        Map<String, Long> buckets = new TreeMap<>();
        IntStream.range(100, 200).forEach(i -> buckets.put("b" + i, 10L));
        String prefixes =
                buckets.keySet().stream().map(name -> name + "*=foo@h").collect(Collectors.joining(","));
        kv("table", "set", prefixes + ",c=bar@h");
        node("foo@h", "combined", buckets, 2048);
        raw.create().forPath("/kv/nodes/bar@h", "not JSON".getBytes(UTF_8));
        assertThat(kv("nodes").out()).contains("  holds  unknown", "bar@h  its document cannot be read");

        // Nothing is taken from either of them.
        assertThat(kv("table", "set", prefixes + ",c=bar@h,d=baz@h").status()).isZero();

        Outcome refused = kv("table", "set", prefixes + ",c=baz@h");
        assertThat(refused.status()).isEqualTo(5);
        assertThat(refused.out())
                .contains(
                        "it is not known what bar@h holds, which is not registered or does not tell: this table sends names"
                                + " elsewhere that are sent to it now")
                .doesNotContain("it is not known what foo@h holds");
        assertThat(refused.err())
                .startsWith("kv: nothing written: nodes may hold buckets")
                .contains("--strand")
                .hasLineCount(1);
        assertThat(table()).endsWith("d=baz@h");

        Outcome both = kv("table", "set", "*=baz@h", "--json");
        assertThat(both.status()).isEqualTo(5);
        assertThat(both.json().getStringList("it.unknown")).containsExactly("bar@h", "foo@h");
        assertThat(kv("table", "set", "*=baz@h", "--strand").status()).isZero();
        assertThat(table()).isEqualTo("*=baz@h");
    }

    @Test
    void aNodeThatDoesNotRunIsNotTakenForOneThatHoldsNothing() throws Exception {
        kv("table", "set", HALVES);
        // No node has applied it so far.
        assertThat(kv("table", "set", SHIFTED).status()).isZero();
        assertThat(kv("table", "set", HALVES).status()).isZero();

        node("bar@h");
        assertThat(kv("table", "set", "a..m=foo@h,n..z=baz@h").status()).isZero();
        Outcome refused = kv("table", "set", "*=bar@h", "--json");
        assertThat(refused.status()).isEqualTo(5);
        assertThat(refused.json().getStringList("it.unknown")).containsExactly("baz@h", "foo@h");
        assertThat(kv("table", "set", "a..m=foo@h,n=baz@h,o..z=bar@h", "--json")
                        .json()
                        .getStringList("it.unknown"))
                .containsExactly("baz@h");
        assertThat(kv("table", "set", "*=bar@h", "--strand").status()).isZero();
        assertThat(table()).isEqualTo("*=bar@h");
    }

    @Test
    void aTableThatWasDeletedAndCreatedSinceItWasReadIsNotOverwritten() throws Exception {
        kv("table", "set", HALVES);
        try (Tables tables = Tables.open(settings(4096), 4096)) {
            Optional<Tables.Stored> before = tables.read("/kv/table");
            raw.delete().forPath("/kv/table");
            raw.create().forPath("/kv/table", SHIFTED.getBytes(UTF_8));
            assertThat(tables.read("/kv/table").orElseThrow().version())
                    .isEqualTo(before.orElseThrow().version());

            assertThat(tables.write("/kv/table", before, "*=foo@h".getBytes(UTF_8)))
                    .isEmpty();
            assertThat(table()).isEqualTo(SHIFTED);

            raw.delete().forPath("/kv/table");
            assertThat(tables.write("/kv/table", before, "*=foo@h".getBytes(UTF_8)))
                    .isEmpty();
        }
    }

    @Test
    void appliedTablesAreListedAndCanBeRolledBackTo() throws Exception {
        node("foo@h");
        node("bar@h");
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
    void aLoopOfTheTablesOfSeveralNodesIsWarnedOf() throws Exception {
        assertThat(kv("table", "set", "*=foo@h").out()).doesNotContain("CIRCLE");

        Outcome set = kv("table", "set", "*=bar@h", "--node", "foo@h");

        assertThat(set.status()).isZero();
        assertThat(set.out())
                .contains("warning: requests end with CIRCLE: foo@h -> bar@h -> foo@h, by *=bar@h of foo@h and the"
                        + " tables of the others\n");
    }

    @Test
    void aNodesOwnTableThatWasItsFirstCannotBeRolledBack() throws Exception {
        node("foo@h");
        assertThat(kv("table", "set", "*=foo@h", "--node", "foo@h").out()).doesNotContain("warning");
        assertThat(kv("table", "wait", "--node", "foo@h").status()).isZero();
        assertThat(kv("table", "set", "*=foo@h", "--node", "fo@h").out())
                .contains(
                        "warning: fo@h is not registered in ZooKeeper: it does not run, or does not reach ZooKeeper\n");

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
}
