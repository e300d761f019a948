package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Part;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.log.Segment;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Which commands are large, and what those that wait may take. */
@Timeout(60)
class LargeCommandsTest {
    private static final int MIB = 1 << 20;
    private static final Turn.Limits TURN = new Turn.Limits(1_000, MIB);
    private static final Bytes B = Bytes.of("b");
    private static final Bytes K = Bytes.of("k");

    @TempDir
    Path site;

    private OpenStorage storage;
    private Commands commands;
    private final CountDownLatch gate = new CountDownLatch(1);

    @BeforeEach
    void open() throws Exception {
        storage = new DataFolder(site.resolve("data")).open();
        commands = new Commands(storage.buckets(), TURN, 64 * MIB);
    }

    @AfterEach
    void stop() {
        gate.countDown();
        storage.stop(Duration.ofSeconds(20));
    }

    private static Bytes value(int bytes) {
        return Bytes.owning(new byte[bytes]);
    }

    private static Command.SetAll set(Bytes bucket, Bytes value) {
        return new Command.SetAll(bucket, List.of(K, value), false);
    }

    private static Command.DeleteAll deleteAbsent(int count) {
        return new Command.DeleteAll(
                B,
                IntStream.range(0, count).mapToObj(i -> Bytes.of("absent-" + i)).toList());
    }

    private void assertIsLarge(Command command) {
        assertThatThrownBy(() -> commands.run(command)).isInstanceOf(Turn.TooMuch.class);
    }

    private Reply runLarge(Command command) {
        try (Large large = commands.large(command)) {
            large.lane().ifPresent(Lanes.Lane::enter);
            return large.run().apply(() -> false);
        }
    }

    @Test
    void drawsOfChangedKeysCountInTheTurn() {
        assertIsLarge(new Command.Batch(
                B, List.of(set(B, K), deleteAbsent(900), new Command.Sample(B, -100_000, Part.KEYS))));
    }

    @Test
    @Timeout(5)
    void drawsTakeNoLongerBehindManyDeletes() {
        Command batch = new Command.Batch(
                B, List.of(set(B, K), deleteAbsent(100_000), new Command.Sample(B, -100_000, Part.KEYS)));

        Reply.Many replies = (Reply.Many) runLarge(batch);

        assertThat(((Reply.Values) replies.replies().getLast()).values())
                .hasSize(100_000)
                .containsOnly(K);
    }

    @Test
    @Timeout(10)
    void drawsOfFewThatAreLeftOfManyTakeNoLonger() {
        List<Bytes> keys =
                IntStream.range(0, 50_000).mapToObj(i -> Bytes.of("key-" + i)).toList();
        List<Bytes> pairs = new ArrayList<>();
        keys.forEach(key -> {
            pairs.add(key);
            pairs.add(K);
        });
        runLarge(new Command.SetAll(Bytes.of("many"), pairs, false));
        Bytes many = Bytes.of("many");
        Command batch = new Command.Batch(
                many,
                List.of(
                        new Command.DeleteAll(many, keys.subList(2, keys.size())),
                        new Command.Sample(many, -10_000, Part.KEYS)));

        Reply.Many replies = (Reply.Many) runLarge(batch);

        assertThat(new ArrayList<>(((Reply.Values) replies.replies().getLast()).values()))
                .hasSize(10_000)
                .contains(keys.get(0), keys.get(1))
                .doesNotContain(keys.get(2));
    }

    private static List<Command> repeated(int times, Command... commands) {
        List<Command> all = new ArrayList<>();
        for (int i = 0; i < times; i++) {
            all.addAll(List.of(commands));
        }
        return all;
    }

    @Test
    @Timeout(20)
    void drawsBetweenChangesTakeNoLongerInALongBatch() {
        List<Bytes> keys =
                IntStream.range(0, 100_000).mapToObj(i -> Bytes.of("key-" + i)).toList();
        List<Bytes> pairs = new ArrayList<>();
        keys.forEach(key -> pairs.addAll(List.of(key, K)));
        runLarge(new Command.SetAll(B, pairs, false));
        List<Command> commands = new ArrayList<>(List.of(new Command.DeleteAll(B, keys.subList(0, 60_000))));
        for (int i = 0; i < 100_000; i++) {
            commands.add(set(B, K));
            commands.add(new Command.SetAll(B, List.of(Bytes.of("new-" + i), K), false));
            commands.add(new Command.Sample(B, 1, Part.KEYS));
            commands.add(new Command.Scan(B, 0, Bytes.of("*"), 1, Part.KEYS));
        }

        Reply.Many replies = (Reply.Many) runLarge(new Command.Batch(B, commands));

        assertThat(replies.replies()).hasSize(400_001).noneMatch(Reply.Failed.class::isInstance);
    }

    @Test
    @Timeout(10)
    void scansTakeNoLongerBehindManyDeletes() {
        List<Bytes> keys =
                IntStream.range(0, 10_000).mapToObj(i -> Bytes.of("key-" + i)).toList();
        List<Bytes> pairs = new ArrayList<>();
        keys.forEach(key -> pairs.addAll(List.of(key, K)));
        runLarge(new Command.SetAll(B, pairs, false));
        List<Command> batch = repeated(10_000, new Command.Scan(B, 0, Bytes.of("*"), 10, Part.KEYS));
        batch.addFirst(new Command.DeleteAll(B, keys.subList(1, keys.size())));

        Reply.Many replies = (Reply.Many) runLarge(new Command.Batch(B, batch));

        assertThat(replies.replies()).hasSize(10_001).noneMatch(Reply.Failed.class::isInstance);
    }

