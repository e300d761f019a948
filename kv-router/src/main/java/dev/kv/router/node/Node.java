package dev.kv.router.node;

import dev.kv.router.Bytes;
import dev.kv.router.Store;
import dev.kv.router.admin.LocalServer;
import dev.kv.router.admin.NodeAnswers;
import dev.kv.router.admin.NodeState;
import dev.kv.router.config.BadStart;
import dev.kv.router.config.Settings;
import dev.kv.router.dispatch.Router;
import dev.kv.router.metrics.Gauge;
import dev.kv.router.metrics.State;
import dev.kv.router.metrics.Unit;
import dev.kv.router.net.Addresses;
import dev.kv.router.net.Loops;
import dev.kv.router.peer.PeerDoor;
import dev.kv.router.peer.PeerSettings;
import dev.kv.router.peer.Peers;
import dev.kv.router.spi.Door;
import dev.kv.router.spi.Engine;
import dev.kv.router.spi.Running;
import dev.kv.router.table.TableInForce;
import dev.kv.router.zookeeper.Membership;
import dev.kv.router.zookeeper.ZooKeeperSettings;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running node: the parts of its release, started in order. Several can run in one process, each in its own folder.
 *
 * <p>It answers at its local socket while it holds the lock of its folder.
 */
public final class Node {
    private static final Logger LOG = LoggerFactory.getLogger(Node.class);

    private final Ready ready;
    private final NodeState state;
    private final Deque<Part> parts = new ArrayDeque<>();

    /** Something that was started, and how to stop it within a limit. */
    private record Part(String name, Stop stop) {}

    @FunctionalInterface
    private interface Stop {
        void within(Duration limit) throws IOException;
    }

    /** A node whose configuration is sound. */
    public static final class Ready {
        private final Settings configuration;
        private final Release release;
        private final NodeSettings settings;
        private final Optional<Engine.Ready> engine;
        private final Optional<Door.Ready> door;

        private Ready(Settings settings, Release release) {
            this.configuration = settings;
            this.release = release;
            this.settings = NodeSettings.of(settings, release.engine().isPresent());
            this.engine = release.engine().map(service -> service.configure(settings));
            this.door = release.door().map(service -> service.configure(settings));
            door.flatMap(Door.Ready::address).ifPresent(this::refuseSamePort);
        }

        private void refuseSamePort(InetSocketAddress clients) {
            InetSocketAddress nodes = settings.address();
            boolean isOneHost = clients.getAddress().equals(nodes.getAddress())
                    || clients.getAddress().isAnyLocalAddress()
                    || nodes.getAddress().isAnyLocalAddress();
            if (clients.getPort() == nodes.getPort() && clients.getPort() != 0 && isOneHost) {
                throw configuration.bad("kv.server.port", "it is kv.router.port of this node, too");
            }
        }

        public NodeSettings settings() {
            return settings;
        }

        /**
         * Refuses the cookie, the data folder and the ports that {@link #start} would refuse after the end of the process that runs this
         * node now. A cookie or a folder that does not exist is made.
         *
         * @param ports those of that process
         * @param data the data folder of that process; empty if it is unknown: then that of this node is not checked
         * @throws BadStart if one of them is refused
         */
        public void check(Set<Integer> ports, Optional<Path> data) {
            Bytes _ = Cookie.readOrMake(settings.cookieFile());
            data.ifPresent(held -> engine.ifPresent(storage -> storage.check(held)));
            refuseTaken("kv.router", settings.address(), ports);
            door.flatMap(Door.Ready::address).ifPresent(address -> refuseTaken("kv.server", address, ports));
        }

        private void refuseTaken(String section, InetSocketAddress address, Set<Integer> ports) {
            // Of a port of that process only the host is to be told: at any free port.
            boolean isFreed = ports.contains(address.getPort());
            try (ServerSocketChannel listening = ServerSocketChannel.open()) {
                listening.bind(isFreed ? new InetSocketAddress(address.getAddress(), 0) : address);
            } catch (IOException e) {
                throw configuration.bad(
                        section + (isFreed ? ".host" : ".port"),
                        "cannot listen at " + Addresses.text(address) + ": " + BadStart.reason(e));
            }
        }

