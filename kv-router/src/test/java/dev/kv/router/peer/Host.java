package dev.kv.router.peer;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.dispatch.Router;
import dev.kv.router.net.Loops;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.table.TableInForce;
import dev.kv.router.testing.MapStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** A node without its client door: a router, its way to others, and a map for buckets. */
final class Host implements AutoCloseable {
    final String name;
    final Map<String, InetSocketAddress> addresses = new ConcurrentHashMap<>();
    private final MapStore map = new MapStore();
    final Map<Bytes, Map<Bytes, Bytes>> buckets = map.buckets;
    Store store = map;
    Duration timeout = Duration.ofSeconds(5);
    Bytes cookie = Bytes.of("a cookie that all nodes share");
    int linksMax = 100;
    int handshakesMax = 16;
    Duration handshakeTimeout = Duration.ofSeconds(5);
    int inFlightMax = 1000;
    long unsentMaxBytes = 64 << 20;
    long messageMaxBytes = 65L << 20;
    long roomBytes = 129L << 20;
    long repliesBytes = 64L << 20;
    ThreadFactory lookUps = Thread.ofPlatform().daemon().factory();
    int port;

    private Loops loops;
    private Room room;
    private Room replies;
    private Peers peers;
    private PeerDoor door;
    private Router router;

    Host(String name) {
        this.name = name;
    }

    /** Starts with the table, on the port that it had before, if any. */
    Host start(String table) {
        try {
            loops = new Loops(1, Duration.ofMillis(2), 1);
            room = new Room(roomBytes);
            replies = new Room(repliesBytes);
            PeerSettings settings = new PeerSettings(
                    name,
                    cookie,
                    node -> Optional.ofNullable(addresses.get(node)),
                    timeout,
                    Duration.ofMillis(200),
                    linksMax,
                    handshakesMax,
                    handshakeTimeout,
                    inFlightMax,
                    unsentMaxBytes,
                    messageMaxBytes,
                    room,
                    replies);
            peers = new Peers(loops, settings, lookUps);
            router = new Router(
                    name,
                    Optional.of((command, takenMillis) -> store.run(command, takenMillis)),
                    peers,
                    new Limits(8, 1 << 16, 1 << 16, 64 << 20, 1 << 10, 1 << 20),
                    new TableInForce(RoutingTable.parse(table), 0, "the test", Instant.now()));
            door = new PeerDoor(loops, new InetSocketAddress(InetAddress.getLoopbackAddress(), port), settings, router);
            port = door.address().getPort();
            return this;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (RoutingTable.Malformed e) {
            throw new AssertionError(e);
        }
    }

    /** Finds the other one, which has been started, at its address. */
    void knows(Host other) {
        addresses.put(other.name, InetSocketAddress.createUnresolved("127.0.0.1", other.port));
    }

    Optional<String> unreached() {
        return peers.unreached();
    }

    /** Routes by another table from now on. */
    void use(String table) {
        try {
            TableInForce newer = new TableInForce(RoutingTable.parse(table), 1, "the test", Instant.now());
            router.use(newer);
            peers.keepThoseOf(newer.table());
        } catch (RoutingTable.Malformed e) {
            throw new AssertionError(e);
        }
    }

    /** How many links other nodes have to this one. */
    int links() {
        return door.links();
    }

    /** How many links this node has to others. */
    int linksOut() {
        return peers.links();
    }

    /** How much of the memory for long messages is taken. */
    long roomTaken() {
        return room.takenBytes();
    }

    /** How much of the memory for replies to other nodes is taken. */
    long repliesTaken() {
        return replies.takenBytes();
    }

    /** Whether a long message waits for memory. */
    boolean roomWaits() {
        return room.isWaitedFor();
    }

    /** A client of this node. */
    Store client() {
        return router.store();
    }

    /** Lets a client run commands on an I/O loop, as one with a connection does. */
    <T> T onLoop(Function<Store, T> task) {
        Store client = client();
        CompletableFuture<T> done = new CompletableFuture<>();
        loops.all().getFirst().execute(() -> done.complete(task.apply(client)));
        return done.orTimeout(20, TimeUnit.SECONDS).join();
    }

    /** The same, which runs its commands on an I/O loop as one with a connection does. */
    Store clientOnLoop() {
        Store client = router.store();
        return (command, _) -> {
            CompletableFuture<Reply> reply = new CompletableFuture<>();
            loops.all().getFirst().execute(() -> client.run(command).thenAccept(reply::complete));
            return reply;
        };
    }

    Reply ask(Command command) {
        return await(client().run(command));
    }

    static Reply await(CompletionStage<Reply> stage) {
        try {
            return Held.flat(stage.toCompletableFuture().get(20, TimeUnit.SECONDS));
        } catch (Exception e) {
            throw new AssertionError("no reply", e);
        }
    }

    /** Ends in order. */
    void stop() {
        door.stop(Duration.ofSeconds(5));
        close();
    }

    /** Ends at once, as a crash does. */
    @Override
    public void close() {
        if (loops != null) {
            peers.close();
            loops.close();
            door.stop(Duration.ZERO);
        }
    }
}
