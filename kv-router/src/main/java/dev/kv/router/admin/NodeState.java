package dev.kv.router.admin;

import dev.kv.router.Limits;
import dev.kv.router.dispatch.Router;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.spi.Engine;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;

/**
 * The state of a node for the local socket: identity, stage, and opened parts. The node sets it while it starts and stops. Any
 * thread.
 */
public final class NodeState {
    private final Identity identity;
    private final Instant startedAt = Instant.now();
    private final Metrics metrics = new Metrics();
    private volatile Stage stage = Stage.STARTING;
    private volatile String doing = "";
    private volatile Optional<Engine.Open> engine = Optional.empty();
    private volatile Optional<Router> router = Optional.empty();
    private volatile Optional<InetSocketAddress> clientAddress = Optional.empty();
    private volatile Optional<InetSocketAddress> peerAddress = Optional.empty();

    /** The stages of a node, in order. */
    public enum Stage {
        STARTING,
        RUNNING,
        STOPPING;

        /** The text in status documents. */
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * Facts that do not change while the node runs.
     *
     * @param role {@code combined}, {@code storage} or {@code server}
     * @param version the version of its release
     * @param keepsData whether its release has storage
     * @param drain the longest time for a stop in order
     * @param timeout how long it waits for another node
     * @param limits the bounds of names, keys, values and replies
     */
    public record Identity(
            String name,
            String role,
            String version,
            boolean keepsData,
            Duration drain,
            Duration timeout,
            Limits limits) {}

    public NodeState(Identity identity) {
        this.identity = identity;
    }

    Identity identity() {
        return identity;
    }

    Instant startedAt() {
        return startedAt;
    }

    Stage stage() {
        return stage;
    }

    /** The node enters a stage. */
    public void enter(Stage next) {
        stage = next;
    }

    /** The current step of a start or stop; empty while the node runs. */
    String doing() {
        return doing;
    }

    /** Sets the current step, in words for people. */
    public void turnTo(String what) {
        doing = what;
    }

    /** Empty until it is open, and if the node keeps no data. */
    Optional<Engine.Open> engine() {
        return engine;
    }

    public void opened(Engine.Open storage) {
        engine = Optional.of(storage);
    }

    /** Empty until it exists. */
    Optional<Router> router() {
        return router;
    }

    public void routesBy(Router routing) {
        router = Optional.of(routing);
    }

    /** The address for clients; empty until it is open. */
    public Optional<InetSocketAddress> clientAddress() {
        return clientAddress;
    }

    public void clientsAt(InetSocketAddress address) {
        clientAddress = Optional.of(address);
    }

    /** The address for other nodes; empty until it is open. */
    public Optional<InetSocketAddress> peerAddress() {
        return peerAddress;
    }

    public void peersAt(InetSocketAddress address) {
        peerAddress = Optional.of(address);
    }

    /** The metrics of the parts that have started. */
    public Metrics metrics() {
        return metrics;
    }
}
