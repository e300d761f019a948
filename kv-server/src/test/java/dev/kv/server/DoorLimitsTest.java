package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Kind;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Loop;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.MapStore;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
final class DoorLimitsTest {
    private static final int MIB = 1024 * 1024;
    private static final int LINE_MAX_BYTES = 2000;
    private static final String TOO_LONG = "ERROR TOOLARGE the line is longer than 2000 bytes (kv.server.line-max)";

    private static TestDoor.Knobs shortLines(TestDoor.Knobs knobs) {
        knobs.lineMaxBytes = LINE_MAX_BYTES;
        return knobs;
    }

    private static String create(int lineBytes) {
        return "CREATE " + "b".repeat(lineBytes - "CREATE ".length());
    }

    @Test
    void aLineIsAtMostAsLongAsTheLimit() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore(), DoorLimitsTest::shortLines);
                LineClient client = door.client()) {
            client.send(create(LINE_MAX_BYTES) + "\n" + create(LINE_MAX_BYTES + 1) + "\n" + create(LINE_MAX_BYTES - 1)
                    + "\r\n" + create(LINE_MAX_BYTES) + "\r\nCREATE b\n");

            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo(TOO_LONG);
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo(TOO_LONG);
            assertThat(client.line()).isEqualTo("OK");
        }
    }

    @Test
    void aLineThatIsTooLongIsOneErrorWhereverItIsCutIntoPackets() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore(), DoorLimitsTest::shortLines);
                LineClient client = door.client()) {
            String line = create(LINE_MAX_BYTES + 500) + "\n";
            for (int cut : List.of(1, 1000, 1998, 1999, 2000, 2001, 2002, 2003, 2400, 2499, 2500)) {
                client.send(line.substring(0, cut));
                // The first piece has been read for sure once others were answered after it, on every loop.
                roundTrips(door);
                client.send(line.substring(cut) + "CREATE b\n");
                assertThat(client.line()).isEqualTo(TOO_LONG);
                assertThat(client.line()).isEqualTo("OK");
            }
        }
    }

    @Test
    void aReadWhoseClientIsGoneIsCancelledAndAWriteIsNot() throws Exception {
        CompletableFuture<Reply> read = new CompletableFuture<>();
        CompletableFuture<Reply> write = new CompletableFuture<>();
        CountDownLatch isAsked = new CountDownLatch(1);
        Store store = (command, _) -> {
            if (command instanceof Command.Content) {
                isAsked.countDown();
                return read;
            }
            return write;
        };
        try (TestDoor door = new TestDoor(store)) {
            try (LineClient client = door.client()) {
                client.send(RespClient.request("HSET", "b", "k", "v") + RespClient.request("HGETALL", "b"));
                isAsked.await();
                client.reset();
            }
            assertThatThrownBy(() -> read.get(20, TimeUnit.SECONDS)).isInstanceOf(CancellationException.class);
            assertThat(write).isNotDone();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"PUT b k v", "HSET b k v", "DEL b c"})
    void nothingOfAClientIsRunBehindAWriteThatHoldsBackAndOtherClientsAreServed(String write) throws Exception {
        BlockingQueue<Runnable> writes = new LinkedBlockingQueue<>();
        AtomicInteger reads = new AtomicInteger();
        Store store = (command, _) -> {
            if (command.isRead()) {
                reads.incrementAndGet();
                return CompletableFuture.completedFuture(new Reply.Amount(7));
            }
            CompletableFuture<Void> placed = new CompletableFuture<>();
            LongReply.UnderWay answer = new LongReply.UnderWay(() -> 0, placed);
            Loop loop = Loop.current().orElseThrow();
            writes.add(() -> loop.execute(() -> {
                placed.complete(null);
                answer.complete(command instanceof Command.Put ? Reply.OK : new Reply.Amount(1));
            }));
            return answer;
        };
        boolean isLine = write.startsWith("PUT");
        try (TestDoor door = new TestDoor(store);
                LineClient client = door.client();
                RespClient other = door.respClient()) {
            String request = isLine ? write + "\r\n" : RespClient.request(write.split(" "));
            client.send((request + RespClient.request("HLEN", "b")).repeat(2));
            for (int round = 0; round < 2; round++) {
                int commands = write.startsWith("DEL") ? 2 : 1;
                for (int command = 0; command < commands; command++) {
                    Await.until(() -> writes.size() == 1);
                    int before = reads.get();
                    for (int i = 0; i < 20; i++) {
                        assertThat(other.say("HLEN b")).isEqualTo(":7");
                    }
                    assertThat(reads.get()).isEqualTo(before + 20);
                    assertThat(writes).hasSize(1);
                    writes.remove().run();
                }
                assertThat(client.line()).isEqualTo(isLine ? "OK" : ":" + commands);
                assertThat(client.line()).isEqualTo(":7");
            }
        }
    }

    @Test
    void theEndOfAnEarlierRequestDoesNotEndTheWaitBehindAWriteThatHoldsBack() throws Exception {
        BlockingQueue<Runnable> drops = new LinkedBlockingQueue<>();
        CompletableFuture<Runnable> write = new CompletableFuture<>();
        AtomicInteger reads = new AtomicInteger();
        Store store = (command, _) -> {
            if (command.isRead()) {
                reads.incrementAndGet();
                return CompletableFuture.completedFuture(new Reply.Amount(7));
            }
            Loop loop = Loop.current().orElseThrow();
            if (command instanceof Command.Drop) {
                CompletableFuture<Reply> dropped = new CompletableFuture<>();
                drops.add(() -> loop.execute(() -> dropped.complete(new Reply.Amount(1))));
                return dropped;
            }
            CompletableFuture<Void> placed = new CompletableFuture<>();
            LongReply.UnderWay answer = new LongReply.UnderWay(() -> 0, placed);
            write.complete(() -> loop.execute(() -> {
                placed.complete(null);
                answer.complete(new Reply.Amount(1));
            }));
            return answer;
        };
        try (TestDoor door = new TestDoor(store);
                RespClient client = door.respClient()) {
            client.send(RespClient.request("DEL", "a", "b")
                    + RespClient.request("HSET", "b", "k", "v")
                    + RespClient.request("HLEN", "b"));
            Runnable placed = write.get(20, TimeUnit.SECONDS);
            drops.remove().run();
            drops.remove().run();
            assertThat(client.reply()).isEqualTo(":2");
            roundTrips(door);
            assertThat(reads).hasValue(0);
            placed.run();
            assertThat(client.reply()).isEqualTo(":1");
            assertThat(client.reply()).isEqualTo(":7");
        }
    }

    private static void roundTrips(TestDoor door) throws Exception {
        for (int i = 0; i < 10; i++) {
            try (LineClient other = door.client()) {
                assertThat(other.ask("WHAT")).isEqualTo("UNKNOWN COMMAND");
            }
        }
    }

    @Test
    void aLineWithoutEndTakesNoMemory() throws Exception {
        TestDoor.Knobs knobs = new TestDoor.Knobs();
        try (TestDoor door = new TestDoor(new MapStore(), _ -> {
                    knobs.bufferMaxBytes = 4 * MIB;
                    return knobs;
                });
                LineClient client = door.client()) {
            String piece = "x".repeat(MIB);
            client.send("PUT b k ");
            for (int i = 0; i < 64; i++) {
                client.send(piece);
            }
            client.send("\nCREATE b\n");

            assertThat(client.line()).startsWith("ERROR TOOLARGE ");
            assertThat(client.line()).isEqualTo("OK");
        }
    }

    /** Redis calls this the length of an inline request. */
    @ParameterizedTest
    @ValueSource(strings = {"", "PUTS b k ", "put b k ", "\0", " ", "\r\n\n"})
    void longInputWithoutARequestEndsTheConnection(String begin) throws Exception {
        try (TestDoor door = new TestDoor(new MapStore());
                LineClient client = door.client()) {
            int ofTheLine = begin.length() - 1 - begin.lastIndexOf('\n');
            // Not a byte more than is read: it would reset the connection.
            client.send(begin + "x".repeat(64 * 1024 + 1 - ofTheLine));

            assertThat(client.rest()).isEqualTo("-ERR Protocol error: too big inline request\r\n");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"PUT b k ", "  \tPUT\tb k ", "CREATE b\r\nPUT b k ", "nonsense\r\n", "AUTH "})
    void aLongLineThatBeginsWithACommandOrFollowsALineIsRead(String begin) throws Exception {
        try (TestDoor door = new TestDoor(new MapStore());
                LineClient client = door.client()) {
            client.send(begin + "x".repeat(100_000));
            client.send("\r\nCREATE end\r\n");
            client.endOutput();

            assertThat(client.rest()).doesNotContain("Protocol error").endsWith("OK\r\n");
        }
    }

    @Test
    void aLineThatIsTooLongAndNeverEndsIsDropped() throws Exception {
        try (TestDoor door = new TestDoor(new MapStore(), DoorLimitsTest::shortLines);
                LineClient client = door.client()) {
            client.send("CREATE b\n" + create(3 * LINE_MAX_BYTES));
            client.endOutput();

            assertThat(client.rest()).isEqualTo("OK\r\n");
        }
    }

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
                roundTrips(door);
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
    void repliesThatWaitForAnOlderOneCountAsUnsent() throws Exception {
        Reply value = new Reply.Value(Bytes.owning(new byte[MIB / 2]));
        HeldStore held = new HeldStore();
        AtomicInteger runs = new AtomicInteger();
        Store store = (command, _) -> {
            runs.incrementAndGet();
            return command instanceof Command.Get ? held.run(command) : CompletableFuture.completedFuture(value);
        };
        try (TestDoor door = new TestDoor(store);
                LineClient client = door.client()) {
            client.send("GET b k\n" + "PUT b k v\n".repeat(10));
            HeldStore.Held first = held.next();
            roundTrips(door);

            assertThat(runs).hasValue(3);
            first.answer();
            assertThat(client.line()).isEqualTo("k");
            client.endOutput();
            assertThat(client.rest()).hasSize("OK\r\n".length() + 10 * (MIB / 2 + "\r\nOK\r\n".length()));
            assertThat(runs).hasValue(11);
        }
    }

    @Test
    void noMoreRequestsOfAConnectionAreInFlightThanAllowed() throws Exception {
        HeldStore store = new HeldStore();
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.repliesMax = 4;
                    return knobs;
                });
                LineClient client = door.client()) {
            StringBuilder replies = new StringBuilder();
            for (int i = 0; i < 10; i++) {
                client.send("GET b k" + i + "\n");
                replies.append('k').append(i).append("\r\nOK\r\n");
            }
            client.endOutput();
            List<HeldStore.Held> held = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                held.add(store.next());
            }
            roundTrips(door);
            assertThat(store.waiting()).isZero();

            // Only when the oldest is answered is there room for one more.
            held.get(1).answer();
            roundTrips(door);
            assertThat(store.waiting()).isZero();
            held.get(0).answer();
            held.get(2).answer();
            held.get(3).answer();
            for (int i = 4; i < 10; i++) {
                store.next().answer();
            }
            assertThat(client.rest()).isEqualTo(replies.toString());
        }
    }

    @Test
    void requestsForManyBucketsCountByTheirCommands() throws Exception {
        BlockingQueue<Runnable> held = new LinkedBlockingQueue<>();
        Store store = (command, _) -> {
            CompletableFuture<Reply> reply = new CompletableFuture<>();
            Loop loop = Loop.current().orElseThrow();
            held.add(() -> loop.execute(() -> reply.complete(new Reply.OfKind(Kind.VALUE))));
            return reply;
        };
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.repliesMax = 4;
                    return knobs;
                });
                RespClient client = door.respClient()) {
            client.send(RespClient.request("EXISTS", "a", "b", "c").repeat(4));
            for (int taken = 0; taken < 12; taken += 6) {
                List<Runnable> answers = new ArrayList<>();
                for (int i = 0; i < 6; i++) {
                    answers.add(Objects.requireNonNull(held.poll(20, TimeUnit.SECONDS)));
                }
                roundTrips(door);
                assertThat(held).isEmpty();
                answers.forEach(Runnable::run);
            }
            client.endOutput();
            assertThat(client.rest()).isEqualTo(":3\r\n".repeat(4));
        }
    }

    @Test
    void aLineForWhichNoMemoryIsLeftEndsItsConnectionAlone() throws Exception {
        HeldStore store = new HeldStore();
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.bufferMaxBytes = 100_000;
                    return knobs;
                });
                LineClient greedy = door.client();
                LineClient other = door.client()) {
            greedy.send("GET b k\nCREATE ");
            HeldStore.Held held = store.next();
            greedy.send("b".repeat(200_000));
            held.answer();

            assertThat(greedy.line()).isEqualTo("k");
            assertThat(greedy.line()).isEqualTo("OK");
            assertThat(greedy.line())
                    .isEqualTo("ERROR ERR this node has no memory left for unfinished requests (kv.server.buffer-max);"
                            + " try again later");
            assertThat(greedy.isClosed()).isTrue();
            // It has given back what it had.
            Await.until("the door has 1 connections", () -> door.connections() == 1);
            other.send(create(30_000));
            other.send("\n");
            assertThat(other.line()).isEqualTo("OK");
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
                greedy.send("x".repeat(2000));
            }
            roundTrips(door);

            served.send("CREATE b\nPUT b k v\nGET b k\nGET b k\n");
            assertThat(List.of(served.line(), served.line(), served.line(), served.line()))
                    .containsExactly("OK", "OK", "v", "OK");
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
