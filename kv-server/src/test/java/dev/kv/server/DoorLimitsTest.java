package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.MapStore;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What one client may take, of the memory and of the places, while others are served. */
@Timeout(60)
final class DoorLimitsTest {
    private static final int MIB = 1024 * 1024;

    @Test
    void aClientThatDoesNotReadIsHeldBackWhileOthersAreServedAndGetsAllWhenItReads() throws Exception {
        int requests = 150;
        byte[] mebibyte = new byte[MIB];
        Arrays.fill(mebibyte, (byte) 'v');
        Reply value = new Reply.Value(Bytes.owning(mebibyte));
        AtomicInteger runs = new AtomicInteger();
        Store store = (command, _) -> {
            if (command instanceof Command.Get) {
                runs.incrementAndGet();
                return CompletableFuture.completedFuture(value);
            }
            return CompletableFuture.completedFuture(Reply.OK);
        };
        try (TestDoor door = new TestDoor(store);
                LineClient hog = LineClient.connect(door.address(), 64 * 1024)) {
            hog.send("GET b k\n".repeat(requests));
            hog.endOutput();
            Await.until("the first request runs", () -> runs.get() > 0);
            for (int i = 0; i < 10; i++) {
                door.roundTrips();
            }
            // What the sockets' buffers take counts as taken: a few MiB, by the kernel's limits.
            assertThat(runs).hasValueLessThan(50);

            for (int i = 0; i < requests; i++) {
                assertThat(hog.line()).hasSize(MIB);
                assertThat(hog.line()).isEqualTo("OK");
            }
            assertThat(hog.isClosed()).isTrue();
        }
    }

    @Test
    void commandsWithLongRepliesAreRefusedWhileClientsHoldAllMemory() throws Exception {
        Reply content = new Reply.Values(List.of(Bytes.EMPTY, Bytes.owning(new byte[16 * MIB])));
        AtomicInteger runs = new AtomicInteger();
        Store store = (command, _) -> {
            if (command instanceof Command.Content) {
                runs.incrementAndGet();
                return CompletableFuture.completedFuture(content);
            }
            return CompletableFuture.completedFuture(Reply.OK);
        };
        List<LineClient> hogs = new ArrayList<>();
        try (TestDoor door = new TestDoor(store, knobs -> {
            knobs.bufferMaxBytes = 8 * MIB;
            return knobs;
        })) {
            for (int i = 0; i < 30; i++) {
                LineClient hog = LineClient.connect(door.address(), 64 * 1024);
                hogs.add(hog);
                hog.send(RespClient.request("HGETALL", "b"));
            }
            int refused = 0;
            for (LineClient hog : hogs) {
                refused += hog.line().startsWith("-ERR this node has no memory left for the reply ") ? 1 : 0;
            }
            // One for each loop at the most is begun when the one before has not been counted yet.
            assertThat(runs.get()).isLessThan(6);
            assertThat(refused).isEqualTo(30 - runs.get());
            try (RespClient client = door.respClient()) {
                for (String request : List.of("HMGET b k l", "HSCAN b 0", "SCAN 0", "KEYS *", "RANDOMKEY")) {
                    assertThat(client.say(request))
                            .as(request)
                            .startsWith("ERR this node has no memory left for the reply ");
                }
                assertThat(client.say("PING")).isEqualTo("PONG");
            }
        } finally {
            for (LineClient hog : hogs) {
                hog.close();
            }
        }
    }

    @Test
    void aClientThatTakesItsRepliesIsServedWhenOthersHoldAllMemory() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore(), knobs -> {
                    knobs.bufferMaxBytes = 4000;
                    return knobs;
                });
                LineClient served = door.client();
                LineClient first = door.client();
                LineClient second = door.client()) {
            for (LineClient greedy : List.of(first, second)) {
                // The first 4 KiB of a connection are not charged.
                greedy.send("x".repeat(4096 + 2000));
            }
            door.roundTrips();

            served.send("CREATE b\nPUT b k v\nGET b k\nGET b k\n");
            assertThat(List.of(served.line(), served.line(), served.line(), served.line()))
                    .containsExactly("OK", "OK", "v", "OK");
            assertThat(List.of(served.line(), served.line())).containsExactly("v", "OK");
            served.send("GET b ");
            door.roundTrips();
            served.send("k\n");
            assertThat(List.of(served.line(), served.line())).containsExactly("v", "OK");
            // It was all of it, indeed.
            first.send("x");
            assertThat(first.line()).contains("kv.server.buffer-max");
        }
    }

    @Test
    void aConnectionAboveTheLimitGetsAnErrorAndIsClosed() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore(), knobs -> {
                    knobs.connectionsMax = 2;
                    return knobs;
                });
                LineClient first = door.client()) {
            assertThat(first.ask("CREATE b")).isEqualTo("OK");
            try (LineClient second = door.client()) {
                assertThat(second.ask("CREATE b")).isEqualTo("OK");
                for (int i = 0; i < 10; i++) {
                    try (LineClient third = door.client()) {
                        assertThat(third.ask("CREATE b"))
                                .isEqualTo("ERROR ERR too many connections: this node serves 2 at most"
                                        + " (kv.server.connections-max)");
                        assertThat(third.isClosed()).isTrue();
                    }
                }
                assertThat(second.ask("CREATE b")).isEqualTo("OK");
            }
            Await.until("the door has 1 connections", () -> door.connections() == 1);
            assertThat(first.ask("CREATE b")).isEqualTo("OK");
            try (LineClient again = door.client()) {
                assertThat(again.ask("CREATE b")).isEqualTo("OK");
            }
        }
    }

    @Test
    void aSilentConnectionIsClosedButNotOneThatWaitsForItsReply() throws Exception {
        HeldStore store = new HeldStore();
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.idle = Duration.ofSeconds(1);
                    return knobs;
                });
                LineClient waiting = door.client();
                LineClient silent = door.client()) {
            waiting.send("GET b k\n");
            HeldStore.Held held = store.next();

            assertThat(silent.isClosed()).isTrue();
            try (LineClient next = door.client()) {
                assertThat(next.isClosed()).isTrue();
            }
            held.answer();
            assertThat(waiting.line()).isEqualTo("k");
            assertThat(waiting.line()).isEqualTo("OK");
            assertThat(waiting.isClosed()).isTrue();
        }
    }
}
