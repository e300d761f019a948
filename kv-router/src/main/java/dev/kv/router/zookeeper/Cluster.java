package dev.kv.router.zookeeper;

import dev.kv.router.Bytes;
import dev.kv.router.Router.TableInForce;
import dev.kv.router.RoutingTable;
import dev.kv.router.config.BadStart;
import dev.kv.router.net.Addresses;
import dev.kv.router.zookeeper.NodeDocument.InForce;
import dev.kv.router.zookeeper.NodeDocument.Misplaced;
import dev.kv.router.zookeeper.NodeDocument.State;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.apache.curator.framework.CuratorFramework;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.data.Stat;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node among the others: follows its routing table in ZooKeeper, says there what it made of it, and knows where the other
 * nodes are.
 *
 * <p>One thread does all that, in rounds: it reads everything and brings everything up to date. A round begins when a watch
 * fires, when the connection changes, and every {@code kv.router.zookeeper.poll}; so what a watch misses costs time, and
 * nothing else. No request ever waits for ZooKeeper: a round that fails changes nothing and is tried again.
 */
public final class Cluster implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Cluster.class);

    /** How long a start waits for ZooKeeper before it goes on without. */
    private static final Duration CONNECT_MAX = Duration.ofSeconds(5);

    /** After the time in which ZooKeeper forgets a node that has died. */
    private static final Duration CLAIM_MARGIN = Duration.ofSeconds(2);

    private static final Duration RETRY = Duration.ofMillis(500);
    private static final int HISTORY_MAX = 1000;

    /** The time from one count of the buckets to the next is at least this, and so many times as long as the count took. */
    private static final Duration COUNT_PAUSE_MIN = Duration.ofSeconds(1);

    private static final int COUNT_PAUSE_FACTOR = 100;

    private final ZooKeeperSettings settings;
    private final Znodes znodes;
    private final Member self;
    private final long tableMaxBytes;
    private final Consumer<BiConsumer<Bytes, Long>> buckets;
    private final LastGoodTable lastGood;
    private final LastAddresses lastAddresses;
    private final Watcher watcher = event -> wake();
    private final Thread thread =
            Thread.ofPlatform().name("kv-zookeeper").daemon().unstarted(this::run);

    /** Set by {@link #join}. */
    private CuratorFramework client;

    private Consumer<TableInForce> follow;
    private Consumer<String> moved;

    /** The thread's own from here on. */
    private Optional<SeenTable> newest = Optional.empty();

    private Instant newestSince = Instant.now();
    private Optional<SeenTable> inForce = Optional.empty();
    private Instant inForceSince = Instant.now();
    private List<NodeDocument.Held> held = List.of();
    private Misplaced misplaced = Misplaced.NONE;

    /** Whether the buckets are counted by the table in force, and from when on, by {@link System#nanoTime}, that is too old. */
    private boolean counted;

    private long recountNanos = System.nanoTime();

    /** The document that this node wrote last, and the transaction that did. */
    private byte[] written = new byte[0];

    private long writtenMzxid;

    private volatile Map<String, NodeDocument> nodes = Map.of();

    /** Where the nodes are, as {@code host:port}: those that are registered, and those that were last. */
    private volatile Map<String, String> addresses = Map.of();

    private volatile String peer = "";
    private volatile String clients = "";
    private volatile Optional<NodeDocument> document = Optional.empty();

    /** Why the last round failed; empty if it did not. */
    private volatile Optional<Trouble> trouble = Optional.empty();

    /** Whether another round is due. Written under this object's monitor, as the following are read. */
    private volatile boolean awake;

    private boolean closed;
    private boolean joined;
    private Optional<String> rival = Optional.empty();

    /** What is wrong with ZooKeeper, in words that follow its name. */
    private record Trouble(String what, Instant since) {}

    /**
     * This node.
     *
     * @param instance tells it, over restarts, from another one of its name
     * @param folder where it keeps its last good table
     */
    public record Member(String name, String role, String version, String instance, Path folder) {}

    /**
     * @param tableMaxBytes larger tables are refused
     * @param buckets shows every bucket here, and its size, to whom it is given
     */
    public Cluster(
            ZooKeeperSettings settings, Member self, long tableMaxBytes, Consumer<BiConsumer<Bytes, Long>> buckets) {
        this.settings = settings;
        this.znodes = settings.znodes();
        this.self = self;
        this.tableMaxBytes = tableMaxBytes;
        this.buckets = buckets;
        this.lastGood = new LastGoodTable(self.folder());
        this.lastAddresses = new LastAddresses(self.folder());
    }

    /** The table to begin with: the last good one, from disk. */
    public TableInForce begin() {
        addresses = lastAddresses.read();
        Optional<LastGoodTable.Kept> kept = lastGood.read();
        if (kept.isEmpty()) {
            return TableInForce.none("ZooKeeper at " + settings.connect() + " has not been read");
        }
        inForce = Optional.of(kept.get().table());
        inForceSince = kept.get().since();
        return tableInForce(kept.get().table(), inForceSince);
    }

    /**
     * Follows ZooKeeper from now on. Returns when the table there has been read and this node has its name, or after some
     * seconds without an answer, and goes on to try.
     *
     * @param peer where other nodes reach this one, as {@code host:port}
     * @param follow takes each new table; on this object's thread
     * @param moved hears of nodes that have another address than before; likewise
     * @throws BadStart if another node has this one's name
     */
    public void join(String peer, Consumer<TableInForce> follow, Consumer<String> moved) {
        this.peer = peer;
        this.follow = follow;
        this.moved = moved;
        client = settings.open();
        client.getConnectionStateListenable().addListener((framework, state) -> wake());
        thread.start();
        awaitJoined();
    }

    private synchronized void awaitJoined() {
        Instant start = Instant.now();
        while (!joined) {
            Duration limit = rival.isPresent() ? settings.sessionTimeout().plus(CLAIM_MARGIN) : CONNECT_MAX;
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
        LOG.warn(
                "ZooKeeper at {} {}; starting without it, {}",
                settings.connect(),
                trouble.map(Trouble::what).orElse("does not answer"),
                inForce.isPresent()
                        ? "by the last good table, which is of " + inForceSince.truncatedTo(ChronoUnit.SECONDS)
                                + " and may be old (" + age(inForceSince) + ")"
                        : "and there is no table on disk: requests are answered with NOROUTE until one is read");
    }

    private static String age(Instant since) {
        Duration age = Duration.between(since, Instant.now());
        return age.toHours() > 0
                ? age.toHours() + " h " + age.toMinutesPart() + " min"
                : age.toMinutes() + " min " + age.toSecondsPart() + " s";
    }

    /** Tells where clients reach this node. */
    public void clientsAt(String address) {
        clients = address;
        wake();
    }

    /** Where the node registered that others reach it, now or last. Any thread. */
    public Optional<InetSocketAddress> addressOf(String node) {
        return Optional.ofNullable(addresses.get(node)).flatMap(Addresses::parse);
    }

    /** What this node says of itself in ZooKeeper, or would; empty before its first round. Any thread. */
    public Optional<NodeDocument> document() {
        return document;
    }

    /** What {@code kv status} says of ZooKeeper, the table there and misplaced buckets. Any thread. */
    public Map<String, String> status() {
        Map<String, String> status = new LinkedHashMap<>();
        status.put("servers", settings.connect());
        status.put("state", state());
        List<String> unwritten = Stream.of(lastGood.trouble(), lastAddresses.trouble())
                .flatMap(Optional::stream)
                .toList();
        if (!unwritten.isEmpty()) {
            status.put("unwritten", String.join("; ", unwritten));
        }
        document.ifPresent(said -> {
            NodeDocument.Table table = said.table();
            status.put(
                    "table",
                    table.state().text()
                            + (table.source().isEmpty() ? "" : " " + Znodes.hex(table.mzxid()))
                            + (table.reason().isEmpty() ? "" : ": " + table.reason()));
            if (!table.warnings().isEmpty()) {
                status.put("warnings", String.join("; ", table.warnings()));
            }
            status.put(
                    "misplaced",
                    said.misplaced().buckets() == 0
                            ? "none"
                            : said.misplaced().amount() + ": "
                                    + String.join(" ", said.misplaced().names()));
        });
        return status;
    }

    private synchronized String state() {
        if (trouble.isPresent()) {
            return trouble.get().what() + ", since " + text(trouble.get().since());
        }
        if (rival.isPresent()) {
            return "another node is registered as " + self.name() + ", " + rival.get();
        }
        return joined ? "connected" : "connecting";
    }

    /** Leaves: the node's registration is gone at once. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            wake();
        }
        if (client != null) {
            client.close();
        }
    }

    private synchronized void wake() {
        awake = true;
        notifyAll();
    }

    private void run() {
        while (!isClosed()) {
            awaitRound(round() ? settings.poll() : RETRY);
        }
    }

    /** Waits until something wakes this, for so long, or until there are other buckets here than the last round told of. */
    private void awaitRound(Duration limit) {
        long deadlineNanos = System.nanoTime() + limit.toNanos();
        List<Long> told = bucketNumbers();
        while (!sleep(Math.min(deadlineNanos - System.nanoTime(), recountNanos - System.nanoTime()))
                && System.nanoTime() - deadlineNanos < 0) {
            if (count() && !bucketNumbers().equals(told)) {
                return;
            }
        }
    }

    private List<Long> bucketNumbers() {
        return Stream.concat(held.stream().map(NodeDocument.Held::buckets), Stream.of(misplaced.buckets()))
                .toList();
    }

    private synchronized boolean isClosed() {
        return closed;
    }

    /** Waits for so long, or until something wakes this; answers whether it did. */
    private synchronized boolean sleep(long nanos) {
        long deadlineNanos = System.nanoTime() + nanos;
        while (!awake && !closed) {
            long leftNanos = deadlineNanos - System.nanoTime();
            if (leftNanos <= 0) {
                return false;
            }
            try {
                wait(leftNanos / 1_000_000 + 1);
            } catch (InterruptedException e) {
                closed = true;
            }
        }
        awake = false;
        return true;
    }

    /** Reads everything and brings everything up to date; answers whether all of it went well. */
    private boolean round() {
        try {
            followTable();
            inForce.ifPresent(table -> lastGood.keep(table, inForceSince));
            readNodes();
            if (!count()) {
                return true;
            }
            boolean registered = register();
            foundAgain();
            return registered;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } catch (KeeperException.NoAuthException e) {
            lost("refuses what this node wants to read or write there (kv.router.zookeeper.auth): " + e.getMessage());
            return false;
        } catch (KeeperException e) {
            lost("does not answer: " + e.code());
            return false;
        } catch (Exception e) {
            if (trouble.isEmpty() && !isClosed()) {
                LOG.error("a fault while following ZooKeeper at {}; {}", settings.connect(), meanwhile(), e);
            }
            remember("cannot be followed: " + e);
            return false;
        }
    }

    private void lost(String what) {
        if (trouble.isEmpty() && !isClosed()) {
            LOG.warn("ZooKeeper at {} {}; {}", settings.connect(), what, meanwhile());
        }
        remember(what);
    }

    private String meanwhile() {
        return inForce.isPresent()
                ? "requests go on by the last good table"
                : "requests are answered with NOROUTE until a table is read";
    }

    private void remember(String what) {
        trouble = Optional.of(new Trouble(what, trouble.map(Trouble::since).orElseGet(Instant::now)));
    }

    private void foundAgain() {
        if (trouble.isPresent()) {
            LOG.info("ZooKeeper at {} answers again", settings.connect());
        }
        trouble = Optional.empty();
    }

    private void followTable() throws Exception {
        Optional<Data> own = read(znodes.tableOf(self.name()));
        Optional<Data> chosen = own.isPresent() ? own : read(znodes.table());
        if (chosen.isEmpty()) {
            missing();
            return;
        }
        Data data = chosen.get();
        SeenTable seen = SeenTable.of(data.path(), data.mzxid(), data.bytes().array(), tableMaxBytes);
        if (newest.filter(seen::isSameAs).isEmpty()) {
            if (seen.table().isEmpty()) {
                LOG.warn(
                        "refused the table {} of {}: {}; the last good one stays",
                        Znodes.hex(seen.mzxid()),
                        seen.source(),
                        seen.reason());
            } else {
                apply(seen);
            }
            newest = Optional.of(seen);
            newestSince = Instant.now();
        }
    }

    private void missing() {
        if (newest.isPresent() || inForce.isEmpty()) {
            String table = znodes.table();
            if (newest.isPresent()) {
                LOG.warn("{} is gone; the last good table stays", newest.get().source());
            }
            if (inForce.isEmpty()) {
                follow.accept(TableInForce.none(table + " does not exist in ZooKeeper: create it"));
            }
            newestSince = newest.isPresent() ? Instant.now() : newestSince;
            newest = Optional.empty();
        }
    }

    private void apply(SeenTable seen) throws Exception {
        if (inForce.filter(seen::isSameAs).isEmpty()) {
            Instant since = Instant.now();
            follow.accept(tableInForce(seen, since));
            inForce = Optional.of(seen);
            inForceSince = since;
            LOG.info(
                    "the table {} of {} is in force: [{}]",
                    Znodes.hex(seen.mzxid()),
                    seen.source(),
                    seen.table().orElseThrow().printable());
            counted = false;
        }
        chronicle(seen);
    }

    private static TableInForce tableInForce(SeenTable seen, Instant since) {
        return new TableInForce(seen.table().orElseThrow(), seen.mzxid(), seen.source(), since);
    }

    /** Writes the table into the history, unless another node has. */
    private void chronicle(SeenTable seen) throws Exception {
        Map<String, Object> entry = Map.of(
                "path",
                seen.source(),
                "time",
                inForceSince.truncatedTo(ChronoUnit.SECONDS).toString(),
                "text",
                seen.text());
        try {
            client.create().creatingParentsIfNeeded().forPath(znodes.historyOf(seen.mzxid()), Json.bytes(entry));
        } catch (KeeperException.NodeExistsException e) {
            return;
        }
        List<String> all =
                client.getChildren().forPath(znodes.history()).stream().sorted().toList();
        for (String old : all.subList(0, Math.max(0, all.size() - HISTORY_MAX))) {
            client.delete().quietly().forPath(znodes.history() + "/" + old);
        }
    }

    /**
     * Counts the buckets, if that is due. Millions of them, compared with every entry of a long table, take a while, which a
     * change of the table does not wait for: answers false if another round came first, and nothing is known yet.
     */
    private boolean count() {
        long startNanos = System.nanoTime();
        if (counted && startNanos - recountNanos < 0) {
            return true;
        }
        Holdings holdings =
                new Holdings(self.name(), inForce.flatMap(SeenTable::table).orElse(RoutingTable.EMPTY));
        buckets.accept((name, bytes) -> {
            if (!awake) {
                holdings.add(name, bytes);
            }
        });
        if (awake) {
            return false;
        }
        held = holdings.held();
        misplaced = holdings.misplaced();
        if (!counted && misplaced.buckets() > 0) {
            LOG.warn("misplaced here, the table sends them elsewhere: {}: {}", misplaced.amount(), misplaced.names());
        }
        counted = true;
        long tookNanos = System.nanoTime() - startNanos;
        recountNanos = System.nanoTime() + Math.max(COUNT_PAUSE_MIN.toNanos(), COUNT_PAUSE_FACTOR * tookNanos);
        return true;
    }

    private void readNodes() throws Exception {
        makeParent(znodes.nodes());
        makeParent(znodes.tables());
        Map<String, NodeDocument> read = new HashMap<>();
        for (String name : client.getChildren().usingWatcher(watcher).forPath(znodes.nodes())) {
            try {
                NodeDocument.parse(client.getData().forPath(znodes.node(name))).ifPresent(said -> read.put(name, said));
            } catch (KeeperException.NoNodeException e) {
                // It left meanwhile, and the watch tells.
            }
        }
        nodes = Map.copyOf(read);
        Map<String, String> known = new HashMap<>(addresses);
        read.forEach((name, said) -> {
            if (!said.peer().isEmpty()) {
                known.put(name, said.peer());
            }
        });
        Map<String, String> before = addresses;
        addresses = Map.copyOf(known);
        known.forEach((name, address) -> {
            if (!address.equals(before.getOrDefault(name, address))) {
                LOG.info("{} is at {} now; it was at {}", name, address, before.get(name));
                moved.accept(name);
            }
        });
        lastAddresses.keep(known);
    }

    private void makeParent(String path) throws Exception {
        if (client.checkExists().forPath(path) == null) {
            try {
                client.create().creatingParentsIfNeeded().forPath(path, new byte[0]);
            } catch (KeeperException.NodeExistsException e) {
                // Another node was faster.
            }
        }
    }

    /**
     * Sees to it that this node's document stands in ZooKeeper, whoever wrote there meanwhile; answers whether it does.
     */
    private boolean register() throws Exception {
        NodeDocument now = describe();
        document = Optional.of(now);
        byte[] json = now.json();
        String path = znodes.node(self.name());
        Stat stat = client.checkExists().usingWatcher(watcher).forPath(path);
        if (stat != null && stat.getEphemeralOwner() != session()) {
            Optional<NodeDocument> other = NodeDocument.parse(client.getData().forPath(path));
            if (other.map(NodeDocument::instance)
                    .filter(self.instance()::equals)
                    .isEmpty()) {
                String address = other.map(NodeDocument::peer)
                        .filter(at -> !at.isEmpty())
                        .orElse("an unknown address");
                rival("at " + address);
                return false;
            }
            // Of this node's own last life: its session has not timed out yet.
            client.delete().withVersion(stat.getVersion()).forPath(path);
            stat = null;
        }
        boolean isThere = stat != null && stat.getMzxid() == writtenMzxid && Arrays.equals(json, written);
        if (!isThere) {
            writtenMzxid = write(path, json, stat == null);
            written = json;
        }
        joined();
        return true;
    }

    /** Answers the transaction that wrote. */
    private long write(String path, byte[] json, boolean isNew) throws Exception {
        if (!isNew) {
            return client.setData().forPath(path, json).getMzxid();
        }
        Stat stat = new Stat();
        client.create().storingStatIn(stat).withMode(CreateMode.EPHEMERAL).forPath(path, json);
        return stat.getMzxid();
    }

    private long session() throws Exception {
        return client.getZookeeperClient().getZooKeeper().getSessionId();
    }

    private synchronized void rival(String where) {
        if (rival.isEmpty()) {
            LOG.warn("another node is registered as {}, {}", self.name(), where);
        }
        rival = Optional.of(where);
        notifyAll();
    }

    private synchronized void joined() {
        joined = true;
        rival = Optional.empty();
        notifyAll();
    }

    private NodeDocument describe() {
        Optional<InForce> routes =
                inForce.map(table -> new InForce(table.source(), table.mzxid(), table.sha256(), text(inForceSince)));
        NodeDocument.Table seen = newest.map(table -> new NodeDocument.Table(
                        table.source(),
                        table.mzxid(),
                        table.sha256(),
                        table.table().isPresent() ? State.APPLIED : State.REJECTED,
                        table.reason(),
                        warnings(table),
                        text(newestSince)))
                .orElseGet(() -> new NodeDocument.Table(
                        "", 0, "", State.MISSING, znodes.table() + " does not exist", List.of(), text(newestSince)));
        return new NodeDocument(
                self.role(), self.version(), self.instance(), peer, clients, held, misplaced, seen, routes);
    }

    private List<String> warnings(SeenTable seen) {
        List<String> warnings = new ArrayList<>();
        seen.table().ifPresent(table -> {
            warnings.addAll(table.warnings());
            Set<String> named = new LinkedHashSet<>();
            table.entries().forEach(entry -> named.add(entry.node().name()));
            for (String name : named) {
                NodeDocument said = name.equals(self.name()) ? null : nodes.get(name);
                boolean here = name.equals(self.name());
                if (!here && said == null) {
                    warnings.add("nobody has seen the node " + name);
                } else if ((here ? self.role() : said.role()).equals("server")) {
                    warnings.add(name + " keeps no data (server release)");
                }
            }
            if (misplaced.buckets() > 0) {
                warnings.add("misplaced here: " + misplaced.amount() + " that this table sends elsewhere");
            }
        });
        return warnings;
    }

    private static String text(Instant instant) {
        return instant.truncatedTo(ChronoUnit.SECONDS).toString();
    }

    /** The data of a znode. */
    private record Data(String path, long mzxid, Bytes bytes) {}

    /** What the znode holds now, and a watch on it whether it exists or not. */
    private Optional<Data> read(String path) throws Exception {
        while (true) {
            try {
                Stat stat = new Stat();
                byte[] bytes = client.getData()
                        .storingStatIn(stat)
                        .usingWatcher(watcher)
                        .forPath(path);
                return Optional.of(new Data(path, stat.getMzxid(), bytes == null ? Bytes.EMPTY : Bytes.owning(bytes)));
            } catch (KeeperException.NoNodeException e) {
                if (client.checkExists().usingWatcher(watcher).forPath(path) == null) {
                    return Optional.empty();
                }
            }
        }
    }
}