        /**
         * Starts the node: its folder, its storage, the other nodes, its clients. Blocks until all of it runs.
         *
         * @param stopAsked is run when somebody asks at the local socket to stop the node; it must not block
         * @throws BadStart if a part cannot be started; those before it are stopped again
         */
        public Node start(Runnable stopAsked) {
            Node node = new Node(this);
            try {
                node.start(stopAsked);
            } catch (RuntimeException | Error e) {
                node.stopParts(Duration.ZERO);
                throw e;
            }
            return node;
        }
    }

    private Node(Ready ready) {
        this.ready = ready;
        NodeSettings settings = ready.settings;
        Release release = ready.release;
        this.state = new NodeState(new NodeState.Identity(
                settings.name(),
                release.role(),
                release.version(),
                release.engine().isPresent(),
                settings.drain(),
                settings.timeout(),
                settings.limits()));
    }

    /**
     * Reads and checks the configuration of all parts; opens nothing.
     *
     * @throws BadStart if a part cannot start with it
     */
    public static Ready configure(Settings settings, Release release) {
        return new Ready(settings, release);
    }

    private void start(Runnable stopAsked) {
        NodeSettings settings = ready.settings;
        for (String section : ready.configuration.ignored()) {
            LOG.info("{}.* is ignored: a {} release has no use for it", section, ready.release.role());
        }
        if (settings.zookeeper().isEmpty()) {
            settings.table().warnings().forEach(warning -> LOG.warn("kv.router.table: {}", warning));
        }
        NodeAnswers answers = new NodeAnswers(state, settings.localSocket().longMax(), stopAsked);
        holdFolder(answers);
        Bytes cookie = Cookie.readOrMake(settings.cookieFile());

        state.turnTo("opening the storage");
        Optional<Engine.Open> storage = ready.engine.map(engine -> engine.start(settings.limits(), state::turnTo));
        storage.ifPresent(open -> started(Engine.PART, open));
        storage.ifPresent(state::opened);
        started("backups, exports and imports", limit -> answers.cutOff());

        state.turnTo("opening the ports");
        Loops loops = new Loops(settings.ioThreads(), settings.ioTurnMax(), settings.replyThreads());
        started("loops", limit -> loops.close());
        Optional<Membership> membership = settings.zookeeper().map(zookeeper -> membership(zookeeper, storage));
        PeerSettings peerSettings =
                settings.peers().apply(cookie, node -> membership.flatMap(known -> known.addressOf(node)));
        Peers peers = new Peers(loops, peerSettings);
        started("peers", limit -> peers.close());
        TableInForce table = membership
                .map(Membership::begin)
                .orElseGet(() -> new TableInForce(settings.table(), 0, "kv.router.table", Instant.now()));
        Router routing = new Router(settings.name(), storage.map(Store.class::cast), peers, settings.limits(), table);
        state.routesBy(routing);
        PeerDoor peerDoor = openPeerDoor(loops, peerSettings, routing);
        started("nodes", peerDoor::stop);
        state.metrics()
                .add(
                        "nodes",
                        List.of(
                                new Gauge("links in", Unit.COUNT, "Open links from other nodes.", peerDoor::links),
                                new Gauge("links out", Unit.COUNT, "Open links to other nodes.", peers::links),
                                new State("unreached", "Nodes that the last attempt missed.", peers::unreached)));
        state.peersAt(peerDoor.address());
        membership.ifPresent(others -> {
            state.turnTo("reading ZooKeeper");
            others.join(
                    Advertised.address(settings, peerDoor.address()),
                    newer -> use(newer, routing, peers),
                    peers::moved);
            state.turnTo("opening the ports");
        });
        ready.door.ifPresent(door -> {
            Door.Facts facts = new Door.Facts(
                    settings.name(),
                    ready.release.role(),
                    ready.release.version(),
                    settings.limits(),
                    routing::inForce,
                    state.metrics());
            Door.Open open = door.start(routing::store, loops, facts);
            started("clients", open);
            state.clientsAt(open.address());
            membership.ifPresent(others -> others.clientsAt(Addresses.text(open.address())));
        });

        state.turnTo("");
        state.enter(NodeState.Stage.RUNNING);
        LOG.info(
                "{} runs: {}, {}nodes at {}, {}",
                settings.name(),
                ready.release.role(),
                state.clientAddress()
                        .map(address -> "clients at " + Addresses.text(address) + ", ")
                        .orElse(""),
                Addresses.text(peerDoor.address()),
                named(routing.inForce()));
    }

