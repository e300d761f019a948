package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Loop;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Clients of one node that send many requests ahead, whose replies are just short enough to need no credit. */
class StreamTurnsTest extends ThreeHosts {
    private static final String LONG = "v".repeat(50_000);
    private static final int AHEAD = 900;

    /** So many replies fit into what may be unsent, into the buffers of two sockets, and into those of the firewall. */
    private static final int UNSENT_MOST = 200;

    private final AtomicInteger reads = new AtomicInteger();

    @BeforeEach
    void startWithALongValue() {
        Store map = bar.store;
        bar.store = (command, takenMillis) -> {
            reads.addAndGet(command instanceof Command.Get ? 1 : 0);
            return map.run(command, takenMillis);
        };
        foo.inFlightMax = 10_000;
        bar.inFlightMax = 10_000;
        startAll(HALVES, HALVES, HALVES);
        assertThat(foo.ask(create("nuts"))).isEqualTo(Reply.OK);
        assertThat(foo.ask(put("nuts", "large", LONG))).isEqualTo(Reply.OK);
    }

    /** Has a client of foo ask for the long value many times; returns the replies to come. */
    private List<CompletableFuture<Reply>> readAhead(Consumer<List<CompletableFuture<Reply>>> then) {
        return foo.onLoop(client -> {
            List<CompletableFuture<Reply>> replies = new ArrayList<>();
            for (int i = 0; i < AHEAD; i++) {
                replies.add(client.run(get("nuts", "large")).toCompletableFuture());
            }
            then.accept(replies);
            return replies;
        });
    }

    private static int answered(List<CompletableFuture<Reply>> replies) {
        return (int) replies.stream().filter(CompletableFuture::isDone).count();
    }

    @Test
    void aClientThatSendsManyReadsAheadDelaysNoOther() {
        List<CompletableFuture<Reply>> greedy = readAhead(_ -> {});
        CompletableFuture<Integer> answeredBefore = foo.onLoop(other -> other.run(get("nuts", "absent"))
                .thenApply(_ -> answered(greedy))
                .toCompletableFuture());
        assertThat(answeredBefore.join()).isLessThan(UNSENT_MOST);
        assertThat(greedy).allSatisfy(reply -> assertThat(Host.await(reply)).isEqualTo(value(LONG)));
    }

    @Test
    void requestsOfAClientThatWaitRunInOrder() {
        List<CompletableFuture<Reply>> greedy = readAhead(_ -> {});
        List<CompletableFuture<Reply>> own = foo.onLoop(client -> {
            List<CompletableFuture<Reply>> replies = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                client.run(put("nuts", "number", i + LONG));
                replies.add(client.run(get("nuts", "number")).toCompletableFuture());
            }
            return replies;
        });
        for (int i = 0; i < own.size(); i++) {
            assertThat(Host.await(own.get(i))).isEqualTo(value(i + LONG));
        }
        assertThat(greedy).allSatisfy(reply -> assertThat(Host.await(reply)).isEqualTo(value(LONG)));
    }

    /** When the disk has caught up, what waited behind the writes of many clients has megabytes of replies each. */
    @Test
    void requestsBehindWritesOfManyClientsAreNotAllRunAtOnceWhenTheseGoOn() throws Exception {
        Store plain = bar.store;
        BlockingQueue<Runnable> held = new LinkedBlockingQueue<>();
        bar.store = (command, takenMillis) -> {
            if (!(command instanceof Command.Drop)) {
                return plain.run(command, takenMillis);
            }
            CompletableFuture<Void> placed = new CompletableFuture<>();
            Loop loop = Loop.current().orElseThrow();
            held.add(() -> loop.execute(() -> placed.complete(null)));
            return new LongReply.UnderWay(() -> 0, placed);
        };
        List<CompletableFuture<Reply>> behind = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            behind.addAll(foo.onLoop(client -> {
                client.run(new Command.Drop(Bytes.of("none")));
                return Stream.generate(() -> client.run(get("nuts", "large")).toCompletableFuture())
                        .limit(AHEAD / 10)
                        .toList();
            }));
        }
        assertThat(foo.ask(get("nuts", "absent"))).isEqualTo(Reply.ABSENT);
        assertThat(reads).hasValue(1);
        firewalls.get("bar@h").silence();
        for (int i = 0; i < 10; i++) {
            held.take().run();
        }
        bar.onLoop(_ -> true);
        assertThat(reads.get()).isGreaterThan(1).isLessThan(UNSENT_MOST);
        firewalls.get("bar@h").open();
        assertThat(behind).allSatisfy(reply -> assertThat(Host.await(reply)).isEqualTo(value(LONG)));
    }

    @Test
    void requestsThatWaitAreNotRunWhenNobodyAwaitsThem() {
        List<CompletableFuture<Reply>> greedy = readAhead(replies -> replies.forEach(reply -> reply.cancel(false)));
        assertThat(greedy).allMatch(CompletableFuture::isCancelled);
        assertThat(foo.ask(get("nuts", "absent"))).isEqualTo(Reply.ABSENT);
        // Some run before the first CANCEL comes.
        assertThat(reads.get()).isLessThan(AHEAD * 3 / 4);
        assertThat(foo.ask(get("nuts", "large"))).isEqualTo(value(LONG));
    }
}
