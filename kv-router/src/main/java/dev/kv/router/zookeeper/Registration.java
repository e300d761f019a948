package dev.kv.router.zookeeper;

import dev.kv.router.config.Json;
import java.util.Arrays;
import java.util.Optional;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.data.Stat;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The ephemeral znode with the document of this node. One thread. */
final class Registration {
    private final String name;
    private final String instance;
    private final long documentMaxBytes;

    private static final Logger LOG = LoggerFactory.getLogger(Registration.class);

    /** The owner of a znode that was made to stay. */
    private static final long NO_SESSION = 0;

    /** The document that this node wrote last, and its transaction. */
    private byte[] written = new byte[0];

    private long writtenMzxid;

    /**
     * @param instance an id that distinguishes this node from another one of its name
     * @param documentMaxBytes a larger document of another node is not read
     */
    Registration(String name, String instance, long documentMaxBytes) {
        this.name = name;
        this.instance = instance;
        this.documentMaxBytes = documentMaxBytes;
    }

    /**
     * Writes the document unless it is there, also over what others wrote there.
     *
     * @return the address of another node that is registered with this node's name; empty if the document is written
     */
    Optional<String> register(ZooKeeperSession zookeeper, byte[] json) throws Exception {
        String path = zookeeper.znodes().node(name);
        Stat stat = zookeeper
                .client()
                .checkExists()
                .usingWatcher(zookeeper.watcher())
                .forPath(path);
        if (stat != null && stat.getEphemeralOwner() == NO_SESSION) {
            zookeeper
                    .client()
                    .delete()
                    .deletingChildrenIfNeeded()
                    .withVersion(stat.getVersion())
                    .forPath(path);
            LOG.warn(
                    "removed {}, which was made to stay: a node registers itself for as long as it is connected", path);
            stat = null;
        }
        if (stat != null && stat.getEphemeralOwner() != zookeeper.id()) {
            Optional<NodeDocument> other = read(zookeeper, path);
            if (other.filter(said -> said.instance().equals(instance)).isEmpty()) {
                return Optional.of(other.map(NodeDocument::peer)
                        .filter(at -> !at.isEmpty())
                        .map(at -> "at " + at)
                        .orElse("at an unknown address"));
            }
            // From the previous run of this node, whose session has not timed out yet.
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

    /** Returns the transaction of the write. */
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
