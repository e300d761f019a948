package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Part;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.log.Sync;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Commands that touch much, and those that come behind them. */
@Timeout(60)
class ExecutionTest {
    private static final Turn.Limits SHORT = new Turn.Limits(20, 2_000);
    private static final long REPLY_MAX_BYTES = 1 << 20;
    private static final List<Part> PARTS = List.of(Part.KEYS, Part.VALUES, Part.PAIRS);
    private static final int BUCKETS = 5;
    private static final int KEYS = 100;

    @TempDir
    private Path folder;

    private final List<OpenStorage> opened = new ArrayList<>();

    private OpenStorage open(Execution.Limits large) throws IOException {
        OpenStorage storage = OpenStorage.open(
                DataFolder.settings(
                        folder.resolve("data-" + opened.size()),
                        new Sync(false, Optional.of(Duration.ofMillis(10))),
                        0,
                        1L << 20,
                        DataFolder.PINS,
                        large),
                REPLY_MAX_BYTES,
                _ -> {});
        opened.add(storage);
        return storage;
    }

    /** Runs commands of which the test says when they are acknowledged. */
    private static Execution execution(
            OpenStorage storage,
            BiFunction<Command, Reply, CompletionStage<Reply>> acknowledging,
            Execution.Limits limits) {
        return new Execution(
                new Commands(storage.buckets(), SHORT, REPLY_MAX_BYTES), storage.buckets(), acknowledging, limits);
    }

    private OpenStorage open(Turn.Limits turn) throws IOException {
        return open(new Execution.Limits(
                turn, 3, 10_000, 100_000, 1L << 30, Duration.ofSeconds(10), Duration.ofSeconds(10)));
    }

    @AfterEach
    void stop() {
        opened.forEach(storage -> storage.stop(Duration.ZERO));
    }

    @Test
    void aFaultOfALargeChangeEndsNeitherItsLaneNorItsThread() throws Exception {
        OpenStorage storage = open(SHORT);
        AtomicBoolean fails = new AtomicBoolean(true);
        Execution execution = execution(
                storage,
                (_, reply) -> {
                    if (fails.getAndSet(false)) {
                        throw new StackOverflowError("deep");
                    }
                    return CompletableFuture.completedFuture(reply);
                },
                new Execution.Limits(SHORT, 1, 1, 100, 1L << 20, Duration.ofSeconds(10), Duration.ofSeconds(10)));
        Command large = new Command.SetAll(Bytes.of("b"), pairs(new Random(1), 100), false);
        Command small = new Command.Put(Bytes.of("b"), Bytes.of("key"), Bytes.of("value"));

        CompletableFuture<Reply> first = execution.run(large).toCompletableFuture();
        CompletableFuture<Reply> behind = execution.run(small).toCompletableFuture();

        assertThatThrownBy(() -> first.get(10, TimeUnit.SECONDS)).hasCauseInstanceOf(StackOverflowError.class);
        assertThat(behind.get(10, TimeUnit.SECONDS)).isNotInstanceOf(Reply.Failed.class);
        assertThat(execution.run(large).toCompletableFuture().get(10, TimeUnit.SECONDS))
                .isNotInstanceOf(Reply.Failed.class);
        execution.close(Duration.ofSeconds(10));
    }

    private static Reply join(OpenStorage storage, Command command) {
        return storage.run(command).toCompletableFuture().join();
    }

