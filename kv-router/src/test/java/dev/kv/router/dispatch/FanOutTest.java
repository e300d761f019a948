package dev.kv.router.dispatch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.Limits;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
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
                Optional.of(_ -> CompletableFuture.completedFuture(names(0, each))),
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
}
