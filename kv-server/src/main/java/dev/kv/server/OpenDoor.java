package dev.kv.server;

import com.sun.management.UnixOperatingSystemMXBean;
import dev.kv.router.Bytes;
import dev.kv.router.Store;
import dev.kv.router.net.Budget;
import dev.kv.router.net.Connection;
import dev.kv.router.net.Listener;
import dev.kv.router.net.Loops;
import dev.kv.router.net.Report;
import dev.kv.router.node.Door;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The door while it is open: the port and the clients. */
final class OpenDoor implements Door.Open {
    private static final Logger LOG = LoggerFactory.getLogger(OpenDoor.class);
    private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);

    /** File descriptors kept for other nodes, files and ZooKeeper: a quarter of all, at most so many. */
    private static final int DESCRIPTORS_RESERVED_MAX = 1024;

    private final ServerSettings settings;
    private final Supplier<Store> stores;
    private final long bufferMaxBytes;
    private final Budget buffers;
    private final Report http = new Report(LOG, REPORT_INTERVAL);
    private final Report overBudget = new Report(LOG, REPORT_INTERVAL);
    private final Listener<ClientConnection> listener;

    private OpenDoor(ServerSettings settings, Supplier<Store> stores, Loops loops, Listener.Options options)
            throws IOException {
        this.settings = settings;
        this.stores = stores;
        this.bufferMaxBytes = bufferMaxBytes(settings, Runtime.getRuntime().maxMemory());
        this.buffers = new Budget(bufferMaxBytes);
        this.listener = loops.listen(settings.address(), options, this::admit);
    }

    /** Opens the port. */
    static OpenDoor open(ServerSettings settings, Supplier<Store> stores, Loops loops) throws IOException {
        int connectionsMax = connectionsMax(
                settings.connectionsMax(),
                ManagementFactory.getPlatformMXBean(UnixOperatingSystemMXBean.class)
                        .getMaxFileDescriptorCount());
        Bytes refusal =
                Bytes.of("ERROR ERR too many connections: this node serves %d at most (kv.server.connections-max)\r\n"
                        .formatted(connectionsMax));
        return new OpenDoor(
                settings, stores, loops, new Listener.Options(connectionsMax, refusal, "the door for clients"));
    }

    /**
     * How many clients may be connected at once.
     *
     * @param wanted the setting; 0 for as many as can be
     * @param descriptors how many file descriptors this process may have
     */
    static int connectionsMax(int wanted, long descriptors) {
        long reserved = Math.min(descriptors / 4, DESCRIPTORS_RESERVED_MAX);
        int possible = Math.clamp(descriptors - reserved, 1, Integer.MAX_VALUE);
        if (wanted > possible) {
            LOG.warn(
                    "kv.server.connections-max = {} is more than the {} file descriptors (ulimit -n) allow; it is {}",
                    wanted,
                    descriptors,
                    possible);
        }
        return wanted == 0 ? possible : Math.min(wanted, possible);
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
        return new ClientConnection(socket, this, settings, stores.get(), buffers);
    }

    void spokeHttp(ClientConnection client) {
        http.report(() -> "closed the connection of " + client.remote()
                + ": it speaks HTTP, as a browser does; nothing of it was run from there on");
    }

    void overBudget(ClientConnection client) {
        overBudget.report(() -> "closed the connection of " + client.remote()
                + ": what clients have sent and not taken fills " + bufferMaxBytes + " bytes (kv.server.buffer-max)");
    }

    @Override
    public Map<String, String> status() {
        return Map.of("connections", String.valueOf(listener.connections()));
    }

    @Override
    public void stop(Duration limit) {
        int cutOff = listener.stop(limit, ClientConnection::finish);
        if (cutOff > 0) {
            LOG.warn("cut off {} clients that had not got all their replies within {} ms", cutOff, limit.toMillis());
        }
    }
}
