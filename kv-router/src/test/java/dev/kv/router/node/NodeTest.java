package dev.kv.router.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Limits;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.admin.LocalAnswer;
import dev.kv.router.admin.LocalClient;
import dev.kv.router.config.BadStart;
import dev.kv.router.config.Layers;
import dev.kv.router.metrics.Gauge;
import dev.kv.router.metrics.Metric;
import dev.kv.router.metrics.Unit;
import dev.kv.router.net.Loops;
import dev.kv.router.spi.Door;
import dev.kv.router.spi.Engine;
import dev.kv.router.spi.EngineFailed;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class NodeTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    @TempDir
    private Path home;

    private final List<String> events = Collections.synchronizedList(new ArrayList<>());
    private final List<Node> nodes = new ArrayList<>();

    @AfterEach
    void stopNodes() {
        nodes.forEach(node -> node.stop(Duration.ZERO));
    }

    /** A storage without buckets that records its calls. */
    private Engine storage() {
        return settings -> {
            events.add("storage configured");
            return new ReadyStorage(() -> events.add("storage started"));
        };
    }

    private final class ReadyStorage implements Engine.Ready {
        private final Runnable starting;

        ReadyStorage(Runnable starting) {
            this.starting = starting;
        }

        @Override
        public Engine.Open start(long replyMaxBytes, Consumer<String> doing) {
            starting.run();
            return new EmptyStorage();
        }

        @Override
        public Engine.Copied backup(Path to) {
            throw new EngineFailed("there is nothing to copy");
        }

        @Override
        public Engine.Copied restore(Path from) {
            throw new EngineFailed("there is nowhere to copy to");
        }

        @Override
        public Engine.Checked verify(Optional<Path> backup, Consumer<String> doing, Consumer<Engine.Damage> found) {
            return new Engine.Checked(0, 0, 0, 0);
        }

        @Override
        public Engine.Checked repair(Consumer<String> doing, Consumer<Engine.Damage> found) {
            return new Engine.Checked(0, 0, 0, 0);
        }
    }

    private final class EmptyStorage implements Engine.Open {
        @Override
        public void forEachBucket(Engine.BucketVisitor visitor) {
            // There are none.
        }

        @Override
        public Engine.Copied backup(Path to) {
            throw new EngineFailed("there is nothing to copy");
        }

        @Override
        public long exportTo(Bytes bucket, OutputStream stream) {
            throw new EngineFailed("there is no bucket " + bucket);
        }

        @Override
        public long importFrom(Bytes bucket, boolean replaces, Limits limits, InputStream stream) {
            throw new EngineFailed("there is no room for " + bucket);
        }

        @Override
        public CompletionStage<Reply> run(Command command) {
            return CompletableFuture.completedFuture(Reply.NOT_FOUND);
        }

        @Override
        public List<Metric> metrics() {
            return List.of(new Gauge(Engine.BUCKETS, Unit.COUNT, "Buckets here.", () -> 0));
        }

        @Override
        public void stop(Duration limit) {
            events.add("storage stopped");
        }
    }

    /** A door that accepts nobody and records its calls. */
    private Door door() {
        return settings -> {
            events.add("door configured");
            return (stores, loops, facts) -> {
                events.add("door started");
                return new ClosedDoor();
            };
        };
    }

    private final class ClosedDoor implements Door.Open {
        @Override
        public InetSocketAddress address() {
            return new InetSocketAddress(InetAddress.getLoopbackAddress(), 1);
        }

        @Override
        public List<Metric> metrics() {
            return List.of(new Gauge("connections", Unit.COUNT, "Open connections.", () -> 0));
        }

        @Override
        public void stop(Duration limit) {
            events.add("door stopped");
        }
    }

    private Release release(Optional<Engine> storage, Optional<Door> door) {
        return new Release(storage, door, "1.2.3", "abc");
    }

    private Release combined() {
        return release(Optional.of(storage()), Optional.of(door()));
    }

    private Node.Ready configure(Release release, Map<String, String> more) {
        Map<String, String> overrides = new HashMap<>();
        overrides.put("kv.node.name", "foo@h");
        overrides.put("kv.router.host", "127.0.0.1");
        overrides.put("kv.router.port", "0");
        overrides.putAll(more);
        return Node.configure(Layers.of(home, overrides).load(), release);
    }

    private Node start(Release release, Map<String, String> more) {
        Node node = configure(release, more).start(() -> events.add("asked to stop"));
        nodes.add(node);
        return node;
    }

    private Path folder() {
        return home.resolve("nodes/foo@h");
    }

    private Config ask(String line) {
        return LocalClient.ask(folder(), line, LIMIT).document().orElseThrow();
    }

    @Test
    void startsItsPartsInOrderAndStopsThemInReverse() {
        Node node = configure(combined(), Map.of()).start(() -> {});
        node.stop(LIMIT);

        assertThat(events)
                .containsExactly(
                        "storage configured",
                        "door configured",
                        "storage started",
                        "door started",
                        "door stopped",
                        "storage stopped");
        assertThat(folder().resolve("lock")).exists();
        assertThat(folder().resolve("pid")).doesNotExist();
        assertThat(folder().resolve("socket")).doesNotExist();
    }

    @Test
    void readsTheConfigurationOfAllPartsBeforeItOpensOne() {
        Door wrong = settings -> {
            throw new BadStart("the door's configuration is wrong");
        };

        assertThatThrownBy(() -> configure(release(Optional.of(storage()), Optional.of(wrong)), Map.of()))
                .isInstanceOf(BadStart.class);
        assertThat(events).containsExactly("storage configured");
        assertThat(folder()).doesNotExist();
    }

    @Test
    void aPartThatCannotStartStopsTheOthersAgain() {
        Door wrong = settings -> (stores, loops, facts) -> {
            throw new BadStart("the port is in use");
        };

        assertThatThrownBy(() -> start(release(Optional.of(storage()), Optional.of(wrong)), Map.of()))
                .isInstanceOf(BadStart.class)
                .hasMessage("the port is in use");
        assertThat(events).containsExactly("storage configured", "storage started", "storage stopped");
        start(combined(), Map.of());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aPartThatFailsToStopDoesNotPreventOthersFromStopping(boolean isError) {
        Door failing = settings -> (stores, loops, facts) -> new Door.Open() {
            @Override
            public InetSocketAddress address() {
                return new InetSocketAddress(1);
            }

            @Override
            public List<Metric> metrics() {
                return List.of();
            }

            @Override
            public void stop(Duration limit) {
                if (isError) {
                    throw new InternalError("a page of a mapped file cannot be read");
                }
                throw new IllegalStateException("on purpose");
            }
        };

        configure(release(Optional.of(storage()), Optional.of(failing)), Map.of())
                .start(() -> {})
                .stop(LIMIT);

        assertThat(events).endsWith("storage stopped");
        start(combined(), Map.of());
    }

    @Test
    void makesItsFolderForItsOwnerAlone() throws IOException {
        start(combined(), Map.of());

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder())))
                .isEqualTo("rwx------");
        assertThat(folder().resolve("pid")).hasContent(ProcessHandle.current().pid() + "\n");
        assertThat(folder().resolve("cookie")).exists();
    }

    @Test
    void twoNodesNeverShareAFolder() {
        start(combined(), Map.of());

        assertThatThrownBy(() -> start(combined(), Map.of()))
                .isInstanceOf(BadStart.class)
                .hasMessage("a node runs in %s already (process %d): stop it, or give this one another kv.node.dir"
                        .formatted(folder(), ProcessHandle.current().pid()));
    }

    @Test
    void aFolderThatCannotBeMadeEndsTheStart() throws IOException {
        Files.writeString(home.resolve("nodes"), "in the way");

        assertThatThrownBy(() -> start(combined(), Map.of()))
                .isInstanceOf(BadStart.class)
                .hasMessageStartingWith("kv.node.dir = \"nodes/foo@h\" (")
                .hasMessageEndingWith("): cannot be used: Not a directory");
    }

    @Test
    void aPortInUseEndsTheStart() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String port = String.valueOf(taken.getLocalPort());

            assertThatThrownBy(() -> start(combined(), Map.of("kv.router.port", port)))
                    .isInstanceOf(BadStart.class)
                    .hasMessage("kv.router.port = \"%s\" (-Dkv.router.port): cannot listen at 127.0.0.1:%s: %s"
                            .formatted(port, port, "Address already in use"));
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            kv.node.name              | kv           | expected name@host
            kv.node.name              | k v@h        | expected name@host
            kv.node.drain             | 2h           | expected a duration from 0ms to 1h
            kv.log.level              | loud         | expected one of trace, debug, info, warn, error, off
            kv.log.loggers.mina       | loud         | expected one of trace, debug, info, warn, error, off
            kv.router.table           | m..a=foo@h   | line 1, column
            kv.router.table           | a..m=foo@h,  | line 1, column
            kv.router.host            | no host      | expected an address of this machine
            kv.router.port            | 70000        | expected a port from 0 to 65535
            kv.router.advertise       | h:0          | expected host or host:port
            kv.router.advertise       | h:1:2        | expected host or host:port
            kv.router.peers."bar@h"   | h            | expected "host:port"
            kv.router.peers."bar@h"   | h:70000      | expected "host:port"
            kv.router.peers.bar       | h:4041       | expected "name@host" = "host:port"
            kv.router.timeout         | 0            | expected a duration from 50ms to 1h
            kv.router.hops-max        | 0            | expected a whole number from 1 to 64
            kv.router.reconnect-max   | 0            | expected a duration from 50ms to 1h
            kv.router.cookie-file     | ''           | expected a path
            kv.router.bucket-max      | 65KiB        | expected a size from 1 to 64KiB
            kv.router.key-max         | 0            | expected a size from 1 to 64KiB
            kv.router.value-max       | 2GiB         | expected a size from 1 to 1GiB
            kv.router.reply-max       | 1            | expected a size from 1KiB to 1GiB
            kv.router.io-threads      | -1           | expected a whole number from 0 to 256
            kv.router.connections-max | 0            | expected a whole number from 1 to 1000000
            kv.router.in-flight-max   | 0            | expected a whole number from 1 to 16777216
            kv.router.unsent-max      | 1            | expected a size from 1MiB to 16GiB
            kv.router.table-max       | 1GiB         | expected a size from 1KiB to 1MiB
            """)
    void invalidSettingsAreRefused(String key, String value, String why) {
        assertThatThrownBy(() -> configure(combined(), Map.of(key, value)))
                .isInstanceOf(BadStart.class)
                .hasMessageStartingWith(key + " = \"" + value + "\" (-D" + key + "): " + why);
    }

    @Test
    void aTableAboveItsLimitIsRefused() {
        String table = "#".repeat(1025);

        assertThatThrownBy(() -> configure(combined(), Map.of("kv.router.table", table, "kv.router.table-max", "1KiB")))
                .isInstanceOf(BadStart.class)
                .hasMessageEndingWith("the table has more than 1024 bytes (kv.router.table-max)");
    }

    @Test
    void aTableThatNamesANodeWithoutStorageAsItselfIsRefused() {
        Map<String, String> table = Map.of("kv.router.table", "a..m=bar@h,\nn..z=foo@h");

        assertThatThrownBy(() -> configure(release(Optional.empty(), Optional.of(door())), table))
                .isInstanceOf(BadStart.class)
                .hasMessageEndingWith("line 2, column 1: foo@h is this node, which keeps no data (server release)");
        assertThat(configure(combined(), table)).isNotNull();
    }

    @Test
    void itsRoleFollowsFromItsRelease() {
        assertThat(combined().role()).isEqualTo("combined");
        assertThat(release(Optional.of(storage()), Optional.empty()).role()).isEqualTo("storage");
        assertThat(release(Optional.empty(), Optional.of(door())).role()).isEqualTo("server");
        assertThat(release(Optional.empty(), Optional.empty()).role()).isEqualTo("router");
    }

    @Test
    void reportsItsStateAtTheLocalSocket() {
        Node node = start(combined(), Map.of("kv.router.table", "a..m=foo@h"));

        Config status = ask("status");

        assertThat(status.getString("name")).isEqualTo("foo@h");
        assertThat(status.getString("state")).isEqualTo("running");
        assertThat(status.getString("role")).isEqualTo("combined");
        assertThat(status.getString("version")).isEqualTo("1.2.3");
        assertThat(status.getString("addresses.clients")).isEqualTo("127.0.0.1:1");
        assertThat(status.getString("addresses.nodes"))
                .isEqualTo("127.0.0.1:" + node.peerAddress().orElseThrow().getPort());
        assertThat(status.getString("table.version")).isEqualTo("static");
        assertThat(status.getString("table.text")).isEqualTo("a..m=foo@h");
        assertThat(status.getString("parts.storage.buckets")).isEqualTo("0");
        assertThat(status.getString("parts.clients.connections")).isEqualTo("0");
    }

    @Test
    void answersAtTheLocalSocketWhileItStarts() throws Exception {
        CountDownLatch opening = new CountDownLatch(1);
        CountDownLatch opened = new CountDownLatch(1);
        Engine slow = settings -> new ReadyStorage(() -> {
            opening.countDown();
            try {
                opened.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        CompletableFuture<Node> starting =
                CompletableFuture.supplyAsync(() -> start(release(Optional.of(slow), Optional.empty()), Map.of()));
        assertThat(opening.await(10, TimeUnit.SECONDS)).isTrue();

        assertThat(ask("status").getString("state")).isEqualTo("starting");
        assertThat(ask("status").getString("doing")).isEqualTo("opening the storage");
        assertThat(ask("route x").getString("failure.message")).isEqualTo("this node is still starting");

        opened.countDown();
        starting.get(10, TimeUnit.SECONDS);
        assertThat(ask("status").getString("state")).isEqualTo("running");
    }

    @Test
    void isAskedToStopAtTheLocalSocket() {
        start(combined(), Map.of("kv.node.drain", "3s"));

        assertThat(ask("stop").getInt("drainMillis")).isEqualTo(3000);
        assertThat(events).endsWith("asked to stop");
    }

    @Test
    void refusesUnknownCommandsAtTheLocalSocket() {
        start(combined(), Map.of());

        assertThat(LocalClient.ask(folder(), "dance now", LIMIT))
                .isEqualTo(new LocalAnswer.Refused("this release knows no `dance`"));
    }

    @Test
    void reportsThePathOfARequestAcrossNodes() {
        Node bar =
                start(combined(), Map.of("kv.node.name", "bar@h", "kv.node.dir", "bar", "kv.router.table", "n*=bar@h"));
        String barAddress = "127.0.0.1:" + bar.peerAddress().orElseThrow().getPort();
        start(
                combined(),
                Map.of(
                        "kv.router.table",
                        "a..m=foo@h,\nn..z=bar@h",
                        "kv.router.peers.\"bar@h\"",
                        barAddress,
                        "kv.router.cookie-file",
                        home.resolve("bar/cookie").toString()));

        Config stays = ask("route apples");
        assertThat(stays.getConfigList("hops")).singleElement().satisfies(hop -> {
            assertThat(hop.getString("node")).isEqualTo("foo@h");
            assertThat(hop.getString("entry")).isEqualTo("a..m=foo@h");
            assertThat(hop.getInt("line")).isEqualTo(1);
        });
        assertThat(stays.hasPath("failure")).isFalse();

        Config far = ask("route nuts");
        assertThat(far.getConfigList("hops"))
                .extracting(hop -> hop.getString("node") + " " + hop.getInt("line") + " " + hop.getInt("column"))
                .containsExactly("foo@h 2 1", "bar@h 1 1");
        assertThat(far.hasPath("failure")).isFalse();

        Config lost = ask("route %7a");
        assertThat(lost.getConfigList("hops")).hasSize(2);
        assertThat(lost.getString("failure.word")).isEqualTo("NOROUTE");
    }

    @Test
    void givesItsDoorStoresThatFollowTheTable() throws Exception {
        CompletableFuture<Supplier<Store>> handed = new CompletableFuture<>();
        CompletableFuture<Loops> loopsHanded = new CompletableFuture<>();
        Door taking = settings -> (stores, loops, facts) -> {
            handed.complete(stores);
            loopsHanded.complete(loops);
            return new ClosedDoor();
        };
        start(release(Optional.of(storage()), Optional.of(taking)), Map.of("kv.router.table", "*=foo@h"));

        Store store = handed.join().get();

        assertThat(store.run(new Command.Create(Bytes.of("shopping")))
                        .toCompletableFuture()
                        .get(10, TimeUnit.SECONDS))
                .isEqualTo(Reply.NOT_FOUND);
        assertThat(loopsHanded.join().all()).isNotEmpty();
    }
}
