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
import dev.kv.router.testing.Replies;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.util.ArrayList;
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

/** Requests of a client while an earlier one waits for its reply. */
@Timeout(60)
final class RequestsInFlightTest {
    private static final int MIB = 1024 * 1024;

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
                answer.complete(
                        Replies.toEach(command, command instanceof Command.Put ? Reply.OK : new Reply.Amount(1)));
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
                Await.until(() -> writes.size() == 1);
                int before = reads.get();
                for (int i = 0; i < 20; i++) {
                    assertThat(other.say("HLEN b")).isEqualTo(":7");
                }
                assertThat(reads.get()).isEqualTo(before + 20);
                assertThat(writes).hasSize(1);
                writes.remove().run();
                assertThat(client.line()).isEqualTo(isLine ? "OK" : write.startsWith("DEL") ? ":2" : ":1");
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
            if (command instanceof Command.Each) {
                CompletableFuture<Reply> dropped = new CompletableFuture<>();
                drops.add(() -> loop.execute(() -> dropped.complete(Replies.toEach(command, new Reply.Amount(1)))));
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
            assertThat(client.reply()).isEqualTo(":2");
            door.roundTrips();
            assertThat(reads).hasValue(0);
            placed.run();
            assertThat(client.reply()).isEqualTo(":1");
            assertThat(client.reply()).isEqualTo(":7");
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
            door.roundTrips();

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
            door.roundTrips();
            assertThat(store.waiting()).isZero();

            // Only when the oldest is answered is there room for one more.
            held.get(1).answer();
            door.roundTrips();
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
            held.add(() -> loop.execute(() -> reply.complete(Replies.toEach(command, new Reply.OfKind(Kind.VALUE)))));
            return reply;
        };
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.repliesMax = 4;
                    return knobs;
                });
                RespClient client = door.respClient()) {
            client.send(RespClient.request("EXISTS", "a", "b", "c").repeat(4));
            for (int taken = 0; taken < 4; taken += 2) {
                List<Runnable> answers = new ArrayList<>();
                for (int i = 0; i < 2; i++) {
                    answers.add(Objects.requireNonNull(held.poll(20, TimeUnit.SECONDS)));
                }
                door.roundTrips();
                assertThat(held).isEmpty();
                answers.forEach(Runnable::run);
            }
            client.endOutput();
            assertThat(client.rest()).isEqualTo(":3\r\n".repeat(4));
        }
    }
}
