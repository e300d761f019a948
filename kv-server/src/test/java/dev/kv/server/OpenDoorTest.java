package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.kv.router.Bytes;
import dev.kv.router.config.BadStart;
import dev.kv.router.config.Layers;
import dev.kv.router.config.Settings;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.net.Loops;
import dev.kv.router.spi.Door;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.MapStore;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

@Timeout(60)
final class OpenDoorTest {
    private static final Duration LONG = Duration.ofSeconds(30);

    @Test
    void theModuleIsFoundAsADoor() {
        assertThat(ServiceLoader.load(Door.class)).hasExactlyElementsOfTypes(ClientDoor.class);
    }

    @Test
    void theMemoryForClientsIsAQuarterOfTheHeapByDefault() {
        InetSocketAddress anyPort = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        TestDoor.Knobs knobs = new TestDoor.Knobs();
        knobs.bufferMaxBytes = 0;
        assertThat(OpenDoor.bufferMaxBytes(knobs.settings(anyPort), 1L << 30)).isEqualTo(1L << 28);
        assertThat(OpenDoor.bufferMaxBytes(knobs.settings(anyPort), 1L << 23)).isEqualTo(1L << 22);
        knobs.bufferMaxBytes = 5_000_000;
        assertThat(OpenDoor.bufferMaxBytes(knobs.settings(anyPort), 1L << 30)).isEqualTo(5_000_000);
    }

    @Test
    void theDoorReportsItsAddressAndConnections() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore())) {
            assertThat(door.address().getAddress().getHostAddress()).isEqualTo("127.0.0.1");
            assertThat(door.address().getPort()).isPositive();
            assertThat(Metrics.texts(door.open().metrics())).containsEntry("connections", "0");
            try (LineClient client = door.client()) {
                assertThat(client.ask("CREATE b")).isEqualTo("OK");
                assertThat(Metrics.texts(door.open().metrics())).containsEntry("connections", "1");
            }
            Await.until("the door has 0 connections", () -> door.connections() == 0);
        }
    }

    @Test
    void aDoorBeyondLoopbackWithoutAPasswordLogsAWarning() throws Exception {
        assertThat(warnings("0.0.0.0", "")).singleElement().asString().contains("0.0.0.0:0", "kv.server.password");
        assertThat(warnings("0.0.0.0", "secret")).isEmpty();
        assertThat(warnings("127.0.0.1", "")).isEmpty();
    }

    private static List<String> warnings(String host, String password) throws Exception {
        TestDoor.Knobs knobs = new TestDoor.Knobs();
        knobs.password = Bytes.of(password);
        Logger log = (Logger) LoggerFactory.getLogger(OpenDoor.class);
        ListAppender<ILoggingEvent> events = new ListAppender<>();
        events.start();
        log.setLevel(Level.WARN);
        log.addAppender(events);
        try (Loops loops = new Loops(1, Duration.ofMillis(2), 1)) {
            InetSocketAddress address = new InetSocketAddress(host, 0);
            OpenDoor.open(knobs.settings(address), MapStore::new, loops, TestDoor.FACTS)
                    .stop(Duration.ZERO);
        } finally {
            log.detachAppender(events);
            log.setLevel(null);
        }
        return events.list.stream().map(ILoggingEvent::getFormattedMessage).toList();
    }

    @Test
    void aPortInUseIsABadStart(@TempDir Path home) {
        try (TestDoor door = new TestDoor(new MapStore());
                Loops loops = new Loops(1, Duration.ofMillis(2), 1)) {
            int port = door.address().getPort();
            Settings same = Layers.of(home, Map.of("kv.server.port", String.valueOf(port)))
                    .load();
            assertThatThrownBy(() -> new ClientDoor().configure(same).start(MapStore::new, loops, TestDoor.FACTS))
                    .isInstanceOf(BadStart.class)
                    .hasMessage(
                            "kv.server.port = \"%d\" (-Dkv.server.port): cannot listen at 127.0.0.1:%d:"
                                    + " Address already in use (`ss -ltnp` shows by which process)",
                            port, port);
        }
    }

    @Test
    void aStopAnswersReceivedRequestsAndRefusesConnections() throws Exception {
        HeldStore store = new HeldStore();
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.repliesMax = 1;
                    return knobs;
                });
                LineClient idle = door.client();
                LineClient waiting = door.client()) {
            assertThat(idle.ask("PUT b k v")).isEqualTo("OK");
            waiting.send("GET b running\nGET b received\nGET b dropped");
            HeldStore.Held running = store.next();
            CompletableFuture<Void> stop =
                    CompletableFuture.runAsync(() -> door.open().stop(LONG));

            assertThat(idle.isClosed()).isTrue();
            assertThatThrownBy(door::client).isInstanceOf(ConnectException.class);
            assertThat(stop).isNotDone();
            running.answer();
            store.next().answer();
            assertThat(waiting.rest()).isEqualTo("running\r\nOK\r\nreceived\r\nOK\r\n");
            stop.join();
            assertThat(door.connections()).isZero();
        }
    }

    @Test
    void aStopLosesNoReplyToASlowClientThatSendsOn() throws Exception {
        HeldStore store = new HeldStore();
        String key = "k".repeat(900_000);
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.repliesMax = 1;
                    return knobs;
                });
                LineClient client = LineClient.connect(door.address(), 16 * 1024)) {
            client.send("GET b " + key + "\nWHAT\n");
            HeldStore.Held held = store.next();
            client.send("never read\n".repeat(10_000));
            CompletableFuture<Void> stop =
                    CompletableFuture.runAsync(() -> door.open().stop(LONG));
            Await.until("the door refuses connections", () -> refusesConnections(door));
            held.answer();
            // The reply is in the kernel's hands, which take more than the client has room for.
            stop.join();

            assertThat(client.line()).isEqualTo(key);
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo("UNKNOWN COMMAND");
        }
    }

    private static boolean refusesConnections(TestDoor door) {
        try (LineClient late = door.client()) {
            return late.isClosed();
        } catch (IOException refused) {
            return true;
        }
    }

    @Test
    void aStopClosesConnectionsAfterItsLimit() throws Exception {
        HeldStore store = new HeldStore();
        try (TestDoor door = new TestDoor(store);
                LineClient client = door.client()) {
            client.send("GET b k\n");
            assertThat(store.next().key()).hasToString("k");
            long start = System.nanoTime();
            door.open().stop(Duration.ofMillis(100));

            assertThat(Duration.ofNanos(System.nanoTime() - start)).isBetween(Duration.ofMillis(100), LONG);
            assertThat(client.isClosed()).isTrue();
        }
    }
}
