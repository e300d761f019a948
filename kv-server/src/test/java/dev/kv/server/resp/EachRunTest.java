package dev.kv.server.resp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Budget;
import dev.kv.router.testing.Replies;
import dev.kv.server.reply.ReplyWindow;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A run that is stopped before all of its commands were begun. */
final class EachRunTest {
    private static final int NAMES = 10;
    private static final Reply.Failed NO_MEMORY = new Reply.Failed(Reply.Word.ERR, "no memory");

    private final List<Asked> asked = new ArrayList<>();
    private final AtomicInteger goesOn = new AtomicInteger();

    /** What the store is to run, and answers later. */
    private record Asked(Command command, CompletableFuture<Reply> reply) {
        int commands() {
            return Replies.commandsOf(command).size();
        }

        /** Answers each command like this. */
        void answer(Reply one) {
            reply.complete(Replies.toEach(command, one));
        }
    }

    private CompletionStage<Reply> later(Command command, long takenMillis) {
        asked.add(new Asked(command, new CompletableFuture<>()));
        return asked.getLast().reply();
    }

    private static Question.Each gets(int names, long replyMaxBytes) {
        return new Question.Each(
                new LazyCommands(names, i -> new Command.GetValue(Bytes.of("n" + i))),
                () -> new EachAnswer.Values(names, replyMaxBytes),
                Answers::each);
    }

    private EachRun run(int unansweredMax, Budget budget, long replyMaxBytes) {
        return new EachRun(
                this::later,
                gets(NAMES, replyMaxBytes),
                window(unansweredMax),
                budget,
                NO_MEMORY,
                _ -> goesOn.incrementAndGet());
    }

    /** So many commands, each on another name, that a store runs. */
    private EachRun drops(Store store, int count, int unansweredMax) {
        return new EachRun(
                store,
                new Question.Each(
                        new LazyCommands(count, i -> new Command.Drop(Bytes.of("n" + i))),
                        () -> new EachAnswer.Count(_ -> true),
                        Answers::each),
                window(unansweredMax),
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

        asked.forEach(some -> some.answer(new Reply.Value(Bytes.of("value of 17 bytes"))));

        assertThat(goesOn).hasValue(1);
        assertThat(run.next()).isFalse();
        assertThat(run.letsOthersFollow()).isTrue();
        assertThat(asked).extracting(Asked::commands).containsExactly(unansweredMax);
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
        asked.forEach(some -> some.answer(new Reply.Value(Bytes.of("v".repeat(60)))));

        assertThat(run.end().join()).isEqualTo(NO_MEMORY);
        assertThat(budget.take(200)).isTrue();
    }

    @Test
    void repliesThatAreReadyAtOnceAreChargedBetweenTurns() {
        int names = 2_000;
        Budget budget = new Budget(100_000);
        AtomicInteger begun = new AtomicInteger();
        EachRun run = new EachRun(
                (command, _) -> {
                    begun.addAndGet(new Asked(command, new CompletableFuture<>()).commands());
                    return CompletableFuture.completedFuture(
                            Replies.toEach(command, new Reply.Value(Bytes.of("v".repeat(60)))));
                },
                gets(names, 1 << 20),
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
                (command, takenMillis) -> {
                    times.add(takenMillis);
                    long now = System.currentTimeMillis();
                    while (System.currentTimeMillis() == now) {
                        Thread.onSpinWait();
                    }
                    return CompletableFuture.completedFuture(Replies.toEach(command, Reply.OK));
                },
                30,
                10);
        assertThat(run.next()).isFalse();
        assertThat(run.end().join()).isEqualTo(new Reply.Amount(30));
        assertThat(times).hasSize(3).containsOnly(times.getFirst());
    }

    @Test
    void aRunThatNobodyAwaitsGivesItsMemoryBack() {
        Budget budget = new Budget(1000);
        EachRun run = run(4, budget, 1 << 20);
        run.next();
        asked.getFirst().answer(new Reply.Value(Bytes.of("v".repeat(60))));
        assertThat(budget.take(1000)).isFalse();
        run.next();

        run.abandon();

        assertThat(budget.take(1000)).isTrue();
        assertThat(asked).hasSize(2);
        asked.getLast().answer(new Reply.Value(Bytes.of("v".repeat(60))));
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
                20,
                10);
        for (int i = 0; i < 2; i++) {
            assertThat(run.next()).isFalse();
            assertThat(begun).hasSize(i + 1);
            assertThat(run.letsOthersFollow()).isFalse();
            placed.get(i).complete(null);
            begun.get(i).complete(new Reply.Many(Collections.nCopies(10, Reply.OK)));
            // Once, though its answer has come before the run goes on.
            assertThat(goesOn).hasValue(i + 1);
        }
        assertThat(run.letsOthersFollow()).isTrue();
        assertThat(run.end().join()).isEqualTo(new Reply.Amount(20));
    }

    @Test
    void commandsRunAsOneWhileTheyAreFewAndShort() {
        List<Integer> names = List.of(1, 2, 20_000, 3, 40_000, 4, 20_000);
        EachRun run = new EachRun(
                this::later,
                new Question.Each(
                        new LazyCommands(
                                300,
                                i -> new Command.SetValue(
                                        Bytes.of("n" + i),
                                        Bytes.owning(new byte[i < names.size() ? names.get(i) : 0]),
                                        Command.Condition.ALWAYS,
                                        false)),
                        () -> new EachAnswer.Count(Reply.Ok.class::isInstance),
                        Answers::each),
                window(1000),
                new Budget(1 << 20),
                NO_MEMORY,
                _ -> goesOn.incrementAndGet());
        assertThat(run.next()).isFalse();
        assertThat(asked).extracting(Asked::commands).containsExactly(4, 1, 128, 128, 39);
        assertThat(run.letsOthersFollow()).isTrue();

        asked.get(3).reply().complete(new Reply.Failed(Reply.Word.UNCERTAIN, "lost; the request may have run"));
        asked.get(1).answer(Reply.OK);
        for (int i : List.of(0, 2, 4)) {
            asked.get(i).answer(Reply.OK);
        }
        assertThat(run.end().join())
                .isEqualTo(new Reply.Failed(Reply.Word.UNCERTAIN, "lost; the request may have run (172 of 300 done)"));
    }

    @Test
    void noValuesAreReadWhenNoMemoryIsLeft() {
        Budget budget = new Budget(100);
        budget.charge(100);
        EachRun run = run(NAMES, budget, 1 << 20);

        assertThat(run.next()).isFalse();
        assertThat(asked).isEmpty();
        assertThat(run.letsOthersFollow()).isTrue();
        assertThat(run.end().join()).isEqualTo(NO_MEMORY);
        assertThat(budget.take(1)).isFalse();
    }

    @Test
    void whatIsThereOfAReplyIsChargedWhileTheRestIsMissing() {
        Budget budget = new Budget(1000);
        LongReply.UnderWay reply = new LongReply.UnderWay(() -> 0, CompletableFuture.completedFuture(null), 600);
        EachRun run = new EachRun(
                (_, _) -> reply, gets(2, 1 << 20), window(10), budget, NO_MEMORY, _ -> goesOn.incrementAndGet());

        assertThat(run.next()).isFalse();
        assertThat(budget.take(500)).isFalse();
        reply.complete(new Reply.Many(List.of(Reply.ABSENT, Reply.ABSENT)));
        assertThat(budget.take(1000)).isTrue();
        assertThat(run.end().join()).isEqualTo(new Reply.Many(List.of(Reply.ABSENT, Reply.ABSENT)));
    }
}
