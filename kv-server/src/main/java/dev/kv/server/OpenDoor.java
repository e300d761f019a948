package dev.kv.server;

import dev.kv.router.Bytes;
import dev.kv.router.Limits;
import dev.kv.router.Store;
import dev.kv.router.metrics.Gauge;
import dev.kv.router.metrics.Metric;
import dev.kv.router.metrics.State;
import dev.kv.router.metrics.Unit;
import dev.kv.router.net.Addresses;
import dev.kv.router.net.Budget;
import dev.kv.router.net.Connection;
import dev.kv.router.net.Greeting;
import dev.kv.router.net.Listener;
import dev.kv.router.net.Loops;
import dev.kv.router.net.OpenSocket;
import dev.kv.router.net.Report;
import dev.kv.router.spi.Door;
import dev.kv.server.auth.Login;
import dev.kv.server.reply.HeldBudget;
import dev.kv.server.resp.Clients;
import dev.kv.server.resp.RespDoor;
import dev.kv.server.resp.RespSession;
import dev.kv.server.resp.RespWriter;
import dev.kv.server.resp.Statistics;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The open port for clients: its listener, its clients, and the bounds that they share. */
final class OpenDoor implements Door.Open, RespDoor {
    private static final Logger LOG = LoggerFactory.getLogger(OpenDoor.class);
    /** The log has at most one line of a kind in this time. */
    private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);

    private static final String CONNECTIONS_KEY = "kv.server.connections-max";

    private final ServerSettings settings;
    private final Supplier<Store> stores;
    private final long bufferMaxBytes;
    private final Budget buffers;
    private final Report strangers = new Report(LOG, REPORT_INTERVAL);
    private final HeldBudget held;
    private final Report heldTooLong = new Report(LOG, REPORT_INTERVAL);
    private final Report stalled = new Report(LOG, REPORT_INTERVAL);
    private final Report overBudget = new Report(LOG, REPORT_INTERVAL);
    private final Door.Facts node;
    private final Clients clients = new Clients();
    private final Statistics statistics = new Statistics();
    private final Map<Object, RespWriter> writers = new ConcurrentHashMap<>();
    private final Listener<ClientConnection> listener;

    private OpenDoor(
            ServerSettings settings, Supplier<Store> stores, Loops loops, Door.Facts node, Listener.Options options)
            throws IOException {
        this.settings = settings;
        this.stores = stores;
        this.node = node;
        this.bufferMaxBytes = bufferMaxBytes(settings, Runtime.getRuntime().maxMemory());
        this.buffers = new Budget(bufferMaxBytes);
        this.held = new HeldBudget(settings.heldMaxBytes());
        this.listener = loops.listen(settings.address(), options, this::admit);
    }

    /** Opens the port. */
    static OpenDoor open(ServerSettings settings, Supplier<Store> stores, Loops loops, Door.Facts node)
            throws IOException {
        exposure(settings).ifPresent(LOG::warn);
        int connectionsMax = settings.connectionsMax() == 0 ? Integer.MAX_VALUE : settings.connectionsMax();
        Listener.Options options = new Listener.Options(
                "the door for clients",
                connectionsMax,
                CONNECTIONS_KEY,
                1,
                most -> Bytes.of("ERROR ERR " + tooManyConnections(most) + "\r\n"),
                settings.password().isNeeded()
                        ? Optional.of(new Listener.Proof(
                                settings.loginsMax(), "kv.server.logins-max", settings.loginTimeout()))
                        : Optional.empty());
        return new OpenDoor(settings, stores, loops, node, options);
    }

    /** What is wrong with the door if everybody may use it. */
    private static Optional<String> exposure(ServerSettings settings) {
        return settings.password().isNeeded() || settings.address().getAddress().isLoopbackAddress()
                ? Optional.empty()
                : Optional.of(
                        "everybody who reaches " + Addresses.text(settings.address())
                                + " can read and write all buckets: set kv.server.password, or listen on loopback (kv.server.host)");
    }

    private static String tooManyConnections(int most) {
        return "too many connections: this node serves %d at most (%s)".formatted(most, CONNECTIONS_KEY);
    }

    @Override
    public String tooManyConnections() {
        return tooManyConnections(connectionsMax());
    }

    /**
     * The memory for the buffers of all clients.
     *
     * @param heapBytes the largest heap: the default is a quarter of it, and at least what one line needs
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

    private ClientConnection admit(OpenSocket socket) {
        Login login = new Login(settings.password(), socket::prove);
        RespSession session = new RespSession(clients.nextId(), this, socket, login, buffers);
        ClientConnection client = new ClientConnection(socket, this, stores.get(), session);
        clients.add(session);
        return client;
    }

    @Override
    public Door.Facts node() {
        return node;
    }

    @Override
    public Clients clients() {
        return clients;
    }

    @Override
    public Statistics statistics() {
        return statistics;
    }

    @Override
    public Duration idle() {
        return settings.idle();
    }

    /** The longest value or name. */
    @Override
    public int bulkMaxBytes() {
        Limits limits = node.limits();
        return Math.max(limits.valueMaxBytes(), Math.max(limits.keyMaxBytes(), limits.bucketMaxBytes()));
    }

    /** The setting that {@link #bulkMaxBytes} comes from. */
    String bulkMaxKey() {
        Limits limits = node.limits();
        if (bulkMaxBytes() == limits.valueMaxBytes()) {
            return Limits.VALUE_MAX_KEY;
        }
        return bulkMaxBytes() == limits.keyMaxBytes() ? Limits.KEY_MAX_KEY : Limits.BUCKET_MAX_KEY;
    }

    @Override
    public int connections() {
        return listener.connections();
    }

    @Override
    public int connectionsMax() {
        return listener.connectionsMax();
    }

    /** Reports a client that speaks another protocol, and returns what it gets. */
    Bytes refuse(ClientConnection client, Greeting greeting) {
        String remedy = greeting == Greeting.NODE
                ? "; other nodes connect to kv.router.port: mend kv.router.peers or the port in the routing table of the caller"
                : ": connect with RESP or the line protocol";
        strangers.report(() -> "closed the connection of " + client.remote() + ": it speaks " + greeting.protocol()
                + ", but this port is for clients (kv.server.port); no further line of it was run");
        return Bytes.owning(greeting.refusal("this port is for clients of kv (kv.server.port)" + remedy));
    }

    /** Writes the replies to the clients of a loop, one after another; on its thread only. */
    RespWriter writer(Object loop) {
        return writers.computeIfAbsent(loop, _ -> new RespWriter(false));
    }

    ServerSettings settings() {
        return settings;
    }

    /** The memory for the buffers of all clients. */
    Budget buffers() {
        return buffers;
    }

    /** The bound for the large values that are held for all clients. */
    HeldBudget held() {
        return held;
    }

    void heldTooLong(Connection client) {
        heldTooLong.report(() -> ("closed the connection of %s: it did not take a large value within %d ms"
                        + " (kv.server.held-time), and there is no memory for the rest of it (kv.server.buffer-max)")
                .formatted(client.remote(), settings.heldTime().toMillis()));
    }

    void stalled(Connection client) {
        stalled.report(
                () -> ("closed the connection of %s: it took nothing of its replies for %d ms (kv.server.stalled-time)"
                                + " while others waited for the memory, little of kv.server.buffer-max was left, or the"
                                + " node stopped")
                        .formatted(client.remote(), settings.stalledTime().toMillis()));
    }

    void overBudget(ClientConnection client) {
        overBudget.report(() -> "closed the connection of " + client.remote()
                + ": the buffers of all clients take " + bufferMaxBytes + " bytes, as many as they may"
                + " (kv.server.buffer-max)");
    }

    @Override
    public List<Metric> metrics() {
        return List.of(
                new Gauge("connections", Unit.COUNT, "Open connections of clients.", listener::connections),
                new State("state", "Why the port is not safe; empty if it is.", () -> exposure(settings)));
    }

    @Override
    public void stop(Duration limit) {
        int cutOff = listener.stop(limit, ClientConnection::finish);
        if (cutOff > 0) {
            LOG.warn("cut off {} clients that still waited for replies after {} ms", cutOff, limit.toMillis());
        }
    }
}
