package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Clients of foo that send many requests ahead, which bar passes on to baz. */
class ReplyTurnsTest extends ThreeHosts {
    private static final String LONG = "v".repeat(50_000);
    private static final int AHEAD = 900;

    /** As many replies as are expected to have 1 MiB while nothing is known of them. */
    private static final int FIRST = 64;

    /** And while the last one was short. */
    private static final int AFTER_SHORT = 256;

    /** The reads that baz has been asked for, and has not answered. */
    private final BlockingQueue<CompletableFuture<Reply>> asked = new LinkedBlockingQueue<>();

    @BeforeEach
    void startWithAStoreThatWithholdsReads() {
        Store map = baz.store;
        baz.store = (command, takenMillis) -> {
            if (!(command instanceof Command.Get)) {
                return map.run(command, takenMillis);
            }
            CompletableFuture<Reply> reply = new CompletableFuture<>();
            asked.add(reply);
            return reply;
        };
        for (Host host : List.of(foo, bar, baz)) {
            host.inFlightMax = 10_000;
        }
        startAll("*=bar@h", "*=baz@h", "*=baz@h");
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
    }

    private List<CompletableFuture<Reply>> readAhead(int count) {
        return foo.onLoop(client -> IntStream.range(0, count)
                .mapToObj(_ -> client.run(get("nuts", "large")).toCompletableFuture())
                .toList());
    }

    /** Answers the oldest read on a loop of baz. */
    private void answer(String value) {
        CompletableFuture<Reply> reply = asked.remove();
        baz.onLoop(_ -> reply.complete(value(value)));
    }

    @Test
    void fewRepliesOfUnknownLengthAreAwaitedAtATimeAndAnotherClientIsServed() throws Exception {
        List<CompletableFuture<Reply>> greedy = readAhead(AHEAD);
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        assertThat(asked).hasSize(FIRST);
        List<CompletableFuture<Reply>> other = readAhead(5);
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        assertThat(asked).as("and four of the other client").hasSize(FIRST + 4);
        while (!other.stream().allMatch(CompletableFuture::isDone)) {
            Await.until(() -> !asked.isEmpty() || other.stream().allMatch(CompletableFuture::isDone));
            asked.forEach(reply -> baz.onLoop(_ -> reply.complete(value(LONG))));
            asked.removeIf(CompletableFuture::isDone);
        }
        assertThat(greedy).anyMatch(reply -> !reply.isDone());
    }

    @Test
    void aLongReplyOfOneClientLetsFewerOfItsRepliesBeAwaited() throws Exception {
        List<CompletableFuture<Reply>> greedy = readAhead(AHEAD);
        for (int i = 0; i < FIRST; i++) {
            Await.until(() -> !asked.isEmpty());
            answer(LONG);
            Host.await(greedy.get(i));
        }
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        assertThat(asked).hasSizeBetween((1 << 20) / 64_000, (1 << 20) / 50_000 + 1);
    }

    @Test
    void aShortReplyLetsMoreFollowOfWhichAnyMayBeLong() throws Exception {
        List<CompletableFuture<Reply>> replies = readAhead(AHEAD);
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        answer("short");
        Await.until(() -> asked.size() >= AFTER_SHORT);
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        assertThat(asked).hasSize(AFTER_SHORT);
        for (int i = 0; i < AHEAD - 1; i++) {
            Await.until(() -> !asked.isEmpty());
            answer("" + i);
        }
        for (int i = 1; i < AHEAD; i++) {
            assertThat(Host.await(replies.get(i))).isEqualTo(value("" + (i - 1)));
        }
    }

    @Test
    void aFailureSaysNothingOfTheNextReplies() throws Exception {
        readAhead(AHEAD);
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        CompletableFuture<Reply> failed = asked.remove();
        baz.onLoop(_ -> failed.complete(new Reply.Failed(Reply.Word.ERR, "a fault")));
        Await.until(() -> asked.size() == FIRST);
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        assertThat(asked).hasSize(FIRST);
    }

    @Test
    void aClientWaitsForNoOtherOneHoweverManyThereWere() {
        readAhead(AHEAD);
        for (int i = 0; i < 1023; i++) {
            foo.client();
        }
        readAhead(1);
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        assertThat(asked).as("and that of the other client").hasSize(FIRST + 1);
    }

    @Test
    void aClientThatWritesMuchAheadIsNotSentBeforeOthers() throws Exception {
        List<String> written = Collections.synchronizedList(new ArrayList<>());
        Store map = baz.store;
        baz.store = (command, takenMillis) -> {
            if (command instanceof Command.Put put) {
                written.add(put.key().toString());
            }
            return map.run(command, takenMillis);
        };
        Store greedy = foo.client();
        Store other = foo.client();
        List<CompletableFuture<Reply>> replies = foo.onLoop(_ -> {
            List<CompletableFuture<Reply>> all = new ArrayList<>();
            for (int i = 0; i < AHEAD; i++) {
                all.add(greedy.run(put("nuts", "" + i, LONG)).toCompletableFuture());
            }
            all.add(other.run(put("nuts", "other", "v")).toCompletableFuture());
            return all;
        });
        for (CompletableFuture<Reply> reply : replies) {
            assertThat(Host.await(reply)).isEqualTo(Reply.OK);
        }
        assertThat(written.indexOf("other")).isLessThan(2 * (1 << 20) / LONG.length());
        written.remove("other");
        assertThat(written)
                .containsExactlyElementsOf(
                        IntStream.range(0, AHEAD).mapToObj(Integer::toString).toList());
    }

    @Test
    void smallWritesDoNotWait() throws Exception {
        Store reading = baz.store;
        baz.store = (command, takenMillis) -> command instanceof Command.Drop
                ? reading.run(get("nuts", "k"), takenMillis)
                : reading.run(command, takenMillis);
        foo.onLoop(client -> IntStream.range(0, AHEAD)
                .mapToObj(_ -> client.run(new Command.Drop(Bytes.of("nuts"))))
                .toList());
        Await.until(() -> asked.size() == AHEAD);
    }

    @Test
    void thoseThatWaitAreDroppedWhenNobodyAwaitsThem() throws Exception {
        List<CompletableFuture<Reply>> greedy = new ArrayList<>(readAhead(AHEAD));
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        foo.onLoop(_ -> greedy.stream().map(reply -> reply.cancel(false)).toList());
        Await.until(() -> asked.stream().allMatch(CompletableFuture::isCancelled));
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        assertThat(asked).hasSize(FIRST);
        asked.clear();
        List<CompletableFuture<Reply>> next = readAhead(1);
        Await.until(() -> asked.size() == 1);
        answer("v");
        assertThat(Host.await(next.getFirst())).isEqualTo(value("v"));
    }

    @Test
    void thoseThatWaitHaveNotRunWhenTheLinkBreaks() {
        List<CompletableFuture<Reply>> greedy = readAhead(AHEAD);
        assertThat(foo.ask(put("nuts", "k", "v"))).isEqualTo(Reply.OK);
        bar.close();
        for (int i = 0; i < AHEAD; i++) {
            Reply.Word word = i < FIRST ? Reply.Word.UNCERTAIN : Reply.Word.UNREACHABLE;
            assertThat(Host.await(greedy.get(i)))
                    .isInstanceOfSatisfying(
                            Reply.Failed.class,
                            failed -> assertThat(failed.word()).isEqualTo(word));
        }
    }
}