    @Test
    void aScanGoesOnBehindThePageOfDeletedKeysInWhichItEnds() {
        List<Bytes> keys =
                IntStream.range(0, 100).mapToObj(i -> Bytes.of("key-" + i)).toList();
        List<Bytes> pairs = new ArrayList<>();
        keys.forEach(key -> pairs.addAll(List.of(key, K)));
        List<Bytes> found = new ArrayList<>();
        long position = 0;
        int pages = 0;
        do {
            // In a bucket of its own, each page finds all keys before the deletes; they have the same positions in
            // each.
            Bytes bucket = Bytes.of("b" + pages);
            runLarge(new Command.SetAll(bucket, pairs, false));
            Command delete = new Command.DeleteAll(bucket, keys.subList(1, keys.size()));
            Command scan = new Command.Scan(bucket, position, Bytes.of("*"), 10, Part.KEYS);
            Reply.Many replies = (Reply.Many) runLarge(new Command.Batch(bucket, List.of(delete, scan)));
            Reply.Page page = (Reply.Page) replies.replies().getLast();
            found.addAll(page.values());
            position = page.next();
            pages++;
        } while (position != 0);

        assertThat(found).containsExactly(keys.getFirst());
        assertThat(pages).isBetween(10, 12);
    }

    @Test
    void aDrawShowsNoKeyThatWasDeletedAfterTheDrawBefore() {
        List<Bytes> keys =
                IntStream.range(0, 100).mapToObj(i -> Bytes.of("key-" + i)).toList();
        List<Bytes> pairs = new ArrayList<>();
        keys.forEach(key -> pairs.addAll(List.of(key, K)));
        runLarge(new Command.SetAll(B, pairs, false));
        List<Command> batch = new ArrayList<>(List.of(new Command.DeleteAll(B, keys.subList(0, 60))));
        for (int i = 60; i < 99; i++) {
            batch.add(new Command.Sample(B, 1, Part.KEYS));
            batch.add(new Command.DeleteAll(B, keys.subList(i, i + 1)));
        }
        batch.add(new Command.Sample(B, -100, Part.KEYS));

        Reply.Many replies = (Reply.Many) runLarge(new Command.Batch(B, batch));

        assertThat(((Reply.Values) replies.replies().getLast()).values())
                .hasSize(100)
                .containsOnly(keys.getLast());
    }

    @Test
    void whatABatchReadsOfItsOwnChangesCountsInTheTurn() {
        List<Bytes> pairs = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            pairs.addAll(List.of(Bytes.of("key-" + i), K));
        }
        Command.SetAll set = new Command.SetAll(B, pairs, false);
        for (Command read : List.of(
                new Command.Content(B, Part.KEYS),
                new Command.Get(B, Bytes.of("key-1")),
                new Command.Measure(B, Bytes.of("key-1")),
                new Command.Scan(B, 0, Bytes.of("*"), 10, Part.KEYS))) {
            List<Command> commands = repeated(1_000, read);
            commands.addFirst(set);
            assertIsLarge(new Command.Batch(B, commands));
        }
        List<Command> empty = repeated(100_000, new Command.Scan(B, (1L << 32) - 1, Bytes.of("*"), 10, Part.KEYS));
        empty.addFirst(set);
        assertIsLarge(new Command.Batch(B, empty));

        List<Command> commands = repeated(3, new Command.Content(B, Part.KEYS));
        commands.addFirst(set);
        Reply.Many replies = (Reply.Many) runLarge(new Command.Batch(B, commands));
        assertThat(((Reply.Values) replies.replies().getLast()).values()).hasSize(400);
    }

    @Test
    void aBatchWithAWriteReadsALargeValueOnAnotherThread() {
        runLarge(set(B, value(2 * MIB)));

        assertIsLarge(new Command.Batch(B, List.of(new Command.Delete(B, Bytes.of("x")), new Command.Get(B, K))));
    }

    @Test
    void theSizeOfALargeValueIsToldAtOnce() {
        runLarge(set(B, value(2 * MIB)));

        assertThat(commands.run(new Command.Measure(B, K))).isEqualTo(new Reply.Amount(2 * MIB));
        assertThat(commands.run(new Command.Measure(B, Bytes.of("x")))).isEqualTo(Reply.ABSENT);
    }

    @Test
    void aLargeChangeWhoseBucketIsCutOffIsAnsweredWithTheReason() {
        Bytes dead = Bytes.of("dead");
        commands.run(set(B, value(16)));
        commands.run(set(dead, value(1_000)));
        storage.log().tail().rollOver();
        Segment replaced = storage.log().segments().live().getFirst();
        Large large = commands.large(
                new Command.Batch(B, List.of(new Command.Delete(B, Bytes.of("x")), new Command.Get(B, K))));
        commands.run(new Command.Drop(dead));
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

    /** Runs commands on one thread for large ones, which holds the first reply until the gate opens. */
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
        // All is given back.
        for (int i = 0; i < 20; i++) {
            DataFolder.await(() -> !(run(execution, set(B, value(2 * MIB))).join() instanceof Reply.Failed));
        }
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
                new Execution.Limits(TURN, 1, 256, 100, 64 * MIB, Duration.ofSeconds(10), Duration.ofSeconds(30)));
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
