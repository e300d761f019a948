package dev.kv.acceptance.harness;

import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.server.testing.LineClient;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;

/** A ZooKeeper server and the nodes that follow its table, all of the combined release. The last one that was opened is closed first. */
public final class NodesWithZooKeeper {
    private final UnpackedRelease release = UnpackedRelease.of(Role.COMBINED);
    private final Path site;
    private final ZooKeeperProcess zookeeper;
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    /**
     * A server that does not run yet.
     *
     * @param site an existing folder, below which it writes
     */
    public NodesWithZooKeeper(Path site) {
        this.site = site;
        this.zookeeper = closing(new ZooKeeperProcess(release, site));
    }

    /** Has something closed at the end. */
    public <T extends AutoCloseable> T closing(T last) {
        opened.push(last);
        return last;
    }

    public ZooKeeperProcess zookeeper() {
        return zookeeper;
    }

    /** Starts a node. */
    public NodeProcess start(String name) throws Exception {
        NodeProcess node = node(site, name, zookeeper.address());
        node.start();
        return node;
    }

    /** A node that does not run yet, writes below a folder, and will reach ZooKeeper at an address. */
    public NodeProcess node(Path folder, String name, String address) throws Exception {
        NodeProcess node = closing(new NodeProcess(release, folder, name));
        node.set("kv.router.zookeeper.connect", address);
        node.set("kv.router.zookeeper.session-timeout", "4s");
        return node;
    }

    public LineClient connect(NodeProcess node) throws Exception {
        return closing(node.connect());
    }

    public void close() throws Exception {
        for (AutoCloseable one : opened) {
            one.close();
        }
    }
}
