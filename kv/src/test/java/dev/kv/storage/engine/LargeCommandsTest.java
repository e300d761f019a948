package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Part;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.log.Segment;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Which commands are large, and the bounds of those that wait. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LargeCommandsTest extends WithLargeCommands {
    @Test
    void aBatchWithAWriteReadsALargeValueOnAnotherThread() {
        runLarge(set(B, value(2 * MIB)));

        assertIsLarge(new Command.Batch(B, List.of(new Command.Delete(B, Bytes.of("x")), new Command.Get(B, K))));
    }

    @Test
    void theSizeOfALargeValueIsToldAtOnce() {
        runLarge(set(B, value(2 * MIB)));

        assertThat(commands.run(new Command.Measure(B, K), 0)).isEqualTo(new Reply.Amount(2 * MIB));
        assertThat(commands.run(new Command.Measure(B, Bytes.of("x")), 0)).isEqualTo(Reply.ABSENT);
    }

    /** A node that asked is told from time to time, so that it does not take this one for dead. */
    @Test
    void whoAwaitsALargeCommandSeesThatItGoesOn() throws Exception {
        gate.countDown();
        Execution execution = execution(256, 64 * MIB);
        List<Bytes> keys = new ArrayList<>();
        List<Bytes> pairs = new ArrayList<>();
        for (int i = 0; i < 30_000; i++) {
            keys.add(Bytes.of("key-" + i));
            pairs.addAll(List.of(keys.getLast(), K));
        }
        for (Command command : List.of(
                new Command.SetAll(B, pairs, false),
                new Command.Content(B, Part.PAIRS),
                new Command.DeleteAll(B, keys))) {
            LongReply.UnderWay reply = (LongReply.UnderWay) run(execution, command);
            reply.get(20, TimeUnit.SECONDS);
            assertThat(reply.progress()).as("%s", command.getClass()).isBetween(-70L, -20L);
            assertThat(reply.hasMoved()).isTrue();
            assertThat(reply.hasMoved()).isFalse();
        }
        execution.close(Duration.ofSeconds(10));
    }

    @Test
    void aLargeChangeWhoseBucketIsCutOffIsAnsweredWithTheReason() {
        Bytes dead = Bytes.of("dead");
        commands.run(set(B, value(16)), 0);
        commands.run(set(dead, value(1_000)), 0);
        storage.log().tail().rollOver();
        Segment replaced = storage.log().segments().live().getFirst();
        Large large = commands.large(
                new Command.Batch(B, List.of(new Command.Delete(B, Bytes.of("x")), new Command.Get(B, K))), 0);
        commands.run(new Command.Drop(dead), 0);
        storage.log().tail().rollOver();
        DataFolder.await(() -> {
            compact();
            storage.log().segments().closeRetired(Duration.ZERO);
            return !replaced.memory().scope().isAlive();
        });

        large.lane().ifPresent(Lanes.Lane::enter);
        Reply reply = large.run().apply(() -> false);
        large.close();

        assertThat(((Reply.Failed) reply).message()).contains("kv.storage.pin-max");
    }

    private void compact() {
        try {
            storage.compact();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** With one thread for large commands, which keeps the first reply until the gate opens. */
    private Execution execution(int waitingMax, long bytesMax) {
        return new Execution(
                commands,
                storage.buckets(),
                (_, reply) -> {
                    try {
                        gate.await();
                    } catch (InterruptedException e) {
                        return CompletableFuture.failedFuture(e);
                    }
                    return CompletableFuture.completedFuture(reply);
                },
                new Execution.Limits(
                        TURN, 1, waitingMax, 100, bytesMax, Duration.ofSeconds(10), Duration.ofSeconds(10)));
    }

    private static CompletableFuture<Reply> run(Execution execution, Command command) {
        return execution.run(command).toCompletableFuture();
    }

    @Test
    void largeWritesThatWaitAreBoundedInBytes() throws Exception {
        Execution execution = execution(256, 8 * MIB);
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            replies.add(run(execution, set(Bytes.of("b" + i), value(2 * MIB))));
        }

        List<CompletableFuture<Reply>> refused =
                replies.stream().filter(CompletableFuture::isDone).toList();
        assertThat(refused)
                .hasSizeBetween(16, 17)
                .allSatisfy(reply ->
                        assertThat(((Reply.Failed) reply.join()).message()).contains("parked-max-bytes"));
        gate.countDown();
        List<Reply> done = new ArrayList<>();
        for (CompletableFuture<Reply> reply : replies) {
            done.add(reply.get(20, TimeUnit.SECONDS));
        }
        assertThat(done).filteredOn(new Reply.Amount(1)::equals).hasSize(replies.size() - refused.size());
        // All bytes are given back: three fit at once, as they do at first.
        DataFolder.await(() ->
                IntStream.range(0, 3)
                        .mapToObj(i -> run(execution, set(Bytes.of("again-" + i), value(2 * MIB))))
                        .toList()
                        .stream()
                        .noneMatch(reply -> reply.join() instanceof Reply.Failed));
        execution.close(Duration.ofSeconds(20));
    }

    @Test
    void twoLargeWritesToOneBucketAreBothDoneWhateverTheBound() throws Exception {
        Execution execution = execution(256, MIB);
        CompletableFuture<Reply> first = run(execution, set(B, value(2 * MIB)));
        CompletableFuture<Reply> second =
                run(execution, new Command.SetAll(B, List.of(Bytes.of("other"), value(2 * MIB)), false));

        gate.countDown();

        assertThat(first.get(20, TimeUnit.SECONDS)).isEqualTo(new Reply.Amount(1));
        assertThat(second.get(20, TimeUnit.SECONDS)).isEqualTo(new Reply.Amount(1));
        execution.close(Duration.ofSeconds(20));
    }

    @Test
    void largeReadsInALaneLetOthersPassAndAreBuiltOneAfterAnother() throws Exception {
        runLarge(set(B, value(16)));
        runLarge(new Command.SetAll(B, List.of(Bytes.of("large"), value(2 * MIB)), false));
        List<String> built = new CopyOnWriteArrayList<>();
        Execution execution = new Execution(
                commands,
                storage.buckets(),
                (command, reply) -> {
                    if (command instanceof Command.SetAll) {
                        try {
                            gate.await();
                        } catch (InterruptedException e) {
                            return CompletableFuture.failedFuture(e);
                        }
                    } else if (command instanceof Command.Content) {
                        built.add("content");
                    }
                    return CompletableFuture.completedFuture(reply);
                },
                // All in one turn of the lane: else the rest of it would wait behind the first large read.
                new Execution.Limits(
                        TURN,
                        1,
                        256,
                        100,
                        64 * MIB,
                        Duration.ofSeconds(10),
                        Duration.ofSeconds(30),
                        Duration.ofMinutes(1)));
        CompletableFuture<Reply> change = run(execution, set(B, value(2 * MIB)));
        SlowCaller caller = new SlowCaller(() -> {
            for (int i = 0; i < 5; i++) {
                var _ = execution.run(new Command.Content(B, Part.PAIRS));
            }
        });
        caller.start();
        caller.join();
        CompletableFuture<Reply> behind = run(execution, new Command.Size(B));
        assertThat(behind).isNotDone();

        gate.countDown();

        assertThat(change.get(20, TimeUnit.SECONDS)).isEqualTo(new Reply.Amount(0));
        assertThat(behind.get(20, TimeUnit.SECONDS)).isEqualTo(new Reply.Amount(2));
        for (int i = 1; i <= 5; i++) {
            Runnable reply = caller.given().take();
            assertThat(built).hasSize(i);
            reply.run();
        }
        execution.close(Duration.ofSeconds(20));
    }
}
