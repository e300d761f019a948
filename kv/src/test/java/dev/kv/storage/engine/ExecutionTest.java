package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Condition;
import dev.kv.router.Command.Part;
import dev.kv.router.LongReply;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Large commands and those behind them: their order, what they see of each other, and how many may wait. */
@Timeout(60)
class ExecutionTest extends WithShortTurns {
    private static final List<Part> PARTS = List.of(Part.KEYS, Part.VALUES, Part.PAIRS);
    private static final int BUCKETS = 5;

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
        Commands commands = new Commands(storage.buckets(), turn, DataFolder.limits(REPLY_MAX_BYTES));
        Bytes bucket = Bytes.of("a".repeat(1_000));
        join(storage, new Command.SetAll(bucket, List.of(bucket, bucket), false));
        for (Command cheap : scans(bucket, Bytes.of("*b"))) {
            assertThat(commands.run(cheap, 0)).isNotInstanceOf(Reply.Failed.class);
        }
        for (Command costly : scans(bucket, Bytes.of("*" + "b".repeat(1_000)))) {
            assertThatThrownBy(() -> commands.run(costly, 0)).isInstanceOf(Turn.TooMuch.class);
        }
    }

    @Test
    void aCopyIsMadeWhetherItsClientIsThereOrNot() throws Exception {
        OpenStorage storage = open(SHORT);
        Bytes from = Bytes.of("from");
        Bytes to = Bytes.of("to");
        List<Bytes> pairs = new ArrayList<>();
        for (int i = 0; i < 100_000; i++) {
            pairs.add(Bytes.of("k" + i));
            pairs.add(Bytes.of("v"));
        }
        Reply count = join(storage, new Command.SetAll(from, pairs, false));
        assertThat(storage.run(new Command.Copy(from, to, false))
                        .toCompletableFuture()
                        .cancel(false))
                .isTrue();
        assertThat(join(storage, new Command.Size(to))).isEqualTo(count);
    }

    private static Bytes name(Random random) {
        return Bytes.of("b" + random.nextInt(BUCKETS));
    }

    private static Command command(Random random, Bytes bucket) {
        int size = random.nextInt(4) == 0 ? 1 + random.nextInt(80) : 1;
        return switch (random.nextInt(22)) {
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
            case 14 ->
                new Command.SetValue(
                        bucket, Bytes.of("x".repeat(random.nextInt(4_000))), Condition.ALWAYS, random.nextBoolean());
            case 15 -> new Command.GetValue(bucket);
            case 16, 17 -> new Command.TakeValue(bucket);
            case 18 -> new Command.WriteRange(bucket, Command.WriteRange.END, Bytes.of("x".repeat(size)));
            case 19 ->
                new Command.SetAbsentValues(List.of(bucket, Bytes.of("1"), name(random), bucket, name(random), bucket));
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

    /** One storage runs all commands at once, another one as large commands on several threads: the replies are the same. */
    private void inOrder(long seed, int steps) throws IOException {
        Random random = new Random(seed);
        OpenStorage atOnce = open(Turn.Limits.NONE);
        // With the same key of the hash, both have the same order of keys.
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
            CompletableFuture<Reply> reply = large.run(command).toCompletableFuture();
            replies.add(reply);
            awaitPlaced(reply);
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

    /** As each caller does: a write that waits for the disk holds it back. */
    private static void awaitPlaced(CompletableFuture<Reply> reply) {
        if (reply instanceof LongReply.UnderWay command && command.holdsBack()) {
            CompletableFuture<Void> placed = new CompletableFuture<>();
            command.whenPlaced(() -> placed.complete(null));
            placed.join();
        }
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
                // Moves an amount from one key to another; the two writers use different keys.
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
        // As a process leaves it that is killed now, and one that stops in order.
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
        // The bytes of keys alone are not known before they are read.
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
        LargeChange change = storage.buckets().beginLarge(0, busy);

        // Another owns the lane of the bucket, and runs no command of it.
        List<CompletableFuture<Reply>> waiting = List.of(
                storage.run(new Command.Size(busy)).toCompletableFuture(),
                storage.run(new Command.Rename(busy, free)).toCompletableFuture());
        assertThat(waiting).noneMatch(CompletableFuture::isDone);
        Reply refused = join(storage, new Command.Size(busy));
        assertThat(((Reply.Failed) refused).message()).contains("kv.storage.large.parked-max");
        // A RENAME waits in the lane of the free bucket, too, before later commands on it.
        assertThat(((Reply.Failed) join(storage, new Command.Size(free))).message())
                .contains("kv.storage.large.parked-max");
        // Other buckets are not affected.
        assertThat(join(storage, new Command.Size(Bytes.of("other")))).isEqualTo(new Reply.Amount(0));
        assertThat(join(storage, new Command.Count(NameSpace.ALL))).isEqualTo(new Reply.Amount(1));
        change.close();
    }
}
