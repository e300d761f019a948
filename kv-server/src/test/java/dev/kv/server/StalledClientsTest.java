package dev.kv.server;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.RespClient;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Clients that take little or nothing of the values that they are sent, while others wait for the memory. */
@Timeout(60)
final class StalledClientsTest extends WithHeldValues {
    private TestDoor door(Store of, Duration stalledTime) {
        return new TestDoor(of, knobs -> {
            knobs.stalledTime = stalledTime;
            knobs.bufferMaxBytes = 62 * MIB;
            return knobs;
        });
    }

    @Test
    void aClientThatTakesNothingIsClosedWhenOthersWaitForTheMemory() throws Exception {
        Duration stalledTime = Duration.ofMillis(200);
        try (TestDoor door = door(store, stalledTime);
                RespClient silent = door.respClient();
                RespClient other = door.respClient()) {
            silent.send(request("A16"));
            Await.until(() -> held.get() == 1);
            long start = System.nanoTime();
            while (System.nanoTime() - start < 3 * stalledTime.toNanos()) {
                assertThat(other.ask("HGET", "b", "a")).isEqualTo("\"a\"");
            }
            assertThat(held).as("nobody waits").hasValue(1);

            waitedForNanos.set(0);
            awaitReleased();
            Await.until(() -> door.connections() == 1);
        }
    }

    @Test
    void aStopDoesNotWaitForAClientThatTakesNothing() throws Exception {
        Duration limit = Duration.ofSeconds(20);
        try (TestDoor door = door(store, Duration.ofMillis(200));
                RespClient silent = door.respClient()) {
            silent.send(request("A16").repeat(4));
            Await.until("the first value was asked for", () -> given.get() >= 1);
            long start = System.nanoTime();
            door.open().stop(limit);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(limit.dividedBy(2));
        }
        awaitReleased();
    }

    /** One that never reads would else keep others waiting for as long as each one before it has done. */
    @Test
    void aClientThatHasTakenNothingIsClosedSoonerWhenOthersHaveWaitedForLong() throws Exception {
        Duration stalledTime = Duration.ofSeconds(8);
        waitedForNanos.set(stalledTime.toNanos());
        try (TestDoor door = door(store, stalledTime);
                RespClient silent = door.respClient();
                Socket pausing =
                        new Socket(door.address().getAddress(), door.address().getPort())) {
            pausing.getOutputStream().write(request("A16").getBytes(ISO_8859_1));
            // More than the kernel buffers, so that the node sees it read.
            for (int read = 0; read < 10 * MIB; read += 64 * 1024) {
                assertThat(pausing.getInputStream().readNBytes(64 * 1024)).hasSize(64 * 1024);
                LockSupport.parkNanos(10_000_000);
            }
            Await.until("the door has 2 connections", () -> door.connections() == 2);
            long start = System.nanoTime();
            silent.send(request("A16"));
            Await.until("the silent client is closed", () -> door.connections() == 1);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(stalledTime);
            Await.until("one value is held, of the client that has read", () -> held.get() == 1);
        }
        awaitReleased();
    }

    @Test
    void aClientThatReadsSlowlyIsServedWhileOthersWait() throws Exception {
        waitedForNanos.set(0);
        try (TestDoor door = door(store, Duration.ofSeconds(1));
                Socket slow =
                        new Socket(door.address().getAddress(), door.address().getPort())) {
            slow.getOutputStream().write(request("A16").getBytes(ISO_8859_1));
            int left = 16 * MIB;
            while (left > 0) {
                left -= slow.getInputStream().readNBytes(128 * 1024).length;
                LockSupport.parkNanos(20_000_000);
            }
            awaitReleased();
        }
    }

    /** The kernel reports room in its send buffer only when a third is free: here every 1.6 s. */
    @Test
    void aClientThatTakesLessInTheTimeThanTheKernelReportsIsServedWhileOthersWait() throws Exception {
        Duration stalledTime = Duration.ofSeconds(1);
        waitedForNanos.set(0);
        try (TestDoor door = door(store, stalledTime);
                Socket slow =
                        new Socket(door.address().getAddress(), door.address().getPort())) {
            slow.getOutputStream().write(request("A16").getBytes(ISO_8859_1));
            int left = 16 * MIB;
            long start = System.nanoTime();
            while (System.nanoTime() - start < 5 * stalledTime.toNanos()) {
                left -= slow.getInputStream().readNBytes(64 * 1024).length;
                LockSupport.parkNanos(80_000_000);
            }
            assertThat(slow.getInputStream().readNBytes(left).length).isEqualTo(left);
            awaitReleased();
        }
    }

    /** A reply in memory takes most of the budget of all clients. */
    @Test
    void aClientThatTakesNothingIsClosedWhenLittleMemoryIsLeft() throws Exception {
        Reply large = new Reply.Value(Bytes.owning(new byte[60 * MIB]));
        try (TestDoor door = door((_, _) -> CompletableFuture.completedFuture(large), Duration.ofMillis(200));
                RespClient silent = door.respClient()) {
            silent.send(request("a"));
            Await.until(() -> door.connections() == 1);
            Await.until(() -> door.connections() == 0);
        }
    }
}
