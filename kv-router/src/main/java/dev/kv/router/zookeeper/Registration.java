package dev.kv.router.zookeeper;

import dev.kv.router.config.Json;
import java.util.Arrays;
import java.util.Optional;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.data.Stat;

/** The document of this node in ZooKeeper, which is there while the node's session lives. One thread. */
final class Registration {
    private final String name;
    private final String instance;
    private final long documentMaxBytes;

    /** The document that this node wrote last, and the transaction that did. */
    private byte[] written = new byte[0];

    private long writtenMzxid;

    /**
     * @param instance tells this node from another one of its name
     * @param documentMaxBytes a larger document of another node is not read
     */
    Registration(String name, String instance, long documentMaxBytes) {
        this.name = name;
        this.instance = instance;
        this.documentMaxBytes = documentMaxBytes;
    }

    /**
     * Sees to it that the document stands in ZooKeeper, whoever wrote there meanwhile.
     *
     * @return where the other node is that has this one's name; empty if there is none, and the document stands
     */
    Optional<String> register(ZooKeeperSession zookeeper, byte[] json) throws Exception {
        String path = zookeeper.znodes().node(name);
        Stat stat = zookeeper
                .client()
                .checkExists()
                .usingWatcher(zookeeper.watcher())
                .forPath(path);
        if (stat != null && stat.getEphemeralOwner() != zookeeper.id()) {
            Optional<NodeDocument> other = read(zookeeper, path);
            if (other.filter(said -> said.instance().equals(instance)).isEmpty()) {
                return Optional.of(other.map(NodeDocument::peer)
                        .filter(at -> !at.isEmpty())
                        .map(at -> "at " + at)
                        .orElse("at an unknown address"));
            }
            // Of this node's own last life: its session has not timed out yet.
            zookeeper.client().delete().withVersion(stat.getVersion()).forPath(path);
            stat = null;
        }
        boolean isThere = stat != null && stat.getMzxid() == writtenMzxid && Arrays.equals(json, written);
        if (!isThere) {
            writtenMzxid = write(zookeeper, path, json, stat == null);
            written = json;
        }
        return Optional.empty();
    }

    private Optional<NodeDocument> read(ZooKeeperSession zookeeper, String path) throws Exception {
        try {
            Optional<byte[]> json = zookeeper.look(path);
            return json.isEmpty() ? Optional.empty() : Optional.of(NodeDocument.read(json.get(), documentMaxBytes));
        } catch (Json.Unreadable e) {
            return Optional.empty();
        }
    }

    /** Answers the transaction that wrote. */
    private static long write(ZooKeeperSession zookeeper, String path, byte[] json, boolean isNew) throws Exception {
        if (!isNew) {
            return zookeeper.client().setData().forPath(path, json).getMzxid();
        }
        Stat stat = new Stat();
        zookeeper
                .client()
                .create()
                .storingStatIn(stat)
                .withMode(CreateMode.EPHEMERAL)
                .forPath(path, json);
        return stat.getMzxid();
    }
}
