package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodesWithZooKeeper;
import dev.kv.acceptance.harness.ZooKeeperProcess;
import dev.kv.router.testing.Await;
import dev.kv.router.zookeeper.Znodes;
import dev.kv.server.testing.LineClient;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Misplaced buckets, as clients and operators of two nodes see them. */
@Timeout(120)
class MisplacedBucketsTest {
    private static final String HALVES = "a..m=foo@h,n..z=bar@h";
    private static final String SHIFTED = "a..f=foo@h,g..z=bar@h";
    private static final int REFUSED_BECAUSE_HELD = 5;

    @TempDir
    private static Path site;

    private static NodesWithZooKeeper nodes;
    private static ZooKeeperProcess zookeeper;
    private static NodeProcess foo;
    private static LineClient client;

    @BeforeAll
    static void startTwoNodes() throws Exception {
        nodes = new NodesWithZooKeeper(site);
        zookeeper = nodes.zookeeper();
        zookeeper.start();
        zookeeper.create("/kv/table", HALVES);
        foo = nodes.start("foo");
        nodes.start("bar");
        client = nodes.connect(foo);
    }

    @AfterAll
    static void stop() throws Exception {
        nodes.close();
    }

    /** The shifted table makes the bucket {@code hat} on foo misplaced, and leaves {@code apples} where it is. */
    @BeforeEach
    void placeTwoBucketsOnFoo() throws Exception {
        zookeeper.set("/kv/table", HALVES);
        awaitApplied();
        for (String line : new String[] {"CREATE hat", "PUT hat size 58", "CREATE apples"}) {
            assertThat(client.ask(line)).isEqualTo("OK");
        }
    }

    /** Waits until both nodes have applied the table. */
    private void awaitApplied() throws Exception {
        String mzxid = Znodes.hex(zookeeper.stat("/kv/table").orElseThrow().getMzxid());
        Await.until(
                "both nodes have applied " + mzxid,
                () -> applied("foo@h").equals(mzxid) && applied("bar@h").equals(mzxid));
    }

    private String applied(String node) throws Exception {
        Config said = said(node);
        return said.hasPath("in_force.mzxid") ? said.getString("in_force.mzxid") : "";
    }

    private String sizeOfHat() throws Exception {
        String size = client.ask("GET hat size");
        return size.equals("NOT FOUND") ? size : size + " " + client.line();
    }

    private Config said(String node) throws Exception {
        return ConfigFactory.parseString(zookeeper.get("/kv/nodes/" + node));
    }

    @Test
    void aBucketThatARawSetMisplacesIsReportedAndIsServedAgainAfterTheTableIsRestored() throws Exception {
        zookeeper.set("/kv/table", SHIFTED);

        Await.until("foo tells", () -> said("foo@h").getLong("misplaced.buckets") == 1);
        Config said = said("foo@h");
        assertThat(said.getStringList("misplaced.names")).containsExactly("hat");
        assertThat(said.getLong("misplaced.bytes")).isPositive();
        assertThat(said.getString("table.state")).isEqualTo("applied");
        assertThat(said.getStringList("table.warnings"))
                .anyMatch(warning ->
                        warning.matches("misplaced here: 1 bucket \\(\\d+ bytes\\) that this table sends elsewhere"));
        assertThat(foo.kv("status").out()).containsPattern("misplaced 1 bucket \\(\\d+ bytes\\): hat");
        assertThat(foo.kv("nodes").out()).containsPattern("misplaced {2}1 bucket \\(\\d+ bytes\\): hat");
        assertThat(foo.err()).containsPattern("misplaced here.*1 bucket \\(\\d+ bytes\\): \\[hat]");
        assertThat(sizeOfHat()).isEqualTo("NOT FOUND");
        assertThat(said("bar@h").getLong("misplaced.buckets")).isZero();

        zookeeper.set("/kv/table", HALVES);
        Await.until("hat is served again", () -> sizeOfHat().equals("58 OK"));
        Await.until("foo has no misplaced bucket", () -> said("foo@h").getLong("misplaced.buckets") == 0);
    }

    @Test
    void setRefusesToSendHeldBucketsElsewhereUnlessToldTo() throws Exception {
        Await.until(
                "foo has told of its two buckets",
                () -> said("foo@h").getConfigList("holds").stream()
                                .mapToLong(held -> held.getLong("buckets"))
                                .sum()
                        == 2);
        Ended refused = foo.kv("table", "set", SHIFTED);
        assertThat(refused.status()).isEqualTo(REFUSED_BECAUSE_HELD);
        assertThat(refused.out())
                .contains("g..m  foo@h -> bar@h")
                .containsPattern(
                        "foo@h holds up to 2 buckets \\(\\d+ bytes\\) of a\\.\\.m=foo@h that this table sends elsewhere");
        assertThat(refused.complaints()).singleElement().asString().contains("nothing written", "--strand");
        assertThat(foo.kv("table", "show").out()).isEqualTo(HALVES + "\n");

        Config document = ConfigFactory.parseString(
                foo.kv("table", "set", "*=bar@h", "--json").out());
        assertThat(document.getBoolean("written")).isFalse();
        Config stranded = document.getConfigList("stranded").getFirst();
        assertThat(stranded.getString("node")).isEqualTo("foo@h");
        assertThat(stranded.getLong("buckets")).isEqualTo(2);
        assertThat(stranded.getBoolean("partly")).isFalse();
        assertThat(sizeOfHat()).isEqualTo("58 OK");

        assertThat(foo.kv("table", "set", SHIFTED, "--strand").status()).isZero();
        assertThat(foo.kv("table", "wait").status()).isZero();
        assertThat(sizeOfHat()).isEqualTo("NOT FOUND");

        // A table that brings buckets back strands none, so it is not refused.
        assertThat(foo.kv("table", "rollback").status()).isZero();
        Await.until("hat is served again", () -> sizeOfHat().equals("58 OK"));
    }

    @Test
    void rollbackRefusesToSendHeldBucketsElsewhere() throws Exception {
        // The table before the present one gives all buckets to bar.
        zookeeper.set("/kv/table", "a..z=bar@h");
        awaitApplied();
        zookeeper.set("/kv/table", HALVES);
        awaitApplied();

        Ended refused = foo.kv("table", "rollback");
        assertThat(refused.status()).as(refused.err()).isEqualTo(REFUSED_BECAUSE_HELD);
        assertThat(refused.out())
                .containsPattern(
                        "foo@h holds 2 buckets \\(\\d+ bytes\\) of a\\.\\.m=foo@h that this table sends elsewhere");
        assertThat(foo.kv("table", "show").out()).isEqualTo(HALVES + "\n");

        assertThat(foo.kv("table", "rollback", "--strand").status()).isZero();
        assertThat(foo.kv("table", "show").out()).isEqualTo("a..z=bar@h\n");
        Await.until("both are misplaced", () -> said("foo@h").getLong("misplaced.buckets") == 2);
    }
}
