package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.table.TableInForce;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.Firewall;
import dev.kv.router.zookeeper.NodeDocument.State;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.test.TestingServer;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Nodes and a ZooKeeper server in one process, with a firewall between them; an operator is connected past it. */
@Timeout(60)
abstract class NodesAtZooKeeper {
    static final Duration SESSION = Duration.ofSeconds(2);
    Duration session = SESSION;
    static final Duration START_WAIT = Duration.ofSeconds(2);
    static final Duration POLL = Duration.ofSeconds(20);
    static final int DOCUMENT_MAX_BYTES = 64 * 1024;
    static final int NODES_MAX = 20;
    static final Znodes ZNODES = new Znodes("/kv");
    static final String HALVES = "a..m=foo@h,n..z=bar@h";

    @TempDir
    Path folder;

    final Deque<AutoCloseable> opened = new ArrayDeque<>();
    final Map<Bytes, Long> buckets = new ConcurrentSkipListMap<>();

    /** Is run on the thread that counts the buckets of a node, before each count. */
    volatile Runnable beforeCount = () -> {};

    Duration poll = POLL;
    TestingServer server;
    Firewall firewall;
    CuratorFramework operator;

    /** A node: its membership, and the table that it got last. */
    final class Node implements AutoCloseable {
        final Membership membership;
        volatile TableInForce inForce;
        volatile Optional<Error> fault = Optional.empty();

        Node(String name, String instance, Optional<String> auth) {
            ZooKeeperSettings settings = new ZooKeeperSettings(
                    firewall.address().getHostString() + ":"
                            + firewall.address().getPort(),
                    ZNODES,
                    session,
                    START_WAIT,
                    poll,
                    DOCUMENT_MAX_BYTES,
                    NODES_MAX,
                    auth,
                    Map.of());
            Path own = folder.resolve(name);
            assertThat(own.toFile().mkdirs() || Files.isDirectory(own)).isTrue();
            membership = new Membership(
                    settings, new Membership.Self(name, "combined", "1.0", instance, own), 64 * 1024, visitor -> {
                        beforeCount.run();
                        var _ = buckets.entrySet().stream()
                                .allMatch(bucket -> visitor.test(bucket.getKey(), bucket.getValue()));
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

    Node node(String name) {
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

    CuratorFramework connect(String servers) {
        CuratorFramework client = new ZooKeeperSettings(
                        servers,
                        ZNODES,
                        SESSION,
                        START_WAIT,
                        POLL,
                        DOCUMENT_MAX_BYTES,
                        NODES_MAX,
                        Optional.empty(),
                        Map.of())
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

    void create(String path, String text) throws Exception {
        operator.create().creatingParentsIfNeeded().forPath(path, text.getBytes(UTF_8));
    }

    Stat set(String path, String text) throws Exception {
        return operator.setData().forPath(path, text.getBytes(UTF_8));
    }

    static void awaitTable(Node node, String table) throws Exception {
        Await.until(() -> node.table().equals(table));
    }

    NodeDocument awaitState(Node node, State state) throws Exception {
        Await.until(() -> node.membership
                .document()
                .filter(said -> said.table().state() == state)
                .isPresent());
        return node.membership.document().orElseThrow();
    }

    boolean exists(String path) {
        try {
            return operator.checkExists().forPath(path) != null;
        } catch (Exception e) {
            return false;
        }
    }
}
