package dev.kv.router.dispatch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.Limits;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Request;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.table.TableInForce;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class FanOutTest {
    private static final Limits LIMITS = new Limits(8, 100, 100, 100, 100, 1 << 20);

    /** A thread that keeps what it is to have done elsewhere. */
    private static final class Caller extends Thread implements CommandThread, CommandThread.Carrier {
        private final Queue<Runnable> elsewhere = new ArrayDeque<>();

        Caller(Runnable task) {
            super(task);
        }

        @Override
        public CommandThread commandThread() {
            return this;
        }

        @Override
        public void execute(Runnable task) {
            task.run();
        }

        @Override
        public void defer(Runnable task) {
            task.run();
        }

        @Override
        public <T> void elsewhere(Callable<T> work, Consumer<T> then, Consumer<Throwable> failed) {
            elsewhere.add(() -> {
                try {
                    then.accept(work.call());
                } catch (Exception e) {
                    failed.accept(e);
                }
            });
        }
    }

    private static Reply.Names names(int from, int to) {
        return new Reply.Names(
                List.of(),
                0,
                IntStream.range(from, to)
                        .mapToObj(i -> new Reply.Name(2L * (i % 5000) + i / 5000, Bytes.of("bucket" + i)))
                        .toList());
    }

    private static CompletableFuture<Reply> ask(Caller[] caller, int each) throws Exception {
        CompletableFuture<Reply> reply = new CompletableFuture<>();
        Router router = new Router(
                "foo@h",
                Optional.of((_, _) -> CompletableFuture.completedFuture(names(0, each))),
                (_, _) -> CompletableFuture.completedFuture(names(5000, 5000 + each)),
                LIMITS,
                new TableInForce(RoutingTable.parse("a..m=foo@h,n..z=bar@h"), 0, "", Instant.EPOCH));
        caller[0] = new Caller(() -> {
            var _ = router.store()
                    .run(new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), 10_000))
                    .thenAccept(reply::complete);
        });
        caller[0].start();
        caller[0].join();
        return reply;
    }

    /** On the loop, all its other clients would wait for some hundred thousand names to be merged. */
    @Test
    void manyNamesOfSeveralNodesAreMergedOnAnotherThread() throws Exception {
        Caller[] caller = new Caller[1];
        CompletableFuture<Reply> reply = ask(caller, 5000);
        assertThat(reply).isNotDone();
        assertThat(caller[0].elsewhere).hasSize(1);

        caller[0].elsewhere.remove().run();
        assertThat(((Reply.Names) reply.get()).names())
                .hasSize(10_000)
                .isSortedAccordingTo(Comparator.comparingLong(Reply.Name::position));
    }

    @Test
    void fewNamesOfSeveralNodesAreMergedAtOnce() throws Exception {
        Caller[] caller = new Caller[1];
        CompletableFuture<Reply> reply = ask(caller, 5);
        assertThat(caller[0].elsewhere).isEmpty();
        assertThat(((Reply.Names) reply.get()).names())
                .hasSize(10)
                .isSortedAccordingTo(Comparator.comparingLong(Reply.Name::position));
    }

    /** Other nodes that answer when the test says so, and memory for one part. */
    private static final class SlowNodes implements Router.Nodes {
        private final CompletableFuture<Reply> answer = new CompletableFuture<>();
        private final boolean hasMemory;
        private int kept;

        SlowNodes(boolean hasMemory) {
            this.hasMemory = hasMemory;
        }

        @Override
        public CompletionStage<Reply> run(RoutingTable.Node node, Request request) {
            return answer;
        }

        @Override
        public Optional<Runnable> keep(long bytes, int nodes) {
            if (!hasMemory) {
                return Optional.empty();
            }
            kept++;
            return Optional.of(() -> kept--);
        }
    }

    private static Reply awaited(SlowNodes others, AtomicInteger asked) throws Exception {
        CompletableFuture<Reply> reply = new CompletableFuture<>();
        Router router = new Router(
                "foo@h",
                Optional.of((_, _) -> {
                    asked.incrementAndGet();
                    return CompletableFuture.completedFuture(names(0, 5000));
                }),
                others,
                LIMITS,
                new TableInForce(RoutingTable.parse("a..m=foo@h,n..z=bar@h"), 0, "", Instant.EPOCH));
        Caller caller = new Caller(() -> {
            var _ = router.store()
                    .run(new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), 10_000))
                    .thenAccept(reply::complete);
            assertThat(asked).hasValue(1);
            assertThat(others.kept).isEqualTo(others.hasMemory ? 1 : 0);
            others.answer.complete(names(5000, 5005));
        });
        caller.start();
        caller.join();
        caller.elsewhere.remove().run();
        assertThat(others.kept).isZero();
        return reply.get();
    }

    @Test
    void theNamesOfThisNodeAreChargedWhileThoseOfOthersAreAwaited() throws Exception {
        AtomicInteger asked = new AtomicInteger();
        assertThat(((Reply.Names) awaited(new SlowNodes(true), asked)).names()).hasSize(5005);
        assertThat(asked).hasValue(1);
    }

    @Test
    void theNamesOfThisNodeAreAskedForAgainIfThereWasNoMemoryForThem() throws Exception {
        AtomicInteger asked = new AtomicInteger();
        assertThat(((Reply.Names) awaited(new SlowNodes(false), asked)).names()).hasSize(5005);
        assertThat(asked).hasValue(2);
    }
}
