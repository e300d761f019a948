package dev.kv.acceptance.harness;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.filter.ThresholdFilter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.kv.router.Store;
import dev.kv.router.config.Layers;
import dev.kv.router.node.Node;
import dev.kv.router.node.Release;
import dev.kv.router.spi.Door;
import dev.kv.router.spi.Engine;
import dev.kv.router.testing.Firewall;
import dev.kv.server.ClientDoor;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.Transcript;
import dev.kv.server.testing.Transcript.Pace;
import dev.kv.storage.LogStorage;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.UnaryOperator;
import org.slf4j.LoggerFactory;

/**
 * Combined nodes in this process with their listeners for clients and for nodes, and a firewall on the way from each node to each
 * other one.
 */
public final class Cluster implements AutoCloseable {
    private final Path folder;
    private final Map<String, Member> members = new LinkedHashMap<>();
    private final Logger nodesLog = (Logger) LoggerFactory.getLogger("dev.kv");
    private final ListAppender<ILoggingEvent> faults = listen(nodesLog);

    /** Makes nodes called {@code name@h} and starts none of them. */
    public Cluster(Path folder, String... names) throws IOException {
        this.folder = folder;
        Files.createDirectories(folder.resolve("home"));
        SecretFile.write(folder.resolve("cookie"), SecretFile.SHARED);
        for (String name : names) {
            members.put(name, new Member(name + "@h"));
        }
        for (Member from : members.values()) {
            for (Member to : members.values()) {
                from.links.put(to, new Firewall(() -> to.nodes().getPort()));
            }
        }
    }

    /** Starts {@code foo} and {@code bar}, which keep half of the names each, and {@code front}, which keeps none. */
    public static Cluster withFront(Path folder) throws IOException {
        Cluster cluster = new Cluster(folder, "foo", "bar", "front");
        cluster.node("front").keepNoData();
        cluster.start(TwoNodes.HALVES);
        return cluster;
    }

    public Member node(String name) {
        return members.get(name);
    }

    public List<Member> nodes() {
        return List.copyOf(members.values());
    }

    /** The firewalls between all nodes. */
    public List<Firewall> links() {
        return members.values().stream()
                .flatMap(from -> from.links.values().stream())
                .toList();
    }

    /** Sets a key of the configuration of all nodes that start from now on. */
    public void set(String key, String value) {
        members.values().forEach(member -> member.set(key, value));
    }

    /** Starts all nodes with the same table. */
    public void start(String table) {
        members.values().forEach(member -> member.start(table));
    }

    /** Ends all nodes, and fails if one of them has logged an error: no event outside of a node is more than a warning. */
    @Override
    public void close() {
        members.values().forEach(Member::kill);
        links().forEach(Firewall::close);
        nodesLog.detachAppender(faults);
        assertThat(faults.list).as("faults of nodes").isEmpty();
    }

    /** Collects the errors that are logged. */
    private static ListAppender<ILoggingEvent> listen(Logger logger) {
        ThresholdFilter errors = new ThresholdFilter();
        errors.setLevel("ERROR");
        errors.start();
        ListAppender<ILoggingEvent> listening = new ListAppender<>();
        listening.addFilter(errors);
        listening.start();
        logger.addAppender(listening);
        return listening;
    }

    /** One of the nodes; it can be started and ended more than once. */
    public final class Member {
        private final String name;
        private final Map<String, String> settings = new HashMap<>();
        private final Map<Member, Firewall> links = new LinkedHashMap<>();
        private Optional<Node> running = Optional.empty();
        private boolean keepsData = true;
        private UnaryOperator<Door> door = UnaryOperator.identity();
        private InetSocketAddress nodes = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);

        private Member(String name) {
            this.name = name;
            set("kv.node.name", name);
            set("kv.node.dir", folder.resolve(name).toString());
            set("kv.router.host", "127.0.0.1");
            set("kv.router.port", "0");
            set("kv.router.cookie-file", folder.resolve("cookie").toString());
            set("kv.router.reconnect-max", "100ms");
            set("kv.router.io-threads", "2");
            set("kv.server.port", "0");
        }

        public String name() {
            return name;
        }

        /** The firewall on the way from this node to another one. */
        public Firewall to(Member other) {
            return links.get(other);
        }

        /** Sets a key of the configuration, from the next start on. */
        public void set(String key, String value) {
            settings.put(key, value);
        }

        /** Makes it a node of the server release, from the next start on. */
        public void keepNoData() {
            keepsData = false;
        }

        /**
         * Has its door stamp requests with the time of a clock that the test moves, in milliseconds since 1970, from the next start on. The
         * threads of the node ask it.
         */
        public void stampBy(LongSupplier clock) {
            door = clients -> settings -> {
                Door.Ready ready = clients.configure(settings);
                return (stores, loops, facts) -> ready.start(() -> stamped(stores.get(), clock), loops, facts);
            };
        }

        private static Store stamped(Store store, LongSupplier clock) {
            return (command, _) -> store.run(command, clock.getAsLong());
        }

        public void start(String table) {
            Map<String, String> all = new HashMap<>();
            links.forEach((other, firewall) -> all.put(
                    "kv.router.peers.\"" + other.name + "\"",
                    "127.0.0.1:" + firewall.address().getPort()));
            all.put("kv.router.table", table);
            all.putAll(settings);
            Optional<Engine> storage = keepsData ? Optional.of(new LogStorage()) : Optional.empty();
            Release release = new Release(storage, Optional.of(door.apply(new ClientDoor())), "test", "none");
            Node node = Node.configure(Layers.of(folder.resolve("home"), all).load(), release)
                    .start(() -> {});
            running = Optional.of(node);
            nodes = node.peerAddress().orElseThrow();
        }

        /** Ends at once, without answers to requests in flight. */
        public void kill() {
            end(Duration.ZERO);
        }

        /** Ends in order. */
        public void stop() {
            end(Duration.ofSeconds(10));
        }

        private void end(Duration limit) {
            running.ifPresent(node -> node.stop(limit));
            running = Optional.empty();
        }

        /** The address of its node listener, or of the last one. */
        public InetSocketAddress nodes() {
            return nodes;
        }

        /** The address of its client listener. */
        public InetSocketAddress clients() {
            return running.orElseThrow().clientAddress().orElseThrow();
        }

        public LineClient connect() throws IOException {
            return LineClient.connect(clients());
        }

        /** Replays a {@link Transcript} twice: each request after the reply before it, and all requests at once. */
        public void converse(String transcript) throws IOException {
            Transcript told = Transcript.parse("conversation with " + name, transcript);
            told.replay(clients(), Pace.TURNS);
            told.replay(clients(), Pace.AT_ONCE);
        }
    }
}