    private static String named(TableInForce table) {
        return table.absence().isEmpty() ? "table [" + table.table().printable() + "]" : "no routing table yet";
    }

    private Membership membership(ZooKeeperSettings zookeeper, Optional<Engine.Open> storage) {
        Path folder = ready.settings.folder();
        Membership.Self self = new Membership.Self(
                ready.settings.name(),
                ready.release.role(),
                ready.release.version(),
                NodeFolder.instance(folder),
                folder);
        Membership membership = new Membership(
                zookeeper,
                self,
                ready.settings.tableMaxBytes(),
                visitor -> storage.ifPresent(buckets -> buckets.forEachBucket(visitor::test)));
        started("zookeeper", limit -> membership.close());
        state.metrics().add("zookeeper", membership.metrics());
        return membership;
    }

    private void holdFolder(NodeAnswers answers) {
        NodeSettings settings = ready.settings;
        state.turnTo("taking " + settings.folder());
        try {
            NodeFolder folder = NodeFolder.hold(settings.folder())
                    .orElseThrow(() -> new BadStart("a node runs in " + settings.folder() + " already (process "
                            + NodeFolder.pid(settings.folder()) + "): stop it, or give this one another kv.node.dir"));
            started("folder", limit -> folder.close());
            folder.lostBefore()
                    .ifPresent(pid ->
                            LOG.warn("the last run of {}, process {}, ended without a stop", settings.name(), pid));
            LocalServer socket = LocalServer.open(settings.folder(), settings.localSocket(), answers);
            started("local socket", limit -> socket.close());
        } catch (IOException e) {
            throw ready.configuration.bad(
                    "kv.node.dir",
                    "cannot be used: " + BadStart.reason(e) + "; config/kv.conf or KV_DIR names another folder");
        }
    }

    private static void use(TableInForce table, Router routing, Peers peers) {
        routing.use(table);
        peers.keepThoseOf(table.table());
    }

    private PeerDoor openPeerDoor(Loops loops, PeerSettings peerSettings, Router routing) {
        InetSocketAddress address = ready.settings.address();
        try {
            return new PeerDoor(loops, address, peerSettings, routing);
        } catch (IOException e) {
            String why = "cannot listen at " + Addresses.text(address) + ": " + BadStart.reason(e);
            throw ready.configuration.bad("kv.router.port", why);
        }
    }

    private void started(String name, Running running) {
        state.metrics().add(name, running.metrics());
        started(name, running::stop);
    }

    private void started(String name, Stop stop) {
        parts.push(new Part(name, stop));
    }

    /** The address of the door for other nodes, with the port that was given where any free one was asked for. */
    public Optional<InetSocketAddress> peerAddress() {
        return state.peerAddress();
    }

    /** The address of the door for clients, likewise; empty without such a door. */
    public Optional<InetSocketAddress> clientAddress() {
        return state.clientAddress();
    }

    public NodeSettings settings() {
        return ready.settings;
    }

    /**
     * Stops the parts in reverse order. Each answers requests in flight; after {@code limit} the rest is cut off. A part that
     * fails to stop does not prevent the others from stopping. Called once, by one thread.
     */
    public void stop(Duration limit) {
        state.enter(NodeState.Stage.STOPPING);
        LOG.info("{} stops", ready.settings.name());
        stopParts(limit);
        LOG.info("{} has stopped", ready.settings.name());
    }

    private void stopParts(Duration limit) {
        long deadlineNanos = System.nanoTime() + limit.toNanos();
        while (!parts.isEmpty()) {
            Part part = parts.pop();
            state.turnTo("stopping: " + part.name());
            try {
                part.stop().within(Duration.ofNanos(Math.max(0, deadlineNanos - System.nanoTime())));
            } catch (IOException | RuntimeException | Error e) {
                LOG.error("{} could not be stopped in order", part.name(), e);
            }
        }
    }
}
