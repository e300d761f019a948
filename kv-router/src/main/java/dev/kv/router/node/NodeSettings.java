package dev.kv.router.node;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import dev.kv.router.Limits;
import dev.kv.router.admin.LocalSocketSettings;
import dev.kv.router.config.Settings;
import dev.kv.router.net.Addresses;
import dev.kv.router.peer.PeerSettings;
import dev.kv.router.peer.Room;
import dev.kv.router.placement.Placement;
import dev.kv.router.spi.Logging;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.zookeeper.ZooKeeperSettings;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * The settings of this module.
 *
 * @param name this node's name
 * @param folder the folder of its files
 * @param drain the longest time for a stop in order
 * @param localSocket the bounds of the local socket
 * @param level the lowest level that is logged
 * @param loggers the same for single loggers
 * @param table the static routing table
 * @param address the listener for other nodes
 * @param cookieFile the secret that the nodes share
 * @param ioThreads the number of I/O threads; 0: one for each two cores
 * @param ioTurnMax how long each of them works on large replies before it serves other requests
 * @param replyThreads the number of threads that turn long replies into bytes and back; 0: one for each two cores
 * @param limits the bounds of names, keys, values, replies and hops
 * @param timeout how long to wait for another node
 * @param peers makes the settings for connections to other nodes from the secret and the addresses in ZooKeeper
 * @param advertise the address for other nodes, {@code host} or {@code host:port}; empty if it is to be determined
 * @param tableMaxBytes the largest routing table
 * @param zookeeper the settings for ZooKeeper; empty if the static table is used
 */
