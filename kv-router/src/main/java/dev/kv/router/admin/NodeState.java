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
 * What can be asked about a node: who it is, which stage of its life it is in, and what it has opened. The node sets it while it
 * starts and stops. Any thread.
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

    /** The stages of a node's life, in their order. */
    public enum Stage {
        STARTING,
        RUNNING,
        STOPPING;

        /** As status documents say it. */
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * What does not change while the node lives.
     *
     * @param role what its release makes it
     * @param version of its release
     * @param keepsData whether its release has storage
     * @param drain how long it may take to stop
     * @param timeout how long it waits for another node
     * @param limits what is too large for it
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

    /** What a node that starts or stops is about; empty while it runs. */
    String doing() {
        return doing;
    }

    /** The node turns to something, in words for people. */
    public void turnTo(String what) {
        doing = what;
    }

    /** Empty until the node has come so far, and if it keeps no data. */
    Optional<Engine.Open> engine() {
        return engine;
    }

    public void opened(Engine.Open storage) {
        engine = Optional.of(storage);
    }

    /** Empty until the node has come so far. */
    Optional<Router> router() {
        return router;
    }

    public void routesBy(Router routing) {
        router = Optional.of(routing);
    }

    /** Where clients connect; empty until they can. */
    public Optional<InetSocketAddress> clientAddress() {
        return clientAddress;
    }

    public void clientsAt(InetSocketAddress address) {
        clientAddress = Optional.of(address);
    }

    /** Where other nodes connect; empty until they can. */
    public Optional<InetSocketAddress> peerAddress() {
        return peerAddress;
    }

    public void peersAt(InetSocketAddress address) {
        peerAddress = Optional.of(address);
    }

    /** What the parts of the node measure and report, each from when it has started. */
    public Metrics metrics() {
        return metrics;
    }
}
