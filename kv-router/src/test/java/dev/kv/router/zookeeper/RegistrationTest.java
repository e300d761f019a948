package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.config.BadStart;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.Firewall;
import dev.kv.router.zookeeper.NodeDocument.State;
import java.time.Duration;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How a node registers itself, who has a name, and which addresses of others it knows. */
class RegistrationTest extends NodesAtZooKeeper {
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
        assertThat(said.table().warnings())
                .contains("bar@h is not registered in ZooKeeper: it does not run, or does not reach ZooKeeper");
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

    /** The last one is as a node writes it, with another address. */
    @ParameterizedTest
    @ValueSource(strings = {"", "{}", "garbage", "4041"})
    void aNodesDocumentIsRestoredWhenOthersOverwriteIt(String text) throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        for (int i = 0; i < 3; i++) {
            String own = new String(operator.getData().forPath(ZNODES.node("foo@h")), UTF_8);
            set(ZNODES.node("foo@h"), text.equals("4041") ? own.replace(text, "4999") : text);
            Await.until(() -> isRegistered(foo));
        }
    }

    private static boolean isRegistered(Node foo) {
        try {
            return foo.says("foo@h").equals(foo.membership.document().orElseThrow());
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
    void theStatusShowsThatAnotherNodeHasTheName() throws Exception {
        create(ZNODES.table(), HALVES);
        Node first = node("foo@h").join();
        firewall.silence();
        Await.until(() -> !exists(ZNODES.node("foo@h")));
        operator.create().withMode(CreateMode.EPHEMERAL).forPath(ZNODES.node("foo@h"), "{}".getBytes(UTF_8));
        firewall.cut();
        firewall.open();

        Await.until(
                () -> first.status().get("state").equals("another node is registered as foo@h, at an unknown address"));
        assertThat(first.table()).isEqualTo(HALVES);
    }

    @ParameterizedTest
    @ValueSource(strings = {"x", "{\"role\":\"combined\",\"instance\":\"another\",\"peer\":\"127.0.0.1:4999\"}"})
    void aZnodeThatNoNodeHasRegisteredIsReplaced(String text) throws Exception {
        create(ZNODES.table(), HALVES);
        create(ZNODES.node("foo@h"), text);
        create(ZNODES.node("foo@h") + "/child", text);

        Node foo = node("foo@h").join();

        assertThat(foo.says("foo@h").instance()).isEqualTo("instance of foo@h");
        assertThat(operator.checkExists().forPath(ZNODES.node("foo@h")).getEphemeralOwner())
                .isNotZero();
    }

    @Test
    void theWarningsOfManyNodesThatAreNotRegisteredAreBounded() throws Exception {
        create(
                ZNODES.table(),
                IntStream.range(100, 600)
                                .mapToObj(i -> "b" + i + "*=node" + i + "@h")
                                .collect(Collectors.joining(",")) + ",*=foo@h");
        Node foo = node("foo@h").join();

        assertThat(foo.says("foo@h").table().warnings())
                .hasSize(17)
                .contains("node100@h is not registered in ZooKeeper: it does not run, or does not reach ZooKeeper")
                .endsWith("484 more nodes are not registered, or keep no data");
    }

    @Test
    void closingDoesNotWaitForASilentZooKeeper() throws Exception {
        session = Duration.ofSeconds(40);
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        firewall.silence();
        long start = System.nanoTime();

        foo.membership.close();

        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
    }

    @Test
    void afterItsSessionHasExpiredANodeRegistersAgain() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        firewall.silence();
        Await.until(() -> !exists(ZNODES.node("foo@h")));
        firewall.cut();
        firewall.open();

        Await.until(() -> exists(ZNODES.node("foo@h")));
        set(ZNODES.table(), "*=bar@h");
        awaitTable(foo, "*=bar@h");
    }

    @Test
    void nodesKnowTheAddressesOfTheOthers() throws Exception {
        create(ZNODES.table(), HALVES);
        Node foo = node("foo@h").join();
        assertThat(foo.membership.addressOf("bar@h")).isEmpty();
        node("bar@h").join();

        Await.until(() -> foo.membership.addressOf("bar@h").isPresent());
        assertThat(foo.membership.addressOf("bar@h").orElseThrow().getPort()).isEqualTo(4041);
        Await.until(() -> !foo.membership
                .document()
                .orElseThrow()
                .table()
                .warnings()
                .toString()
                .contains("bar@h"));
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

    @Test
    void theStatusShowsThatTheNodeMayNotWrite() throws Exception {
        create(ZNODES.table(), HALVES);
        new Node("foo@h", "instance", Optional.of("kv:secret")).join();
        Node bar = new Node("bar@h", "another instance", Optional.of("kv:wrong")).join();

        assertThat(bar.table()).isEqualTo(HALVES);
        assertThat(bar.status().get("state"))
                .startsWith("refuses the access to /kv/nodes")
                .contains(" (kv.router.zookeeper.auth), since ");
    }
}
