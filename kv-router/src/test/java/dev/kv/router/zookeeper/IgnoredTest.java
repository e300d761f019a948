package dev.kv.router.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.testing.Await;
import dev.kv.router.zookeeper.NodeDocument.State;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Znodes that a node cannot use are ignored and reported, and everything else is followed. */
class IgnoredTest extends NodesAtZooKeeper {
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

        Await.until(() -> foo.membership.addressOf("bar@h").isPresent());
        assertThat(foo.membership.addressOf("evil@h")).isEmpty();
        assertThat(foo.status()).containsEntry("state", "connected");
        assertThat(foo.status().get("ignored")).startsWith("/kv/nodes/evil@h: ").contains(why);

        set(ZNODES.node("evil@h"), document("127.0.0.1:1", "0x5"));
        set(ZNODES.table(), "*=bar@h");
        awaitTable(foo, "*=bar@h");
        Await.until(() -> !foo.status().containsKey("ignored"));
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

        // Its own is one of them, once a round has found it.
        Await.until(() -> foo.status()
                .get("ignored")
                .contains("/kv/nodes: it has 22 nodes, 20 are read (kv.router.zookeeper.nodes-max)"));
        assertThat(foo.status().get("ignored")).contains("/kv/nodes/no node: this is no node's name");
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

        Await.until(() -> exists(ZNODES.node("foo@h")));
        Await.until(() -> foo.status()
                .getOrDefault("ignored", "")
                .startsWith("/kv/nodes: the connection was lost over its list: "));
        set(ZNODES.table(), "*=bar@h");
        awaitTable(foo, "*=bar@h");
        for (String name : names) {
            operator.delete().forPath(ZNODES.node(name));
        }
        node("bar@h").join();
        Await.until(() ->
                foo.membership.addressOf("bar@h").isPresent() && !foo.status().containsKey("ignored"));
    }
}
