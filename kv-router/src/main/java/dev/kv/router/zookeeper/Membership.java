package dev.kv.router.zookeeper;

import dev.kv.router.Bytes;
import dev.kv.router.config.BadStart;
import dev.kv.router.metrics.Metric;
import dev.kv.router.metrics.State;
import dev.kv.router.table.TableInForce;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.apache.curator.framework.CuratorFramework;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node as a member of the cluster: it follows its routing table in ZooKeeper, registers itself there with the state of that
 * table, and knows the addresses of the other nodes.
 *
 * <p>One thread does this in {@link Rounds}: each round reads everything and updates everything. A round starts when a watch fires,
 * when the connection changes, and every {@code kv.router.zookeeper.poll}; a missed watch only costs time. No request waits for
 * ZooKeeper. Unusable znodes are {@link Ignored}.
 */
public final class Membership implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Membership.class);

    /** How long {@link #close} waits for ZooKeeper to end the session. It is no key: the session ends by its timeout otherwise. */
    private static final Duration CLOSE_MAX = Duration.ofSeconds(1);

    /**
     * Added to kv.router.zookeeper.session-timeout, after which ZooKeeper removes the registration of a dead node: it looks for expired
     * sessions once in its tick, 2 s.
     */
    private static final Duration CLAIM_MARGIN = Duration.ofSeconds(2);

    /**
     * How long a registration waits for the count of the buckets: so few nodes register twice for a change of the table. It is no key: the
     * next table waits for it, too.
     */
    private static final Duration COUNT_WAIT = Duration.ofMillis(200);

    private final ZooKeeperSettings settings;
    private final Self self;
    private final Rounds rounds;

    /** Used only by the thread, once it runs. */
    private final TableFollower table;

    private final TableHistory history;
    private final Directory directory;
    private final HoldingsCounter holdings;
    private final Registration registration;
    private final Ignored ignored = new Ignored();
    private final SelfDescription description;

    /** Set by {@link #join}. */
    private ZooKeeperSession zookeeper;

    private Consumer<TableInForce> follow;
    private Consumer<String> moved;

    private volatile String peer = "";
    private volatile String clients = "";
    private volatile Optional<NodeDocument> document = Optional.empty();

    /** Whether this node has been registered. Under this object's monitor, as {@code rival} is. */
    private boolean joined;

    /** The state until then. */
    private String unjoined = "connecting";

    /** The address of another node that is registered with this node's name; empty if there is none. */
    private Optional<String> rival = Optional.empty();

    /**
     * The identity of this node.
     *
     * @param instance an id that distinguishes it, across restarts, from another node of its name
     * @param folder the folder for its last good table and the addresses
     */
    public record Self(String name, String role, String version, String instance, Path folder) {}

    /**
     * @param tableMaxBytes larger tables are rejected
     * @param buckets passes every bucket here, with its size in bytes, to its argument, until that returns false
     */
    public Membership(
            ZooKeeperSettings settings, Self self, long tableMaxBytes, Consumer<BiPredicate<Bytes, Long>> buckets) {
        this.settings = settings;
        this.self = self;
        this.table = new TableFollower(self.name(), tableMaxBytes, self.folder());
        this.history = new TableHistory(settings.documentMaxBytes());
        this.directory = new Directory(settings, self.folder());
        this.registration = new Registration(self.name(), self.instance(), settings.documentMaxBytes());
        this.description = new SelfDescription(settings, self, table, directory);
        this.rounds = new Rounds(settings.connect(), settings.poll(), this::meanwhile, this::round);
        this.holdings = new HoldingsCounter(self.name(), buckets, rounds::wake);
    }

    /** The table for the start: the last good one, from disk. */
    public TableInForce begin() {
        directory.begin();
        return table.begin()
                .orElseGet(() -> TableInForce.none("ZooKeeper at " + settings.connect() + " has not been read"));
    }

    /**
     * Follows ZooKeeper from now on. Returns when the table has been read and this node is registered, or after
     * {@code kv.router.zookeeper.start-wait} without an answer; the attempts continue then.
     *
     * @param peer the address of this node for others, as {@code host:port}
     * @param follow gets each new table, on the thread of the rounds
     * @param moved gets the name of each node whose address has changed, on that thread
     * @throws BadStart if another node is registered with this node's name
     */
    public void join(String peer, Consumer<TableInForce> follow, Consumer<String> moved) {
        this.peer = peer;
        this.follow = follow;
        this.moved = moved;
        CuratorFramework client = settings.open();
        zookeeper = new ZooKeeperSession(client, settings.znodes(), _ -> rounds.wake());
        client.getConnectionStateListenable().addListener((framework, state) -> rounds.wake());
        String before = table.inForce()
                .map(kept -> "by the last good table, which is of "
                        + table.inForceSince().truncatedTo(ChronoUnit.SECONDS) + " and may be old ("
                        + age(table.inForceSince()) + ")")
                .orElse("and there is no table on disk: requests are answered with NOROUTE until one is read");
        holdings.start();
        rounds.start();
        awaitJoined(before);
    }

    private synchronized void awaitJoined(String before) {
        Instant start = Instant.now();
        while (!joined) {
            Duration limit = rival.isPresent() ? settings.sessionTimeout().plus(CLAIM_MARGIN) : settings.startWait();
            Duration left = limit.minus(Duration.between(start, Instant.now()));
            if (!left.isPositive()) {
                break;
            }
            try {
                wait(left.toMillis() + 1);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                break;
            }
        }
        if (joined) {
            return;
        }
        if (rival.isPresent()) {
            throw new BadStart(
                    "kv.node.name: another node is registered as %s, %s: stop it, or give this one another name"
                            .formatted(self.name(), rival.get()));
        }
        unjoined = rounds.trouble().map(Rounds.Trouble::what).orElse("does not answer") + "; starting without it, "
                + before;
        LOG.warn("ZooKeeper at {} {}", settings.connect(), unjoined);
    }

    private static String age(Instant since) {
        Duration age = Duration.between(since, Instant.now());
        return age.toHours() > 0
                ? age.toHours() + " h " + age.toMinutesPart() + " min"
                : age.toMinutes() + " min " + age.toSecondsPart() + " s";
    }

    /** Sets the address for clients, for the registration. */
    public void clientsAt(String address) {
        clients = address;
        rounds.wake();
    }

    /** The registered address of a node, now or the last time. Any thread. */
    public Optional<InetSocketAddress> addressOf(String node) {
        return directory.addressOf(node);
    }

    /** The document of this node for ZooKeeper; empty before the first round. Any thread. */
    public Optional<NodeDocument> document() {
        return document;
    }

    /** The states of ZooKeeper, of the table there and of misplaced buckets. Any thread. */
    public List<Metric> metrics() {
        return List.of(
                new State("servers", "The servers of ZooKeeper.", () -> Optional.of(settings.connect())),
                new State("state", "Whether this node follows ZooKeeper, or why not.", () -> Optional.of(state())),
                new State("unwritten", "What could not be written into this node's folder, and why.", this::unwritten),
                new State("ignored", "The znodes that this node cannot use, and why.", ignored::text),
                said("table", "What became of the newest table.", NodeDocument.Table::summary),
                said("warnings", "What is odd about the newest table.", NodeDocument.Table::warningsText),
                new State(
                        "misplaced",
                        "The buckets here that the table sends to other nodes.",
                        () -> document.map(said -> said.misplaced().text())));
    }

    private State said(String name, String help, Function<NodeDocument.Table, String> text) {
        return new State(
                name, help, () -> document.map(NodeDocument::table).map(text).filter(said -> !said.isEmpty()));
    }

    private Optional<String> unwritten() {
        return Stream.of(table.trouble(), directory.trouble())
                .flatMap(Optional::stream)
                .reduce((one, other) -> one + "; " + other);
    }

    private synchronized String state() {
        Optional<Rounds.Trouble> trouble = rounds.trouble();
        if (trouble.isPresent()) {
            return trouble.get().text();
        }
        if (rival.isPresent()) {
            return "another node is registered as " + self.name() + ", " + rival.get();
        }
        return joined ? "connected" : unjoined;
    }

    /**
     * Closes the session, which removes the registration of the node at once. If ZooKeeper is silent, this returns after a second, and
     * the registration ends by the timeout of the session.
     */
    @Override
    public void close() {
        rounds.close();
        holdings.close();
        if (zookeeper == null) {
            return;
        }
        // In another thread: it waits for the server, without a bound of its own.
        Thread closing = Thread.ofPlatform().daemon().name("kv-zookeeper-close").start(zookeeper.client()::close);
        try {
            if (!closing.join(CLOSE_MAX)) {
                LOG.warn(
                        "ZooKeeper at {} does not answer: this node stays registered until its session times out",
                        settings.connect());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private String meanwhile() {
        return table.inForce().isPresent()
                ? "requests go on by the last good table"
                : "requests are answered with NOROUTE until a table is read";
    }

    /** Reads everything and updates everything; returns whether this node is registered then. */
    private boolean round() throws Exception {
        ignored.begin();
        table.follow(zookeeper, follow);
        if (table.applied().isPresent()) {
            history.keep(zookeeper, table.applied().get(), table.inForceSince(), ignored);
        }
        zookeeper.make(settings.znodes().nodes());
        zookeeper.make(settings.znodes().tables());
        directory.read(zookeeper, table.named(), ignored, moved);
        NodeDocument now = description.now(peer, clients, holdings.by(table.inForce(), COUNT_WAIT));
        document = Optional.of(now);
        Optional<String> other = registration.register(zookeeper, now.json());
        ignored.end();
        registered(other);
        rounds.succeeded();
        return other.isEmpty();
    }

    private synchronized void registered(Optional<String> other) {
        if (other.isPresent() && rival.isEmpty()) {
            LOG.warn("another node is registered as {}, {}", self.name(), other.get());
        }
        rival = other;
        joined |= other.isEmpty();
        notifyAll();
    }
}
