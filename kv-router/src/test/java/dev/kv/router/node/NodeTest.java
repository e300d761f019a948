package dev.kv.router.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.config.BadStart;
import dev.kv.router.metrics.Metric;
import dev.kv.router.net.Loops;
import dev.kv.router.spi.Door;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A node starts its parts in order, stops them in reverse, and refuses wrong settings. */
class NodeTest extends NodeOfStandIns {
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
                .hasMessageEndingWith(
                        "): cannot be used: Not a directory; config/kv.conf or KV_DIR names another folder");
    }

    @Test
    void aPortInUseEndsTheStart() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String port = String.valueOf(taken.getLocalPort());

            assertThatThrownBy(() -> start(combined(), Map.of("kv.router.port", port)))
                    .isInstanceOf(BadStart.class)
                    .hasMessage("kv.router.port = \"%s\" (-Dkv.router.port): cannot listen at 127.0.0.1:%s: %s"
                            .formatted(port, port, "Address already in use (`ss -ltnp` shows by which process)"));
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
            kv.router.pattern-max     | 65KiB        | expected a size from 1 to 64KiB
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