    private static List<Bytes> keys(Random random, int count) {
        List<Bytes> keys = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            keys.add(Bytes.of("k" + random.nextInt(KEYS)));
        }
        return keys;
    }

    private static List<Bytes> pairs(Random random, int count) {
        List<Bytes> pairs = new ArrayList<>();
        for (Bytes key : keys(random, count)) {
            pairs.add(key);
            pairs.add(Bytes.of("v" + random.nextInt(1_000) + "x".repeat(random.nextInt(200))));
        }
        return pairs;
    }

    private static List<Command> scans(Bytes bucket, Bytes match) {
        Command scan = new Command.Scan(bucket, 0, match, 10, Part.KEYS);
        return List.of(
                scan,
                new Command.Batch(bucket, List.of(new Command.Create(bucket), scan)),
                new Command.Names(NameSpace.ALL, 0, match, 10));
    }

    @Test
    void aReadWhosePatternIsCostlyToMatchIsALargeOne() throws Exception {
        Turn.Limits turn = new Turn.Limits(1_000, 40_000);
        OpenStorage storage = open(turn);
        Commands commands = new Commands(storage.buckets(), turn, REPLY_MAX_BYTES);
        Bytes bucket = Bytes.of("a".repeat(1_000));
        join(storage, new Command.SetAll(bucket, List.of(bucket, bucket), false));
        for (Command cheap : scans(bucket, Bytes.of("*b"))) {
            assertThat(commands.run(cheap)).isNotInstanceOf(Reply.Failed.class);
        }
        for (Command costly : scans(bucket, Bytes.of("*" + "b".repeat(1_000)))) {
            assertThatThrownBy(() -> commands.run(costly)).isInstanceOf(Turn.TooMuch.class);
        }
    }

    @Test
    void aLargeReadEndsSoonAfterItsReplyIsCancelled() throws Exception {
        OpenStorage storage = open(SHORT);
        Commands commands = new Commands(storage.buckets(), SHORT, REPLY_MAX_BYTES);
        Bytes bucket = Bytes.of("b");
        List<Bytes> pairs = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            pairs.addAll(List.of(Bytes.of("k" + i), Bytes.of("v")));
            join(storage, new Command.Create(Bytes.of("n" + i)));
        }
        join(storage, new Command.SetAll(bucket, pairs, false));
        for (Command command : List.of(
                new Command.Content(bucket, Part.KEYS),
                new Command.Sample(bucket, -10_000, Part.KEYS),
                new Command.Scan(bucket, 0, Bytes.of("x*"), 10_000, Part.KEYS),
                new Command.GetAll(bucket, pairs),
                new Command.Batch(bucket, List.of(new Command.Size(bucket), new Command.GetAll(bucket, pairs))),
                new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), 10_000))) {
            AtomicInteger asked = new AtomicInteger();
            try (Large large = Lanes.patiently(() -> commands.large(command))) {
                assertThatThrownBy(() -> large.run().apply(() -> asked.incrementAndGet() == 3))
                        .as(command.getClass().getSimpleName())
                        .isInstanceOf(Turn.Cancelled.class);
            }
            assertThat(asked).hasValue(3);
        }
    }

    private static Bytes name(Random random) {
        return Bytes.of("b" + random.nextInt(BUCKETS));
    }

    private static Command command(Random random, Bytes bucket) {
        int size = random.nextInt(4) == 0 ? 1 + random.nextInt(80) : 1;
        return switch (random.nextInt(16)) {
            case 0, 1, 2, 3 -> new Command.SetAll(bucket, pairs(random, size), random.nextInt(8) == 0);
            case 4, 5 -> new Command.DeleteAll(bucket, keys(random, size));
            case 6 -> new Command.GetAll(bucket, keys(random, size));
            case 7 -> new Command.Get(bucket, keys(random, 1).getFirst());
            case 8 -> new Command.Size(bucket);
            case 9 -> new Command.Content(bucket, PARTS.get(random.nextInt(PARTS.size())));
            case 10 -> new Command.Scan(bucket, random.nextLong(1L << 32), Bytes.of("*"), size, Part.PAIRS);
            case 11 -> new Command.Put(bucket, keys(random, 1).getFirst(), Bytes.of("x".repeat(random.nextInt(4_000))));
            case 12 -> random.nextInt(10) == 0 ? new Command.Drop(bucket) : new Command.Create(bucket);
            case 13 -> new Command.Rename(bucket, name(random));
            default ->
                new Command.Batch(
                        bucket,
                        List.of(
                                new Command.SetAll(bucket, pairs(random, size), false),
                                new Command.Content(bucket, Part.KEYS),
                                new Command.DeleteAll(bucket, keys(random, 2))));
        };
    }

    @Test
    void commandsOfOneThreadRunInTheirOrderHoweverLargeTheyAre() throws IOException {
        inOrder(System.nanoTime(), 20_000);
    }

    @Test
    @Tag("soak")
    @Timeout(300)
    void commandsOfOneThreadRunInTheirOrderForMinutes() throws IOException {
        long deadline = System.nanoTime() + Duration.ofMinutes(3).toNanos();
        for (long seed = System.nanoTime(); System.nanoTime() - deadline < 0; seed++) {
            inOrder(seed, 50_000);
        }
    }

    /** What one storage does at once, and another one in large commands on several threads, comes to the same. */
    private void inOrder(long seed, int steps) throws IOException {
        Random random = new Random(seed);
        OpenStorage atOnce = open(Turn.Limits.NONE);
        // The same hash of keys puts them into the same order.
        Path data = folder.resolve("data-" + opened.size());
        Files.createDirectories(data);
        for (String file : List.of("format", "segments")) {
            Files.copy(folder.resolve("data-" + (opened.size() - 1)).resolve(file), data.resolve(file));
        }
        OpenStorage large = open(SHORT);
        List<Command> commands = new ArrayList<>();
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        for (int i = 0; i < steps; i++) {
            Command command = command(random, name(random));
            commands.add(command);
            replies.add(large.run(command).toCompletableFuture());
            if (random.nextInt(1_000) == 0) {
                large.compact(random.nextBoolean());
            }
        }
        for (int i = 0; i < steps; i++) {
            assertThat(replies.get(i).join())
                    .as("seed %d, command %d, %s", seed, i, commands.get(i))
                    .isEqualTo(join(atOnce, commands.get(i)));
        }
        assertThat(Metrics.texts(large.metrics()).get("bytes"))
                .isEqualTo(Metrics.texts(atOnce.metrics()).get("bytes"));
        assertThat(Metrics.texts(large.metrics()).get("buckets"))
                .isEqualTo(Metrics.texts(atOnce.metrics()).get("buckets"));
    }

    @Test
    void aLargeReadSeesABucketAsItWasAtOneMoment() throws Exception {
        OpenStorage storage = open(SHORT);
        Bytes bucket = Bytes.of("b");
        int keys = 2_000;
        List<Bytes> all = new ArrayList<>();
        for (int i = 0; i < keys; i++) {
            all.addAll(List.of(Bytes.of("k" + i), Bytes.of("500")));
        }
        join(storage, new Command.SetAll(bucket, all, false));
        AtomicBoolean isDone = new AtomicBoolean();
        List<Callable<Void>> work = new ArrayList<>();
        for (int writer = 0; writer < 2; writer++) {
            Random random = new Random(writer);
            int first = writer;
            work.add(() -> {
                // Takes from one key what it gives to another; the keys of the two writers are apart.
                int[] amounts = new int[keys];
                Arrays.fill(amounts, 500);
                while (!isDone.get()) {
                    int from = 2 * random.nextInt(keys / 2) + first;
                    int to = 2 * random.nextInt(keys / 2) + first;
                    int moved = random.nextInt(10);
                    amounts[from] -= moved;
                    amounts[to] += moved;
                    join(
                            storage,
                            new Command.SetAll(
                                    bucket,
                                    List.of(
                                            Bytes.of("k" + from),
                                            Bytes.of("" + amounts[from]),
                                            Bytes.of("k" + to),
                                            Bytes.of("" + amounts[to])),
                                    false));
                }
                return null;
            });
        }
        work.add(() -> {
            try {
                for (int i = 0; i < 100; i++) {
                    List<Bytes> values =
                            ((Reply.Values) join(storage, new Command.Content(bucket, Part.VALUES))).values();
                    assertThat(values).hasSize(keys);
                    assertThat(values.stream()
                                    .mapToLong(value -> value.wholeNumber().getAsLong())
                                    .sum())
                            .isEqualTo(500L * keys);
                    if (i % 20 == 0) {
                        storage.compact();
                    }
                }
            } finally {
                isDone.set(true);
            }
            return null;
        });
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            for (Future<Void> end : threads.invokeAll(work)) {
                end.get();
            }
        }
    }

    @Test
    void aLargeChangeIsAppliedAsAWholeWhileOthersWrite() throws Exception {
        OpenStorage storage = open(SHORT);
        Bytes bucket = Bytes.of("b");
        List<Bytes> pairs = new ArrayList<>();
        for (int i = 0; i < 50_000; i++) {
            pairs.addAll(List.of(Bytes.of("k" + i), Bytes.of("v".repeat(100) + i)));
        }
        CompletableFuture<Reply> large =
                storage.run(new Command.SetAll(bucket, pairs, false)).toCompletableFuture();
        int others = 0;
        while (!large.isDone()) {
            Reply other = join(
                    storage,
                    new Command.SetAll(Bytes.of("other"), List.of(Bytes.of("k" + others), Bytes.of("v")), false));
            assertThat(other).isEqualTo(new Reply.Amount(1));
            others++;
        }
        assertThat(large.join()).isEqualTo(new Reply.Amount(50_000));
        join(storage, new Command.DeleteAll(bucket, List.of(Bytes.of("k7"))));
        // What a process leaves that is killed here, and one that stops.
        Path killed = folder.resolve("killed");
        DataFolder.image(folder.resolve("data-0"), killed);
        storage.stop(Duration.ZERO);
        opened.clear();
        for (Path data : List.of(killed, folder.resolve("data-0"))) {
            OpenStorage again = new DataFolder(data).open();
            assertThat(join(again, new Command.Size(bucket))).isEqualTo(new Reply.Amount(49_999));
            assertThat(join(again, new Command.Get(bucket, Bytes.of("k49999"))))
                    .isEqualTo(new Reply.Value(Bytes.of("v".repeat(100) + 49_999)));
            assertThat(join(again, new Command.Size(Bytes.of("other")))).isEqualTo(new Reply.Amount(others));
            again.compact();
            assertThat(join(again, new Command.Size(bucket))).isEqualTo(new Reply.Amount(49_999));
            again.stop(Duration.ZERO);
        }
    }

    @Test
    void aCallFromACommandThreadIsAnsweredThere() throws Exception {
        OpenStorage storage =
                open(new Execution.Limits(SHORT, 1, 10, 10, 1L << 20, Duration.ofSeconds(10), Duration.ofSeconds(10)));
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        Bytes bucket = Bytes.of("b");
        SlowCaller caller = new SlowCaller(() -> {
            replies.add(storage.run(new Command.SetAll(bucket, pairs(new Random(1), 80), false))
                    .toCompletableFuture());
            replies.add(storage.run(new Command.Size(bucket)).toCompletableFuture());
        });
        caller.start();
        caller.join();
        Runnable first = caller.given().take();
        assertThat(replies.getFirst().isDone()).isFalse();
        first.run();
        assertThat(replies.getFirst().isDone()).isTrue();
        // It was run at once if the change was in force by then, and else waited behind it.
        if (!replies.getLast().isDone()) {
            caller.given().take().run();
        }
        assertThat(replies.getLast().join()).isEqualTo(replies.getFirst().join());
    }

    @Test
    void aLargeReadThatNobodyAwaitsIsNotRunAndAWriteIs() throws Exception {
        Execution.Limits limits =
                new Execution.Limits(SHORT, 1, 10, 10, 1L << 20, Duration.ofSeconds(10), Duration.ofSeconds(10));
        OpenStorage storage = open(limits);
        List<Command> ran = new CopyOnWriteArrayList<>();
        CountDownLatch isBusy = new CountDownLatch(1);
        CountDownLatch mayGoOn = new CountDownLatch(1);
        Bytes bucket = Bytes.of("b");
        Command first = new Command.SetAll(bucket, pairs(new Random(1), 80), false);
        Execution execution = execution(
                storage,
                (command, reply) -> {
                    ran.add(command);
                    isBusy.countDown();
                    try {
                        mayGoOn.await();
                    } catch (InterruptedException e) {
                        return CompletableFuture.failedFuture(e);
                    }
                    return CompletableFuture.completedFuture(reply);
                },
                limits);
        execution.run(first);
        isBusy.await();
        for (int i = 0; i < 80; i++) {
            join(storage, new Command.SetAll(Bytes.of("large"), List.of(Bytes.of("k" + i), Bytes.of("v")), false));
        }
        Command read = new Command.Content(Bytes.of("large"), Part.PAIRS);
        Command write = new Command.SetAll(Bytes.of("large"), pairs(new Random(3), 80), false);
        execution.run(read).toCompletableFuture().cancel(false);
        execution.run(write).toCompletableFuture().cancel(false);
        Command last = new Command.DeleteAll(Bytes.of("another"), keys(new Random(4), 80));
        CompletableFuture<Reply> end = execution.run(last).toCompletableFuture();
        mayGoOn.countDown();

        assertThat(end.get(20, TimeUnit.SECONDS)).isEqualTo(new Reply.Amount(0));
        assertThat(ran).containsExactly(first, write, last);
        execution.close(Duration.ofSeconds(20));
    }

    @Test
    void aThreadForLargeReadsWaitsForACallerNoLongerThanReplyWait() throws Exception {
        Execution.Limits limits =
                new Execution.Limits(SHORT, 1, 10, 10, 1L << 20, Duration.ofSeconds(10), Duration.ofMillis(100));
        OpenStorage storage = open(limits);
        Bytes bucket = Bytes.of("b");
        join(storage, new Command.SetAll(bucket, pairs(new Random(1), 80), false));
        CountDownLatch ran = new CountDownLatch(3);
        Execution execution = execution(
                storage,
                (_, reply) -> {
                    ran.countDown();
                    return CompletableFuture.completedFuture(reply);
                },
                limits);
        SlowCaller hangs = new SlowCaller(() -> {
            for (int i = 0; i < 3; i++) {
                var _ = execution.run(new Command.Content(bucket, Part.PAIRS));
            }
        });
        hangs.start();

        assertThat(ran.await(5, TimeUnit.SECONDS)).isTrue();
        execution.close(Duration.ofSeconds(20));
    }

    @Test
    void aThreadForLargeReadsHoldsOneReplyThatItsCallerHasNotTaken() throws Exception {
        Execution.Limits limits =
                new Execution.Limits(SHORT, 1, 10, 10, 1L << 20, Duration.ofSeconds(10), Duration.ofSeconds(10));
        OpenStorage storage = open(limits);
        Bytes bucket = Bytes.of("b");
        join(storage, new Command.SetAll(bucket, pairs(new Random(1), 80), false));
        List<CompletableFuture<Reply>> replies = new CopyOnWriteArrayList<>();
        List<Long> taken = new CopyOnWriteArrayList<>();
        Execution execution = execution(
                storage,
                (_, reply) -> {
                    taken.add(replies.stream().filter(CompletableFuture::isDone).count());
                    return CompletableFuture.completedFuture(reply);
                },
                limits);
        SlowCaller caller = new SlowCaller(() -> {
            for (int i = 0; i < 3; i++) {
                replies.add(
                        execution.run(new Command.Content(bucket, Part.PAIRS)).toCompletableFuture());
            }
        });
        caller.start();
        caller.join();
        for (int i = 0; i < 3; i++) {
            caller.given().take().run();
        }

        assertThat(taken).containsExactly(0L, 1L, 2L);
        execution.close(Duration.ofSeconds(20));
    }

    @Test
    void aBucketThatDoesNotFitIntoAReplyIsRefusedBeforeItIsRead() throws IOException {
        // No large command is run at all.
        OpenStorage storage =
                open(new Execution.Limits(SHORT, 1, 0, 10, 1L << 20, Duration.ofSeconds(10), Duration.ofSeconds(10)));
        Bytes few = Bytes.of("few");
        Bytes many = Bytes.of("many");
        for (int i = 0; i < 110; i++) {
            List<Bytes> pair = List.of(Bytes.of("k" + i), Bytes.of("v".repeat(1_000)));
            join(storage, new Command.SetAll(few, pair, false));
            for (int n = 0; n < 10; n++) {
                Bytes key = Bytes.of("k" + i + "-" + n);
                join(storage, new Command.SetAll(many, List.of(key, pair.getLast()), false));
            }
        }

        assertThat(((Reply.Failed) join(storage, new Command.Content(few, Part.PAIRS))).message())
                .contains("kv.storage.large.waiting-max");
        assertThat(((Reply.Failed) join(storage, new Command.Content(many, Part.PAIRS))).reason())
                .isEqualTo(Reply.Reason.CONTENT_TOO_LARGE);
        // What keys alone take is not known before they are read.
        assertThat(((Reply.Failed) join(storage, new Command.Content(many, Part.KEYS))).message())
                .contains("kv.storage.large.waiting-max");
    }

    @Test
    void commandsBeyondTheBoundsOfWaitingAreRefused() throws Exception {
        OpenStorage storage =
                open(new Execution.Limits(SHORT, 1, 1, 2, 1L << 20, Duration.ofSeconds(10), Duration.ofSeconds(10)));
        Bytes busy = Bytes.of("busy");
        Bytes free = Bytes.of("free");
        join(storage, new Command.SetAll(free, List.of(Bytes.of("k"), Bytes.of("v")), false));
        LargeChange change = storage.buckets().beginLarge(busy);

        // The bucket is another's, and nobody runs what waits for it.
        List<CompletableFuture<Reply>> waiting = List.of(
                storage.run(new Command.Size(busy)).toCompletableFuture(),
                storage.run(new Command.Rename(busy, free)).toCompletableFuture());
        assertThat(waiting).noneMatch(CompletableFuture::isDone);
        Reply refused = join(storage, new Command.Size(busy));
        assertThat(((Reply.Failed) refused).message()).contains("kv.storage.large.parked-max");
        // What waits for both waits for the one that is free, too, and is in front of what comes for it.
        assertThat(((Reply.Failed) join(storage, new Command.Size(free))).message())
                .contains("kv.storage.large.parked-max");
        // All others go on.
        assertThat(join(storage, new Command.Size(Bytes.of("other")))).isEqualTo(new Reply.Amount(0));
        assertThat(join(storage, new Command.Count(NameSpace.ALL))).isEqualTo(new Reply.Amount(1));
        change.close();
    }
}
