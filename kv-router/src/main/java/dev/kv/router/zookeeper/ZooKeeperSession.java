package dev.kv.router.zookeeper;

import dev.kv.router.Bytes;
import java.util.List;
import java.util.Optional;
import org.apache.curator.framework.CuratorFramework;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.data.Stat;

/**
 * The connection of this node to ZooKeeper.
 *
 * @param watcher is notified of the next change of each znode that is read with a watch
 */
record ZooKeeperSession(CuratorFramework client, Znodes znodes, Watcher watcher) {
    /** The data of a znode. */
    record Data(String path, long mzxid, Bytes bytes) {}

    /** The data of the znode, with a watch on it whether it exists or not; empty if it does not. */
    Optional<Data> read(String path) throws Exception {
        while (true) {
            try {
                Stat stat = new Stat();
                byte[] bytes = client.getData()
                        .storingStatIn(stat)
                        .usingWatcher(watcher)
                        .forPath(path);
                return Optional.of(new Data(path, stat.getMzxid(), Bytes.owning(orEmpty(bytes))));
            } catch (KeeperException.NoNodeException e) {
                if (client.checkExists().usingWatcher(watcher).forPath(path) == null) {
                    return Optional.empty();
                }
            }
        }
    }

    /** The data of the znode, without a watch; empty if it does not exist. */
    Optional<byte[]> look(String path) throws Exception {
        try {
            return Optional.of(orEmpty(client.getData().forPath(path)));
        } catch (KeeperException.NoNodeException e) {
            return Optional.empty();
        }
    }

    /** A znode that was created without data has null. */
    private static byte[] orEmpty(byte[] bytes) {
        return bytes == null ? new byte[0] : bytes;
    }

    /** The names below the znode, which exists, with a watch on them. */
    List<String> children(String path) throws Exception {
        return client.getChildren().usingWatcher(watcher).forPath(path);
    }

    /** Creates the znode and those above it, where they do not exist. */
    void make(String path) throws Exception {
        if (client.checkExists().forPath(path) == null) {
            try {
                client.create().creatingParentsIfNeeded().forPath(path, new byte[0]);
            } catch (KeeperException.NodeExistsException e) {
                // Another node has created it.
            }
        }
    }

    /** The id of the session that owns what this node registers. */
    long id() throws Exception {
        return client.getZookeeperClient().getZooKeeper().getSessionId();
    }

    /** What a failure means, to follow the word ZooKeeper. */
    static String meaning(KeeperException e) {
        return switch (e.code()) {
            case CONNECTIONLOSS, OPERATIONTIMEOUT -> "does not answer: no connection to a server";
            case SESSIONEXPIRED, SESSIONMOVED ->
                "has no session for this process: no connection for kv.router.zookeeper.session-timeout";
            case AUTHFAILED, SESSIONCLOSEDREQUIRESASLAUTH -> "refuses the login (kv.router.zookeeper.auth)";
            case NOAUTH -> "refuses the access to " + e.getPath() + " (kv.router.zookeeper.auth)";
            default -> "fails: " + e.getMessage();
        };
    }

    /** Whether the connection or session is lost, so that no other znode can be read either. */
    static boolean isGone(KeeperException e) {
        return switch (e.code()) {
            case CONNECTIONLOSS,
                    OPERATIONTIMEOUT,
                    SESSIONEXPIRED,
                    SESSIONMOVED,
                    AUTHFAILED,
                    SESSIONCLOSEDREQUIRESASLAUTH -> true;
            default -> false;
        };
    }
}
