package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Loop;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.Replies;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketException;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a client that speaks RESP and sends many requests ahead may have under way. */
@Timeout(60)
final class RequestsAheadTest {
    private static final int MIB = 1024 * 1024;

    /** A store that adds what answers a command to {@code answers}. */
    private static Store holding(BlockingQueue<Runnable> answers, Reply reply) {
        return (command, _) -> {
            CompletableFuture<Reply> held = new CompletableFuture<>();
            Loop loop = Loop.current().orElseThrow();
            int commands = Replies.commandsOf(command).size();
            AtomicInteger missing = new AtomicInteger(commands);
            Runnable answer = () -> loop.execute(() -> {
                if (missing.decrementAndGet() == 0) {
                    held.complete(Replies.toEach(command, reply));
                }
            });
            answers.addAll(Collections.nCopies(commands, answer));
            return held;
        };
    }

    /** The replies that a client waits for while nothing is known of their length: 1 MiB of 16 KiB each. */
    private static final int UNKNOWN = 64;

    /** All replies of another node come on one link: others would wait for the megabytes that come for those who send many requests ahead. */
    @ParameterizedTest
    @CsvSource({"5, 1024", "4000, 256", "50000, 20"})
    void aClientHasNoMoreRepliesOnTheWayThanItMayLeaveUnread(int replyBytes, int most) throws Exception {
        BlockingQueue<Runnable> held = new LinkedBlockingQueue<>();
        Reply reply = new Reply.Value(Bytes.of("v".repeat(replyBytes)));
        int all = 1024;
        int answered = all + 200;
        try (TestDoor door = new TestDoor(holding(held, reply), knobs -> {
                    knobs.loops = 1;
                    return knobs;
                });
                RespClient client = door.respClient();
                RespClient other = door.respClient()) {
            client.send(RespClient.request("HGET", "b", "k").repeat(answered + 2 * all));
            Await.until(UNKNOWN + " requests run", () -> held.size() == UNKNOWN);
            for (int i = 0; i < answered; i++) {
                held.take().run();
                assertThat(client.reply()).hasSize(replyBytes + 2);
            }
            Await.until(most + " requests run", () -> held.size() == most);
            for (int i = 0; i < 20; i++) {
                assertThat(other.say("PING")).isEqualTo("PONG");
            }
            assertThat(held).hasSize(most);
        }
    }

