package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.config.Settings;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.ACLProvider;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.client.ConnectStringParser;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.common.PathUtils;
import org.apache.zookeeper.data.ACL;

/**
 * What is known of ZooKeeper before anything is asked of it.
 *
 * @param connect its servers, {@code host:port,host:port}; not empty
 * @param znodes where kv's znodes are
 * @param sessionTimeout after which a node that is cut off is forgotten
 * @param startWait how long a start waits for ZooKeeper before it continues without
 * @param poll how often everything is read anew, whatever the watches say
 * @param documentMaxBytes the largest document of a node, or table of the history, that is read or written
 * @param nodesMax how many registered nodes are read, and how many addresses of nodes are kept
 * @param auth {@code user:password} of the digest scheme; who has it, and nobody else, may write kv's znodes
 * @param client further settings of ZooKeeper's client, such as those of TLS, by their names
 */
public record ZooKeeperSettings(
        String connect,
        Znodes znodes,
        Duration sessionTimeout,
        Duration startWait,
        Duration poll,
        long documentMaxBytes,
        int nodesMax,
        Optional<String> auth,
        Map<String, String> client) {
    /** How long to wait for a server to answer before the next one is tried. */
    private static final Duration CONNECT_MAX = Duration.ofSeconds(5);

    /** How long a failed request to ZooKeeper waits before it is sent again, once; a node's rounds try again anyway. */
    private static final int RETRY_MILLIS = 100;

    /** The settings, or empty where {@code kv.router.zookeeper.connect} is, and the table is static. */
    public static Optional<ZooKeeperSettings> of(Settings settings) {
        String section = "kv.router.zookeeper.";
        String path = settings.text(section + "path");
        try {
            PathUtils.validatePath(path);
        } catch (IllegalArgumentException e) {
            throw settings.bad(section + "path", "expected the path of a znode, such as /kv");
        }
        if (path.equals("/")) {
            throw settings.bad(section + "path", "expected a znode of its own, such as /kv");
        }
        String connect = settings.text(section + "connect");
        if (!connect.isBlank() && !isServers(connect)) {
            throw settings.bad(section + "connect", "expected host:port,host:port");
        }
        String auth = settings.text(section + "auth");
        if (!auth.isEmpty() && auth.indexOf(':') < 1) {
            throw settings.bad(section + "auth", "expected user:password");
        }
        ZooKeeperSettings read = new ZooKeeperSettings(
                connect,
                new Znodes(path),
                settings.duration(section + "session-timeout", Duration.ofSeconds(1), Duration.ofMinutes(10)),
                settings.duration(section + "start-wait", Duration.ofMillis(50), Duration.ofHours(1)),
                settings.duration(section + "poll", Duration.ofSeconds(1), Duration.ofHours(1)),
                settings.size(section + "document-max", 4 * 1024, 1024 * 1024),
                settings.count(section + "nodes-max", 1, 100_000),
                auth.isEmpty() ? Optional.empty() : Optional.of(auth),
                settings.texts(section + "client"));
        return connect.isBlank() ? Optional.empty() : Optional.of(read);
    }

    /** Whether ZooKeeper's client can make something of it; if not, it would tell that at each attempt to connect. */
    private static boolean isServers(String connect) {
        try {
            return !new ConnectStringParser(connect).getServerAddresses().isEmpty();
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    /** The hosts of servers that do not resolve. Looks all up. */
    List<String> unknownHosts() {
        return new ConnectStringParser(connect)
                .getServerAddresses().stream()
                        .map(InetSocketAddress::getHostString)
                        .filter(host -> new InetSocketAddress(host, 0).isUnresolved())
                        .toList();
    }

    /** A client that connects from now on; whoever asks for it closes it. */
    public CuratorFramework open() {
        ZKClientConfig config = new ZKClientConfig();
        client.forEach(config::setProperty);
        int connectMillis = (int) (sessionTimeout.compareTo(CONNECT_MAX) < 0 ? sessionTimeout : CONNECT_MAX).toMillis();
        CuratorFrameworkFactory.Builder builder = CuratorFrameworkFactory.builder()
                .connectString(connect)
                .sessionTimeoutMs((int) sessionTimeout.toMillis())
                .connectionTimeoutMs(connectMillis)
                .retryPolicy(new RetryOneTime(RETRY_MILLIS))
                .dontUseContainerParents()
                .zkClientConfig(config);
        auth.ifPresent(identity ->
                builder.authorization("digest", identity.getBytes(UTF_8)).aclProvider(readableByAll()));
        CuratorFramework framework = builder.build();
        framework.start();
        return framework;
    }

    /** All may read; only the identity that creates a znode may do more. */
    private static ACLProvider readableByAll() {
        // No immutable list: ZooKeeper's client asks whether it contains null.
        List<ACL> acl = new ArrayList<>(Ids.CREATOR_ALL_ACL);
        acl.addAll(Ids.READ_ACL_UNSAFE);
        return new ACLProvider() {
            @Override
            public List<ACL> getDefaultAcl() {
                return acl;
            }

            @Override
            public List<ACL> getAclForPath(String path) {
                return acl;
            }
        };
    }
}