public record NodeSettings(
        String name,
        Path folder,
        Duration drain,
        LocalSocketSettings localSocket,
        Logging.Level level,
        Map<String, Logging.Level> loggers,
        RoutingTable table,
        InetSocketAddress address,
        Path cookieFile,
        int ioThreads,
        Duration ioTurnMax,
        int replyThreads,
        Limits limits,
        Duration timeout,
        BiFunction<Bytes, Function<String, Optional<InetSocketAddress>>, PeerSettings> peers,
        String advertise,
        long tableMaxBytes,
        Optional<ZooKeeperSettings> zookeeper) {
    private static final int KIB = 1024;
    private static final int MIB = 1024 * KIB;
    private static final long GIB = 1024 * MIB;
    private static final Duration HOUR = Duration.ofHours(1);

    /** The shortest timeout: longer than ordinary pauses of a busy host. */
    private static final Duration WAIT_MIN = Duration.ofMillis(50);

    /** The size of a message between nodes without names, keys and values; most of it is the path. */
    private static final int MESSAGE_HEAD_MAX_BYTES = 64 * KIB;

    /**
     * @param keepsData whether this node may be named in its own table
     */
    static NodeSettings of(Settings settings, boolean keepsData) {
        String name = name(settings);
        Map<String, Logging.Level> loggers = new HashMap<>();
        for (String logger : settings.texts("kv.log.loggers").keySet()) {
            loggers.put(logger, settings.choice(Settings.key("kv.log.loggers", logger), Logging.Level.class));
        }
        Duration timeout = timeout(settings);
        Limits limits = new Limits(
                settings.count("kv.router.hops-max", 1, 64),
                (int) settings.size("kv.router.bucket-max", 1, 64 * KIB),
                (int) settings.size("kv.router.key-max", 1, 64 * KIB),
                (int) settings.size("kv.router.value-max", 1, GIB),
                (int) settings.size("kv.router.pattern-max", 1, 64 * KIB),
                Math.min(settings.size("kv.router.reply-max", KIB, GIB), orQuarterOfHeap(0)));
        return new NodeSettings(
                name,
                folder(settings),
                settings.duration("kv.node.drain", Duration.ZERO, HOUR),
                LocalSocketSettings.of(settings),
                settings.choice("kv.log.level", Logging.Level.class),
                Map.copyOf(loggers),
                table(settings, name, keepsData),
                address(settings),
                settings.path("kv.router.cookie-file"),
                settings.count("kv.router.io-threads", 0, 256),
                settings.duration("kv.router.io-turn-max", Duration.ofMillis(1), Duration.ofSeconds(1)),
                settings.count("kv.router.reply-threads", 0, 256),
                limits,
                timeout,
                peers(settings, name, limits, timeout),
                advertise(settings),
                tableMaxBytes(settings),
                ZooKeeperSettings.of(settings));
    }

    /** This node's name. */
    public static String name(Settings settings) {
        String name = settings.text("kv.node.name");
        if (!RoutingTable.Node.isName(name)) {
            throw settings.bad(
                    "kv.node.name",
                    "expected name@host, such as foo@red: 1 to 64 letters, digits, _ and -, then @, then 1 to 253 of these and dots");
        }
        return name;
    }

    /** Where this node writes. */
    public static Path folder(Settings settings) {
        return settings.path("kv.node.dir");
    }

    /** How long to wait for another node. */
    public static Duration timeout(Settings settings) {
        return settings.duration("kv.router.timeout", WAIT_MIN, HOUR);
    }

    /** The largest routing table, in bytes of its text. */
    public static long tableMaxBytes(Settings settings) {
        return settings.size("kv.router.table-max", KIB, MIB);
    }

    private static RoutingTable table(Settings settings, String name, boolean keepsData) {
        String key = "kv.router.table";
        String text = settings.text(key);
        long maxBytes = tableMaxBytes(settings);
        if (text.getBytes(UTF_8).length > maxBytes) {
            throw settings.bad(key, "the table has more than " + maxBytes + " bytes (kv.router.table-max)");
        }
        RoutingTable table;
        try {
            table = RoutingTable.parse(text);
        } catch (RoutingTable.Malformed e) {
            throw settings.bad(key, e.getMessage());
        }
        List<RoutingTable.Entry> here = new Placement(name, table).here();
        if (!keepsData && !here.isEmpty()) {
            throw settings.bad(
                    key,
                    "line %d, column %d: %s is this node, which keeps no data (server release)"
                            .formatted(here.getFirst().line(), here.getFirst().column(), name));
        }
        return table;
    }

    private static InetSocketAddress address(Settings settings) {
        String host = settings.text("kv.router.host");
        InetSocketAddress address = new InetSocketAddress(host, settings.port("kv.router.port"));
        if (host.isBlank() || address.isUnresolved()) {
            throw settings.bad("kv.router.host", "expected an address of this machine, or a name for one");
        }
        return address;
    }

    private static String advertise(Settings settings) {
        String advertised = settings.text("kv.router.advertise");
        if (!advertised.isEmpty()
                && Addresses.parse(advertised)
                        .or(() -> Addresses.parse(advertised + ":" + PeerSettings.DEFAULT_PORT))
                        .isEmpty()) {
            throw settings.bad("kv.router.advertise", "expected host or host:port");
        }
        return advertised;
    }

    private static BiFunction<Bytes, Function<String, Optional<InetSocketAddress>>, PeerSettings> peers(
            Settings settings, String name, Limits limits, Duration timeout) {
        long requestMaxBytes = (long) limits.bucketMaxBytes() + limits.keyMaxBytes() + limits.valueMaxBytes();
        Map<String, InetSocketAddress> addresses = addresses(settings);
        Duration reconnectMax = settings.duration("kv.router.reconnect-max", WAIT_MIN, HOUR);
        int connectionsMax = settings.count("kv.router.connections-max", 1, 1_000_000);
        int handshakesMax = settings.count("kv.router.handshakes-max", 1, 1_000_000);
        Duration handshakeTimeout = settings.duration("kv.router.handshake-timeout", WAIT_MIN, HOUR);
        int inFlightMax = settings.count("kv.router.in-flight-max", 1, 1 << 24);
        long unsentMaxBytes = settings.size("kv.router.unsent-max", MIB, 16 * GIB);
        long assemblyMaxBytes = settings.size("kv.router.assembly-max", 0, 1024 * GIB);
        long repliesMaxBytes = settings.size("kv.router.replies-max", 0, 1024 * GIB);
        long messageMaxBytes = Math.max(requestMaxBytes, limits.replyMaxBytes()) + MESSAGE_HEAD_MAX_BYTES;
        return (cookie, registered) -> new PeerSettings(
                name,
                cookie,
                node -> registered.apply(node).or(() -> Optional.ofNullable(addresses.get(node))),
                timeout,
                reconnectMax,
                connectionsMax,
                handshakesMax,
                handshakeTimeout,
                inFlightMax,
                unsentMaxBytes,
                messageMaxBytes,
                new Room(orQuarterOfHeap(assemblyMaxBytes)),
                new Room(orQuarterOfHeap(repliesMaxBytes)));
    }

    private static long orQuarterOfHeap(long bytes) {
        return bytes == 0 ? Runtime.getRuntime().maxMemory() / 4 : bytes;
    }

    private static Map<String, InetSocketAddress> addresses(Settings settings) {
        Map<String, InetSocketAddress> addresses = new HashMap<>();
        settings.texts("kv.router.peers").forEach((peer, text) -> {
            String key = Settings.key("kv.router.peers", peer);
            if (!RoutingTable.Node.isName(peer)) {
                throw settings.bad(key, "expected \"name@host\" = \"host:port\"");
            }
            addresses.put(peer, Addresses.parse(text).orElseThrow(() -> settings.bad(key, "expected \"host:port\"")));
        });
        return addresses;
    }
}
