package dev.kv.server;

import dev.kv.router.Bytes;
import dev.kv.router.Limits;
import dev.kv.router.Store;
import dev.kv.router.metrics.Gauge;
import dev.kv.router.metrics.Metric;
import dev.kv.router.metrics.Unit;
import dev.kv.router.net.Addresses;
import dev.kv.router.net.Budget;
import dev.kv.router.net.Connection;
import dev.kv.router.net.Listener;
import dev.kv.router.net.Loops;
import dev.kv.router.net.Report;
import dev.kv.router.spi.Door;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The door while it is open: the port and the clients. */
final class OpenDoor implements Door.Open {
    private static final Logger LOG = LoggerFactory.getLogger(OpenDoor.class);
    private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);
    private static final String CONNECTIONS_KEY = "kv.server.connections-max";

    private final ServerSettings settings;
    private final Supplier<Store> stores;
    private final long bufferMaxBytes;
    private final Budget buffers;
    private final Report http = new Report(LOG, REPORT_INTERVAL);
    private final HeldBudget held;
    private final Report heldTooLong = new Report(LOG, REPORT_INTERVAL);
    private final Report overBudget = new Report(LOG, REPORT_INTERVAL);
    private final Door.Facts node;
    private final Info info;
    private final AtomicLong connectionsReceived = new AtomicLong();
    private final AtomicLong requestsOfClosed = new AtomicLong();
    private final ConcurrentMap<Long, ClientConnection> clients = new ConcurrentHashMap<>();
    private final Listener<ClientConnection> listener;

    private OpenDoor(
            ServerSettings settings, Supplier<Store> stores, Loops loops, Door.Facts node, Listener.Options options)
            throws IOException {
        this.settings = settings;
        this.stores = stores;
        this.node = node;
        this.info = new Info(node, this);
        this.bufferMaxBytes = bufferMaxBytes(settings, Runtime.getRuntime().maxMemory());
        this.buffers = new Budget(bufferMaxBytes);
        this.held = new HeldBudget(settings.heldMaxBytes());
        this.listener = loops.listen(settings.address(), options, this::admit);
    }

    /** Opens the port. */
    static OpenDoor open(ServerSettings settings, Supplier<Store> stores, Loops loops, Door.Facts node)
            throws IOException {
        if (settings.password().isEmpty() && !settings.address().getAddress().isLoopbackAddress()) {
            LOG.warn(
                    "whoever reaches {} reads and writes all buckets: set kv.server.password, or listen on loopback"
                            + " (kv.server.host)",
                    Addresses.text(settings.address()));
        }
        int connectionsMax = settings.connectionsMax() == 0 ? Integer.MAX_VALUE : settings.connectionsMax();
        Listener.Options options = new Listener.Options(
                "the door for clients",
                connectionsMax,
                CONNECTIONS_KEY,
                1,
                most -> Bytes.of("ERROR ERR " + tooManyConnections(most) + "\r\n"),
                settings.password().isEmpty()
                        ? Optional.empty()
                        : Optional.of(new Listener.Proof(
                                settings.loginsMax(), "kv.server.logins-max", settings.loginTimeout())));
        return new OpenDoor(settings, stores, loops, node, options);
    }

    private static String tooManyConnections(int most) {
        return "too many connections: this node serves %d at most (%s)".formatted(most, CONNECTIONS_KEY);
    }

    /** What a client above the limit is told. */
    String tooManyConnections() {
        return tooManyConnections(connectionsMax());
    }

    /**
     * The memory for all clients.
     *
     * @param heapBytes the largest heap; a quarter of it where the setting leaves it to the node, but no less than lines need
     */
    static long bufferMaxBytes(ServerSettings settings, long heapBytes) {
        return settings.bufferMaxBytes() != 0
                ? settings.bufferMaxBytes()
                : Math.max(heapBytes / 4, (long) ServerSettings.BUFFERS_PER_LINE * settings.lineMaxBytes());
    }

    @Override
    public InetSocketAddress address() {
        return listener.address();
    }

    private ClientConnection admit(Connection.Socket socket) {
        long id = connectionsReceived.incrementAndGet();
        RespSession session = new RespSession(id, this, socket, buffers);
        ClientConnection client = new ClientConnection(socket, this, settings, stores.get(), buffers, session);
        clients.put(id, client);
        return client;
    }

    /** The client is gone. */
    void left(ClientConnection client) {
        clients.remove(client.session().id());
        requestsOfClosed.addAndGet(client.requests());
    }

    /** The clients that are wanted, in the order in which they came. Any thread. */
    List<ClientConnection> clients(Predicate<ClientConnection> wanted) {
        return clients.values().stream()
                .filter(wanted)
                .sorted(Comparator.comparingLong(client -> client.session().id()))
                .toList();
    }

    /** Closes the connections of the clients that are wanted, that of the one who asks when it is answered. */
    int kill(Predicate<RespSession> wanted, RespSession asking) {
        List<ClientConnection> killed = clients(client -> wanted.test(client.session()));
        for (ClientConnection client : killed) {
            if (client.session() == asking) {
                asking.quit();
            } else {
                client.loop().execute(client::kill);
            }
        }
        return killed.size();
    }

    boolean hasPassword() {
        return !settings.password().isEmpty();
    }

    /** Whether these let a client in; any do where there is no password. Takes a time that tells nothing of it. */
    boolean isPassword(Bytes given) {
        return !hasPassword()
                || MessageDigest.isEqual(given.array(), settings.password().array());
    }

    /** The longest bulk string: a value, if no name may be longer. */
    int bulkMaxBytes() {
        Limits limits = node.limits();
        return Math.max(limits.valueMaxBytes(), Math.max(limits.keyMaxBytes(), limits.bucketMaxBytes()));
    }

    Info info() {
        return info;
    }

    int connections() {
        return listener.connections();
    }

    int connectionsMax() {
        return listener.connectionsMax();
    }

    long connectionsReceived() {
        return connectionsReceived.get();
    }

    /** How many requests all clients have made, about. */
    long requestsTaken() {
        return requestsOfClosed.get()
                + clients.values().stream()
                        .mapToLong(ClientConnection::requests)
                        .sum();
    }

    String addressText() {
        return Addresses.text(address());
    }

    /** What clients of Redis ask for by {@code CONFIG GET}. */
    Map<String, String> redisSettings() {
        Map<String, String> known = new LinkedHashMap<>();
        known.put("appendonly", "yes");
        known.put("bind", settings.address().getAddress().getHostAddress());
        known.put("databases", "1");
        known.put("maxclients", Integer.toString(connectionsMax()));
        known.put("maxmemory", "0");
        known.put("maxmemory-policy", "noeviction");
        known.put("port", Integer.toString(address().getPort()));
        known.put("proto-max-bulk-len", Integer.toString(bulkMaxBytes()));
        known.put("save", "");
        known.put("timeout", Long.toString(settings.idle().toSeconds()));
        return known;
    }

    void spokeHttp(ClientConnection client) {
        http.report(() -> "closed the connection of " + client.remote()
                + ": it speaks HTTP, as a browser does; nothing of it was run from there on");
    }

    /** The bound for the large values that all clients are being sent. */
    HeldBudget held() {
        return held;
    }

    void heldTooLong(Connection client) {
        heldTooLong.report(() -> ("closed the connection of %s: it did not take a large value within %d ms"
                        + " (kv.server.held-time), and there is no memory for the rest of it (kv.server.buffer-max)")
                .formatted(client.remote(), settings.heldTime().toMillis()));
    }

    void overBudget(ClientConnection client) {
        overBudget.report(() -> "closed the connection of " + client.remote()
                + ": what clients have sent and not taken fills " + bufferMaxBytes + " bytes (kv.server.buffer-max)");
    }

    @Override
    public List<Metric> metrics() {
        return List.of(new Gauge("connections", Unit.COUNT, "Open connections of clients.", listener::connections));
    }

    @Override
    public void stop(Duration limit) {
        int cutOff = listener.stop(limit, ClientConnection::finish);
        if (cutOff > 0) {
            LOG.warn("cut off {} clients that had not got all their replies within {} ms", cutOff, limit.toMillis());
        }
    }
}