    /** Reads are answered at once or later, writes later: what a client has read says nothing of how many writes it may have under way. */
    @ParameterizedTest
    @CsvSource({"false, 5, 301", "true, 60000, 1024"})
    void whatAClientHasReadDoesNotLimitItsWrites(boolean isReadLate, int readBytes, int most) throws Exception {
        BlockingQueue<Runnable> held = new LinkedBlockingQueue<>();
        Reply read = new Reply.Value(Bytes.of("v".repeat(readBytes)));
        Store late = holding(held, new Reply.Amount(1));
        Store readLate = holding(held, read);
        Store store = (command, taken) -> !(command instanceof Command.Get)
                ? late.run(command, taken)
                : isReadLate ? readLate.run(command, taken) : CompletableFuture.completedFuture(read);
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.loops = 1;
                    return knobs;
                });
                RespClient client = door.respClient()) {
            String write = RespClient.request("HSET", "b", "k", "v");
            if (isReadLate) {
                client.send(RespClient.request("HGET", "b", "k") + write.repeat(200));
                for (int i = 0; i < 201; i++) {
                    held.take().run();
                    assertThat(client.reply()).isNotEmpty();
                }
                client.send(write.repeat(2 * most));
            } else {
                client.send(write + RespClient.request("HGET", "b", "k") + write.repeat(most - 1));
            }
            Await.until(most + " writes run", () -> held.size() == most);
        }
    }

    @Test
    void aClientIsNotReadWhileAReplyOfABusyNodeHoldsItBack() throws Exception {
        BlockingQueue<Runnable> held = new LinkedBlockingQueue<>();
        Store busy = (command, _) -> {
            LongReply.Charged reply = new LongReply.Charged();
            reply.crowded();
            Loop loop = Loop.current().orElseThrow();
            held.add(() -> loop.execute(() -> reply.complete(Replies.toEach(command, new Reply.Amount(1)))));
            return reply;
        };
        try (TestDoor door = new TestDoor(busy, knobs -> {
                    knobs.loops = 1;
                    return knobs;
                });
                RespClient client = door.respClient();
                RespClient other = door.respClient()) {
            client.send(RespClient.request("HLEN", "b").repeat(3) + RespClient.request("EXISTS", "a", "b", "c"));
            for (int i = 0; i < 4; i++) {
                Runnable next = held.take();
                for (int round = 0; round < 10; round++) {
                    assertThat(other.say("PING")).isEqualTo("PONG");
                }
                assertThat(held).isEmpty();
                next.run();
            }
            for (String expected : List.of(":1", ":1", ":1", ":3")) {
                assertThat(client.reply()).isEqualTo(expected);
            }
        }
    }

    /** One request must not take a link to another node for itself, nor fail there because it is long. */
    @Test
    void aRequestForManyBucketsHasNoMoreCommandsUnderWayThanAClientThatPipelines() throws Exception {
        BlockingQueue<Runnable> held = new LinkedBlockingQueue<>();
        int names = 10_000;
        try (TestDoor door = new TestDoor(holding(held, new Reply.Amount(1)), knobs -> {
                    knobs.repliesMax = 100;
                    return knobs;
                });
                RespClient client = door.respClient();
                RespClient other = door.respClient()) {
            client.send(RespClient.request(RespLimitsTest.words("EXISTS", names + 1, i -> "n" + i)));
            int answered = 0;
            while (answered < names) {
                Runnable next = held.take();
                assertThat(held).hasSizeLessThan(100);
                next.run();
                answered++;
                if (answered % 1000 == 0) {
                    assertThat(other.say("PING")).isEqualTo("PONG");
                }
            }
            assertThat(client.reply()).isEqualTo(":" + names);
            assertThat(held).isEmpty();
        }
    }

    @Test
    void aRequestForManyBucketsIsChargedUntilItIsAnswered() throws Exception {
        BlockingQueue<Runnable> held = new LinkedBlockingQueue<>();
        int names = 20_000;
        // 2.9 MB of words while it arrives, 2 MB more while it is run, and 1 MB of replies after that.
        String request = RespClient.request(RespLimitsTest.words("EXISTS", names + 1, i -> "n".repeat(90) + i));
        try (TestDoor door = new TestDoor(holding(held, new Reply.Amount(1)), knobs -> {
                    knobs.bufferMaxBytes = 5_400_000;
                    knobs.repliesMax = names;
                    knobs.unsentMaxBytes = 2L << 30;
                    return knobs;
                });
                RespClient first = door.respClient()) {
            first.send(request);
            Await.until("all names are asked for", () -> held.size() == names);
            try (RespClient second = door.respClient()) {
                second.send(RespClient.request(RespLimitsTest.words("EXISTS", names + 1, i -> "n".repeat(190) + i)));
                assertThat(second.reply()).startsWith("ERR this node has no memory left for unfinished requests");
            } catch (SocketException closedMeanwhile) {
                // It is closed while it sends.
            }
            assertThat(held).hasSize(names);
            held.forEach(Runnable::run);
            held.clear();
            assertThat(first.reply()).isEqualTo(":" + names);

            // What is answered is not charged any more, nor what nobody waits for.
            for (int i = 0; i < 3; i++) {
                LineClient leaving = door.client();
                leaving.send(request);
                Await.until("all names are asked for", () -> held.size() == names);
                leaving.reset();
                Await.until("the door has 1 connections", () -> door.connections() == 1);
                held.clear();
            }
        }
    }

    private static TestDoor.Knobs fewUnanswered(TestDoor.Knobs knobs) {
        knobs.requestsMaxBytes = 4 * MIB;
        knobs.bufferMaxBytes = 32L * MIB;
        return knobs;
    }

    /** Sends while the test goes on: the client is held back. */
    private static Thread sender(RespClient client, String requests) {
        return Thread.ofVirtual().start(() -> {
            try {
                client.send(requests);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private static void assertServed(RespClient other) throws IOException {
        for (int turn = 0; turn < 20; turn++) {
            assertThat(other.say("PING")).isEqualTo("PONG");
        }
    }

    @Test
    void aClientThatSendsLargeRequestsAheadIsHeldBackUntilTheyAreAnswered() throws Exception {
        HeldStore store = new HeldStore();
        String key = "k".repeat(MIB);
        int requests = 20;
        try (TestDoor door = new TestDoor(store, RequestsAheadTest::fewUnanswered);
                RespClient client = door.respClient();
                RespClient other = door.respClient()) {
            Thread sender = sender(client, RespClient.request("HGET", "b", key).repeat(requests));
            for (int i = 0; i < requests; i++) {
                HeldStore.Held next = store.next();
                assertServed(other);
                // Four wait at a time: the one that is answered now, and three that have come since.
                assertThat(store.waiting()).isLessThanOrEqualTo(3);
                next.answer();
                assertThat(client.reply()).hasSize(MIB + 2);
            }
            sender.join();
            // All charges are given back.
            for (int i = 0; i < 10; i++) {
                client.send(RespClient.request("HGET", "b", "k".repeat(20 * MIB)));
                store.next().answer();
                assertThat(client.reply()).hasSize(20 * MIB + 2);
            }
        }
    }

    @Test
    void aClientThatSendsLargeTransactionsAheadIsHeldBackUntilTheyAreAnswered() throws Exception {
        BlockingQueue<Runnable> held = new LinkedBlockingQueue<>();
        int transactions = 20;
        try (TestDoor door = new TestDoor(
                        holding(held, new Reply.Many(List.of(Reply.OK))), RequestsAheadTest::fewUnanswered);
                RespClient client = door.respClient();
                RespClient other = door.respClient()) {
            String transaction = RespClient.request("MULTI")
                    + RespClient.request("HSET", "b", "k", "v".repeat(MIB))
                    + RespClient.request("EXEC");
            Thread sender = sender(client, transaction.repeat(transactions));
            for (int i = 0; i < transactions; i++) {
                Runnable next = held.take();
                assertServed(other);
                assertThat(held).hasSizeLessThanOrEqualTo(3);
                next.run();
                assertThat(client.reply()).isEqualTo("OK");
                assertThat(client.reply()).isEqualTo("QUEUED");
                assertThat(client.reply()).isEqualTo("[:0]");
            }
            sender.join();
        }
    }

    @Test
    void aClientThatSendsRequestsAheadThatAreNotRunAtOnceTakesABoundedNumberOfPlaces() throws Exception {
        BlockingQueue<LongReply.UnderWay> underWay = new LinkedBlockingQueue<>();
        BlockingQueue<CommandThread> loop = new LinkedBlockingQueue<>();
        try (TestDoor door = new TestDoor(
                        (_, _) -> {
                            loop.add(CommandThread.current().orElseThrow());
                            LongReply.UnderWay reply = new LongReply.UnderWay();
                            underWay.add(reply);
                            return reply;
                        },
                        knobs -> {
                            knobs.largeMax = 3;
                            return knobs;
                        });
                RespClient client = door.respClient();
                RespClient other = door.respClient()) {
            client.send(RespClient.request("GETRANGE", "k", "0", "5").repeat(20));
            for (int i = 0; i < 20; i++) {
                LongReply.UnderWay next = underWay.take();
                assertServed(other);
                assertThat(underWay).hasSizeLessThanOrEqualTo(2);
                loop.take().execute(() -> next.complete(new Reply.Value(Bytes.of("v"))));
                assertThat(client.reply()).isEqualTo("\"v\"");
            }
        }
    }

    /** Each of them takes a thread for as long as it takes to look at all names. */
    @Test
    void aClientThatAsksForAllNamesSeveralTimesHasThatDoneOnceAtATime() throws Exception {
        BlockingQueue<Runnable> underWay = new LinkedBlockingQueue<>();
        Store store = (_, _) -> {
            LongReply.UnderWay reply = new LongReply.UnderWay();
            Loop loop = Loop.current().orElseThrow();
            underWay.add(() -> loop.execute(() -> reply.complete(new Reply.Names(List.of(), 0, List.of()))));
            return reply;
        };
        try (TestDoor door = new TestDoor(store);
                RespClient client = door.respClient();
                RespClient other = door.respClient()) {
            client.send(RespClient.request("KEYS", "*").repeat(4));
            for (int i = 0; i < 4; i++) {
                Runnable next = underWay.take();
                assertServed(other);
                assertThat(underWay).isEmpty();
                next.run();
                assertThat(client.reply()).isEqualTo("[]");
            }
        }
    }
}
