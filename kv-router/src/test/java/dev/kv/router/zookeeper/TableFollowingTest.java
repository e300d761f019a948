package dev.kv.router.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.testing.Await;
import dev.kv.router.zookeeper.NodeDocument.State;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How a node follows its routing table in ZooKeeper, and what it keeps of it on disk. */
class TableFollowingTest extends NodesAtZooKeeper {
    @Test
    void everyChangeOfTheTableIsInForceWithinASecond() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        assertThat(foo.table()).isEqualTo(HALVES);

        for (int i = 0; i < 20; i++) {
            String next = i % 2 == 0 ? "*=bar@h" : HALVES;
            long mzxid = set(ZNODES.table(), next).getMzxid();
            long start = System.nanoTime();
            Await.until(() -> foo.inForce.version() == mzxid);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(1));
            assertThat(foo.table()).isEqualTo(next);
            assertThat(foo.inForce.source()).isEqualTo("/kv/table");
        }
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
        Await.until(
                () -> foo.membership.document().orElseThrow().table().reason().contains("kv.router.table-max"));
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
        Await.until(() -> exists(ZNODES.node("foo@h")));
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
        Await.until(() -> copies.stream().allMatch(Files::isRegularFile));
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
        Await.until(() ->
                foo.membership.addressOf("foo@h").isPresent() && !foo.status().containsKey("unwritten"));
        server.stop();
        Node again = node("foo@h");
        assertThat(again.table()).isEqualTo(HALVES);
        assertThat(again.membership.addressOf("foo@h")).isPresent();
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
}
