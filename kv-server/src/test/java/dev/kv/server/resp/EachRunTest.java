package dev.kv.server.resp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Budget;
import dev.kv.server.reply.ReplyWindow;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A run that is stopped before all of its commands were begun. */
final class EachRunTest {
    private static final int NAMES = 10;
    private static final Reply.Failed NO_MEMORY = new Reply.Failed(Reply.Word.ERR, "no memory");

    private final List<CompletableFuture<Reply>> asked = new ArrayList<>();
    private final AtomicInteger goesOn = new AtomicInteger();

    private EachRun run(int unansweredMax, Budget budget, long replyMaxBytes) {
        List<Command> commands = new LazyCommands(NAMES, i -> new Command.GetValue(Bytes.of("n" + i)));
        Question.Each each =
                new Question.Each(commands, () -> new EachAnswer.Values(NAMES, replyMaxBytes), Answers::each);
        return new EachRun(
                (command, _) -> {
                    asked.add(new CompletableFuture<>());
                    return asked.getLast();
                },
                each,
                window(unansweredMax),
                budget,
                NO_MEMORY,
                _ -> goesOn.incrementAndGet());
    }

    /** So many commands, each on another name, that a store runs. */
    private EachRun drops(Store store, int count) {
        return new EachRun(
                store,
                new Question.Each(
                        new LazyCommands(count, i -> new Command.Drop(Bytes.of("n" + i))),
                        () -> new EachAnswer.Count(_ -> true),
                        Answers::each),
                window(10),
                new Budget(1 << 20),
                NO_MEMORY,
                _ -> goesOn.incrementAndGet());
    }

    private static ReplyWindow window(int unansweredMax) {
        return new ReplyWindow(unansweredMax, 1 << 30);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    void theClientIsReadOnWhenTheReplyIsTooLarge(int unansweredMax) {
        Budget budget = new Budget(1 << 20);
        EachRun run = run(unansweredMax, budget, 5);
        assertThat(run.next()).isFalse();
        assertThat(run.letsOthersFollow()).isFalse();

        asked.forEach(reply -> reply.complete(new Reply.Value(Bytes.of("value of 17 bytes"))));

        assertThat(goesOn).hasValue(1);
        assertThat(run.next()).isFalse();
        assertThat(run.letsOthersFollow()).isTrue();
        assertThat(asked).hasSize(unansweredMax);
        assertThat(run.end().join())
                .isInstanceOfSatisfying(
                        Reply.Failed.class,
                        failed -> assertThat(failed.message()).startsWith("reply too large"));
        assertThat(budget.take(1 << 20)).isTrue();
    }

    @Test
    void repliesThatAreKeptAreCharged() {
        Budget budget = new Budget(200);
        EachRun run = run(NAMES, budget, 1 << 20);
        run.next();
        asked.forEach(reply -> reply.complete(new Reply.Value(Bytes.of("v".repeat(60)))));

        assertThat(run.end().join()).isEqualTo(NO_MEMORY);
        assertThat(budget.take(200)).isTrue();
    }

    @Test
    void repliesThatAreReadyAtOnceAreChargedBetweenTurns() {
        int names = 2_000;
        Budget budget = new Budget(100_000);
        AtomicInteger begun = new AtomicInteger();
        EachRun run = new EachRun(
                (_, _) -> {
                    begun.incrementAndGet();
                    return CompletableFuture.completedFuture(new Reply.Value(Bytes.of("v".repeat(60))));
                },
                new Question.Each(
                        new LazyCommands(names, i -> new Command.GetValue(Bytes.of("n" + i))),
                        () -> new EachAnswer.Values(names, 1 << 20),
                        Answers::each),
                window(names),
                budget,
                NO_MEMORY,
                _ -> goesOn.incrementAndGet());
        assertThat(run.next()).isTrue();
        assertThat(budget.take(100_000)).isFalse();
        while (run.next()) {
            assertThat(run.end()).isNotDone();
        }

        assertThat(run.letsOthersFollow()).isTrue();
        assertThat(begun.get()).isLessThan(names);
        assertThat(run.end().join()).isEqualTo(NO_MEMORY);
        assertThat(budget.take(100_000)).isTrue();
    }

    @Test
    void allCommandsOfARunHaveOneTime() {
        List<Long> times = new ArrayList<>();
        EachRun run = drops(
                (_, takenMillis) -> {
                    times.add(takenMillis);
                    long now = System.currentTimeMillis();
                    while (System.currentTimeMillis() == now) {
                        Thread.onSpinWait();
                    }
                    return CompletableFuture.completedFuture(Reply.OK);
                },
                3);
        assertThat(run.next()).isFalse();
        assertThat(run.end().join()).isEqualTo(new Reply.Amount(3));
        assertThat(times).hasSize(3).containsOnly(times.getFirst());
    }

    @Test
    void aRunThatNobodyAwaitsGivesItsMemoryBack() {
        Budget budget = new Budget(1000);
        EachRun run = run(4, budget, 1 << 20);
        run.next();
        asked.getFirst().complete(new Reply.Value(Bytes.of("v".repeat(60))));
        assertThat(budget.take(1000)).isFalse();

        run.abandon();

        assertThat(budget.take(1000)).isTrue();
        asked.getLast().complete(new Reply.Value(Bytes.of("v".repeat(60))));
        budget.give(1000);
        assertThat(budget.take(1000)).isTrue();
    }

    /** Else a later one would overtake it on its bucket, once the disk has caught up. */
    @Test
    void noCommandBeginsBehindOneThatHoldsBack() {
        List<CompletableFuture<Void>> placed = new ArrayList<>();
        List<LongReply.UnderWay> begun = new ArrayList<>();
        EachRun run = drops(
                (_, _) -> {
                    placed.add(new CompletableFuture<>());
                    begun.add(new LongReply.UnderWay(() -> 0, placed.getLast()));
                    return begun.getLast();
                },
                2);
        for (int i = 0; i < 2; i++) {
            assertThat(run.next()).isFalse();
            assertThat(begun).hasSize(i + 1);
            assertThat(run.letsOthersFollow()).isFalse();
            placed.get(i).complete(null);
            begun.get(i).complete(Reply.OK);
            // Once, though its answer has come before the run goes on.
            assertThat(goesOn).hasValue(i + 1);
        }
        assertThat(run.letsOthersFollow()).isTrue();
        assertThat(run.end().join()).isEqualTo(new Reply.Amount(2));
    }
}
