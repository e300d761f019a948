package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.metrics.Gauge;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.metrics.State;
import dev.kv.router.metrics.Unit;
import dev.kv.router.net.Loops;
import dev.kv.router.spi.Door;
import dev.kv.router.spi.Engine;
import dev.kv.router.table.TableInForce;
import dev.kv.router.testing.Replies;
import dev.kv.server.auth.Password;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;

/** An open door on a free port of the loopback address, with I/O loops of its own. */
final class TestDoor implements AutoCloseable {
    static final Door.Facts FACTS = new Door.Facts(
            "foo@h",
            "server",
            "test",
            new Limits(16, 64 * 1024, 64 * 1024, 64 * 1024 * 1024, 1024, 256 * 1024 * 1024),
            () -> TableInForce.none("this is a test"),
            metrics());

    /** Answers each HGET with its field, and every other command with the length of its bucket's name. */
    static final Store ECHO = (command, _) -> CompletableFuture.completedFuture(
            command instanceof Command.Get get
                    ? new Reply.Value(get.key())
                    : Replies.toEach(command, new Reply.Amount(command.bucket().size())));

    private final Loops loops;
    private final OpenDoor door;

    /** Those of a node with a storage. */
    private static Metrics metrics() {
        Metrics metrics = new Metrics();
        metrics.add(
                Engine.PART,
                List.of(
                        new State("state", "What is wrong.", () -> Optional.of("ok")),
                        new State("trouble", "What is odd.", Optional::empty),
                        new Gauge(Engine.BUCKETS, Unit.COUNT, "Buckets here.", () -> 7),
                        new Gauge(Engine.EXPIRING, Unit.COUNT, "Those that expire.", () -> 3),
                        new Gauge("log bytes", Unit.BYTES, "Size of the log.", () -> 4096)));
        return metrics;
    }

    /** Settings for a test, which changes what it is about. */
    static final class Knobs {
        int loops = 2;
        Duration turnsMax = Duration.ofMillis(2);
        int lineMaxBytes = 1024 * 1024;
        Duration idle = Duration.ZERO;
        int connectionsMax = 0;
        int loginsMax = 16;
        Duration loginTimeout = Duration.ofMinutes(1);
        int repliesMax = 1024;
        long requestsMaxBytes = 16 * 1024 * 1024;
        int largeMax = 64;
        long unsentMaxBytes = 1024 * 1024;
        long bufferMaxBytes = 256 * 1024 * 1024;
        long heldMaxBytes = 1L << 30;
        Duration heldTime = Duration.ofSeconds(30);
        Duration stalledTime = Duration.ofSeconds(30);
        Bytes password = Bytes.EMPTY;
        Door.Facts facts = FACTS;

        ServerSettings settings(InetSocketAddress address) {
            return new ServerSettings(
                    address,
                    lineMaxBytes,
                    idle,
                    connectionsMax,
                    loginsMax,
                    loginTimeout,
                    repliesMax,
                    requestsMaxBytes,
                    largeMax,
                    unsentMaxBytes,
                    bufferMaxBytes,
                    heldMaxBytes,
                    heldTime,
                    stalledTime,
                    new Password(password));
        }
    }

    TestDoor(Store store) {
        this(store, knobs -> knobs);
    }

    TestDoor(Store store, UnaryOperator<Knobs> turn) {
        InetSocketAddress anyPort = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        Knobs knobs = turn.apply(new Knobs());
        loops = new Loops(knobs.loops, knobs.turnsMax, 1);
        try {
            door = OpenDoor.open(knobs.settings(anyPort), () -> store, loops, knobs.facts);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    OpenDoor open() {
        return door;
    }

    InetSocketAddress address() {
        return door.address();
    }

    LineClient client() throws IOException {
        return LineClient.connect(address());
    }

    RespClient respClient() throws IOException {
        return new RespClient(address());
    }

    /** Has ten clients be answered, on each loop: what came before has been read. */
    void roundTrips() throws Exception {
        for (int i = 0; i < 10; i++) {
            try (LineClient other = client()) {
                assertThat(other.ask("WHAT")).isEqualTo("UNKNOWN COMMAND");
            }
        }
    }

    int connections() {
        return door.connections();
    }

    @Override
    public void close() {
        door.stop(Duration.ZERO);
        loops.close();
    }
}
