package dev.kv.server;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A client that sends much at once leaves turns to others. */
@Timeout(60)
class TurnsTest {
    private static final int REQUESTS = 100;
    private static final int VALUE_BYTES = 8 * 1024;
    private static final long REQUEST_NANOS = 5_000_000;

    @ParameterizedTest
    @ValueSource(strings = {"GET b slow\r\n", "*3\r\n$4\r\nHGET\r\n$1\r\nb\r\n$4\r\nslow\r\n"})
    void slowRequestsThatCameTogetherTakeTurnsWithThoseOfOthers(String request) throws Exception {
        AtomicInteger slow = new AtomicInteger();
        AtomicInteger slowBeforeOther = new AtomicInteger();
        Bytes value = Bytes.owning(new byte[VALUE_BYTES]);
        Store store = (command, _) -> {
            if (command instanceof Command.Get get && get.key().equals(Bytes.of("slow"))) {
                slow.incrementAndGet();
                LockSupport.parkNanos(REQUEST_NANOS);
                return CompletableFuture.completedFuture(new Reply.Value(value));
            }
            slowBeforeOther.set(slow.get());
            return CompletableFuture.completedFuture(new Reply.Value(Bytes.of("v")));
        };
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.loops = 1;
                    return knobs;
                });
                Socket greedy =
                        new Socket(door.address().getAddress(), door.address().getPort());
                RespClient other = new RespClient(door.address())) {
            assertThat(other.ask("HGET", "b", "quick")).isEqualTo("\"v\"");
            greedy.getOutputStream().write(request.repeat(REQUESTS).getBytes(US_ASCII));
            Await.until(() -> slow.get() > 0);
            assertThat(other.ask("HGET", "b", "quick")).isEqualTo("\"v\"");
            assertThat(slowBeforeOther.get()).isLessThan(REQUESTS / 2);

            int replyBytes = VALUE_BYTES + (request.startsWith("*") ? "$8192\r\n\r\n" : "\r\nOK\r\n").length();
            assertThat(greedy.getInputStream().readNBytes(REQUESTS * replyBytes))
                    .hasSize(REQUESTS * replyBytes);
            assertThat(slow).hasValue(REQUESTS);
        }
    }

    /** The requests of all of them are there when the loop goes on: what it runs before it serves another one does not grow with their number. */
    @Test
    void manyClientsThatSendMuchAtOnceLeaveTurnsToOthers() throws Exception {
        AtomicInteger slow = new AtomicInteger();
        CountDownLatch isHeld = new CountDownLatch(1);
        CompletableFuture<Void> goesOn = new CompletableFuture<>();
        // Longer than the answers between two looks at the clock.
        Bytes value = Bytes.owning(new byte[33 * 1024]);
        Store store = (command, _) -> {
            Bytes key = ((Command.Get) command).key();
            if (key.equals(Bytes.of("slow"))) {
                slow.incrementAndGet();
                LockSupport.parkNanos(200_000);
                return CompletableFuture.completedFuture(new Reply.Value(value));
            } else if (key.equals(Bytes.of("hold"))) {
                isHeld.countDown();
                goesOn.join();
            }
            return CompletableFuture.completedFuture(new Reply.Value(Bytes.of("v")));
        };
        List<Socket> greedy = new ArrayList<>();
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.loops = 1;
                    return knobs;
                });
                RespClient holding = door.respClient();
                RespClient other = door.respClient()) {
            for (int i = 0; i < 40; i++) {
                greedy.add(
                        new Socket(door.address().getAddress(), door.address().getPort()));
            }
            assertThat(other.ask("HGET", "b", "quick")).isEqualTo("\"v\"");
            holding.send(RespClient.request("HGET", "b", "hold"));
            isHeld.await();
            for (Socket one : greedy) {
                one.getOutputStream()
                        .write(RespClient.request("HGET", "b", "slow")
                                .repeat(25)
                                .getBytes(US_ASCII));
            }
            goesOn.complete(null);
            for (int i = 0; i < 3; i++) {
                assertThat(other.ask("HGET", "b", "quick")).isEqualTo("\"v\"");
            }
            assertThat(slow.get()).isLessThan(200);
        } finally {
            for (Socket one : greedy) {
                one.close();
            }
        }
    }

    /** However many names there are: each page of them is a task of the loop that gives it the next one. */
    @Test
    void whoDeletesAllNamesLeavesTurnsToOthers() throws Exception {
        AtomicInteger pages = new AtomicInteger();
        AtomicBoolean isLast = new AtomicBoolean();
        Store store = (command, _) -> CompletableFuture.completedFuture(
                switch (command) {
                    case Command.Names names -> {
                        Reply.Name name = new Reply.Name(pages.incrementAndGet(), Bytes.of("b"));
                        yield new Reply.Names(List.of(), isLast.get() ? 0 : names.position() + 1, List.of(name));
                    }
                    case Command.Drop _ -> new Reply.Amount(1);
                    default -> new Reply.Value(Bytes.of("v"));
                });
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.loops = 1;
                    return knobs;
                });
                RespClient deleting = door.respClient();
                RespClient other = door.respClient()) {
            assertThat(other.ask("HGET", "b", "quick")).isEqualTo("\"v\"");
            deleting.send(RespClient.request("FLUSHALL"));
            try {
                Await.until(() -> pages.get() > 0);
                for (int i = 0; i < 3; i++) {
                    assertThat(other.ask("HGET", "b", "quick")).isEqualTo("\"v\"");
                }
            } finally {
                isLast.set(true);
            }
            assertThat(deleting.reply()).isEqualTo("OK");
        }
    }

    /** More clients than are met in one turn. */
    @Test
    void manyClientsAreListedAndClosedInTheirOrder() throws Exception {
        List<RespClient> clients = new ArrayList<>();
        try (TestDoor door = new TestDoor(TestDoor.ECHO)) {
            for (int i = 1; i <= 300; i++) {
                clients.add(new RespClient(door.address()));
                assertThat(clients.getLast().ask("CLIENT", "ID")).isEqualTo(":" + i);
            }
            RespClient asking = clients.get(100);
            List<String> ids = ids(asking);
            assertThat(ids).hasSize(300).first().isEqualTo("id=1");
            assertThat(ids).last().isEqualTo("id=300");
            assertThat(asking.ask("CLIENT", "KILL", "ID", "300")).isEqualTo(":1");
            Await.until(() -> ids(asking).size() == 299);
            assertThat(asking.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
                    .isEqualTo(":298");
            Await.until(() -> door.open().connections() == 1);
            assertThat(asking.ask("PING")).isEqualTo("PONG");
        } finally {
            for (RespClient client : clients) {
                client.close();
            }
        }
    }

    private static List<String> ids(RespClient client) throws IOException {
        return client.ask("CLIENT", "LIST")
                .replace("\"", "")
                .lines()
                .map(line -> line.substring(0, line.indexOf(' ')))
                .toList();
    }

    @Test
    void aClientThatClosesItselfInALaterTurnGetsItsAnswerAndRunsNothingMore() throws Exception {
        List<RespClient> clients = new ArrayList<>();
        try (TestDoor door = new TestDoor(TestDoor.ECHO)) {
            for (int i = 0; i < 200; i++) {
                clients.add(new RespClient(door.address()));
                assertThat(clients.getLast().ask("PING")).isEqualTo("PONG");
            }
            try (Socket last =
                    new Socket(door.address().getAddress(), door.address().getPort())) {
                String requests = RespClient.request("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
                        + RespClient.request("PING");
                last.getOutputStream().write(requests.getBytes(US_ASCII));
                assertThat(new String(last.getInputStream().readAllBytes(), US_ASCII))
                        .isEqualTo(":201\r\n");
            }
        } finally {
            for (RespClient client : clients) {
                client.close();
            }
        }
    }
}
