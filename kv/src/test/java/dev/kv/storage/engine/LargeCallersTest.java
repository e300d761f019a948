package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Part;
import dev.kv.router.LongReply;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who runs a large command and who gets its reply: threads that wait for slow callers, callers that are gone, and faults. */
@Timeout(60)
class LargeCallersTest extends WithShortTurns {
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

    @Test
    void aFaultOfAWriteThatWaitedForTheDiskEndsNotTheThread() throws Exception {
        OpenStorage storage = open(SHORT);
        LargeThreads threads = new LargeThreads(1);
        Set<Thread> ranOn = ConcurrentHashMap.newKeySet();
        AfterDisk afterDisk = new AfterDisk(
                storage.log().tail(),
                threads,
                new LongAdder(),
                new Handover(Duration.ofSeconds(10)),
                (command, takenMillis) -> {
                    ranOn.add(Thread.currentThread());
                    if (takenMillis == 0) {
                        throw new StackOverflowError("deep");
                    }
                    return storage.run(command, takenMillis);
                });
        Command create = new Command.Create(Bytes.of("b"));

        CompletableFuture<Reply> first = afterDisk.run(create, 0).toCompletableFuture();
        CompletableFuture<Reply> behind = afterDisk.run(create, 1).toCompletableFuture();

        assertThatThrownBy(() -> first.get(10, TimeUnit.SECONDS)).hasCauseInstanceOf(StackOverflowError.class);
        assertThat(behind.get(10, TimeUnit.SECONDS)).isEqualTo(Reply.OK);
        assertThat(ranOn).singleElement().extracting(Thread::getName).isEqualTo("kv-disk-0");
        threads.close(Duration.ofSeconds(10));
    }

    @Test
    void aLargeReadEndsSoonAfterItsReplyIsCancelled() throws Exception {
        OpenStorage storage = open(SHORT);
        Commands commands = new Commands(storage.buckets(), SHORT, DataFolder.limits(REPLY_MAX_BYTES));
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
            try (Large large = Lanes.patiently(() -> commands.large(command, 0))) {
                assertThatThrownBy(() -> large.run().apply(() -> asked.incrementAndGet() == 3))
                        .as(command.getClass().getSimpleName())
                        .isInstanceOf(Turn.Cancelled.class);
            }
            assertThat(asked).hasValue(3);
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
        // It ran at once if the change was in force by then; else it waited behind it.
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

    /** Else a change of one bucket would let as many replies be built at once as wait behind it. */
    @Test
    void aReadBehindALargeChangeBeginsWhenItsCallerHasMemory() throws Exception {
        Turn.Limits turn = new Turn.Limits(20, 200_000);
        Execution.Limits limits =
                new Execution.Limits(turn, 1, 1, 10, 1L << 20, Duration.ofSeconds(10), Duration.ofSeconds(10));
        OpenStorage storage = open(limits);
        CountDownLatch isBusy = new CountDownLatch(1);
        CountDownLatch mayGoOn = new CountDownLatch(1);
        Bytes bucket = Bytes.of("b");
        Bytes large = Bytes.of("x".repeat(60_000));
        Execution execution = new Execution(
                new Commands(storage.buckets(), turn, DataFolder.limits(REPLY_MAX_BYTES)),
                storage.buckets(),
                (command, reply) -> {
                    if (!command.isRead()) {
                        isBusy.countDown();
                        await(mayGoOn);
                    }
                    return CompletableFuture.completedFuture(reply);
                },
                limits);
        List<Bytes> names = List.of(Bytes.of("v1"), Bytes.of("v2"));
        names.forEach(name -> join(storage, new Command.SetValue(name, large, Command.Condition.ALWAYS, false)));
        Command together = new Command.Together(
                List.of(),
                List.of(
                        new Command.GetValue(names.getFirst()),
                        new Command.GetValue(names.getLast()),
                        new Command.Size(bucket)));
        List<Bytes> pairs = new ArrayList<>(List.of(Bytes.of("l1"), large, Bytes.of("l2"), large));
        pairs.addAll(pairs(new Random(1), 80));
        execution.run(new Command.SetAll(bucket, pairs, false));
        isBusy.await();
        // One takes more than a turn, one takes less and more than is not counted, and one takes little.
        List<Command> reads = List.of(
                new Command.Content(bucket, Part.PAIRS),
                new Command.GetAll(bucket, List.of(Bytes.of("l1"), Bytes.of("l2"))),
                new Command.GetAll(bucket, List.of(Bytes.of("l1"))));
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        BlockingQueue<Runnable> beginnings = new LinkedBlockingQueue<>();
        for (Command read : reads) {
            replies.add(execution.run(read).toCompletableFuture());
            assertThat(((LongReply.UnderWay) replies.getLast()).admitBy(beginnings::add))
                    .isTrue();
        }
        CompletableFuture<Reply> onSeveral = execution.run(together).toCompletableFuture();
        assertThat(onSeveral).isNotDone();
        mayGoOn.countDown();

        assertThat(onSeveral.get(20, TimeUnit.SECONDS)).isEqualTo(join(storage, together));
        assertThat(replies.getLast().get(20, TimeUnit.SECONDS)).isEqualTo(join(storage, reads.getLast()));
        for (int i = 0; i < 2; i++) {
            Runnable begin = beginnings.poll(20, TimeUnit.SECONDS);
            assertThat(replies.get(i)).isNotDone();
            begin.run();
            assertThat(replies.get(i).get(20, TimeUnit.SECONDS)).isEqualTo(join(storage, reads.get(i)));
        }
        execution.close(Duration.ofSeconds(20));
    }

    /** As with kv.storage.sync = always. */
    @Test
    void aReplyThatIsThereAndWaitsForTheDiskCountsAtItsSize() throws Exception {
        Turn.Limits turn = new Turn.Limits(100, 100_000);
        OpenStorage storage = open(turn);
        CompletableFuture<Void> onDisk = new CompletableFuture<>();
        Execution execution = new Execution(
                new Commands(storage.buckets(), turn, DataFolder.limits(REPLY_MAX_BYTES)),
                storage.buckets(),
                (_, reply) -> onDisk.thenApply(_ -> reply),
                new Execution.Limits(turn, 1, 10, 100, 1L << 20, Duration.ofSeconds(10), Duration.ofSeconds(10)));
        Bytes bucket = Bytes.of("b");
        Bytes key = Bytes.of("k");
        Bytes value = Bytes.owning(new byte[5000]);
        Command write = new Command.Batch(
                bucket, List.of(new Command.SetAll(bucket, List.of(key, value), false), new Command.Get(bucket, key)));

        CompletableFuture<Reply> reply = execution.run(write).toCompletableFuture();
        CompletableFuture<Reply> cancelled = execution.run(write).toCompletableFuture();
        cancelled.cancel(false);

        assertThat(reply).isInstanceOfSatisfying(LongReply.UnderWay.class, waiting -> {
            assertThat(waiting.replyBytes()).isBetween(5000L, 6000L);
            assertThat(waiting.holdsBack()).isFalse();
            assertThat(waiting).isNotDone();
        });
        onDisk.complete(null);
        assertThat(reply.get(10, TimeUnit.SECONDS)).isInstanceOf(Reply.Many.class);
        execution.close(Duration.ofSeconds(10));
    }

    /** Clients that keep changing one large value keep nobody else from the threads for large commands. */
    @Test
    void largeCommandsOnOneBucketTakeTurnsWithThoseOnOthers() throws Exception {
        Execution.Limits limits =
                new Execution.Limits(SHORT, 1, 10, 100, 1L << 20, Duration.ofSeconds(10), Duration.ofSeconds(10));
        OpenStorage storage = open(limits);
        Bytes other = Bytes.of("other");
        join(storage, new Command.SetAll(other, pairs(new Random(1), 80), false));
        CountDownLatch isBusy = new CountDownLatch(1);
        CountDownLatch mayGoOn = new CountDownLatch(1);
        List<Command> ran = new CopyOnWriteArrayList<>();
        Execution execution = execution(
                storage,
                (command, reply) -> {
                    ran.add(command);
                    isBusy.countDown();
                    await(mayGoOn);
                    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(12);
                    while (System.nanoTime() - end < 0) {
                        LockSupport.parkNanos(end - System.nanoTime());
                    }
                    return CompletableFuture.completedFuture(reply);
                },
                limits);
        Command write = new Command.SetAll(Bytes.of("b"), pairs(new Random(1), 80), false);
        List<CompletableFuture<Reply>> writes = new ArrayList<>();
        writes.add(execution.run(write).toCompletableFuture());
        isBusy.await();
        for (int i = 0; i < 20; i++) {
            writes.add(execution.run(write).toCompletableFuture());
        }
        Command read = new Command.Content(other, Part.PAIRS);
        CompletableFuture<Reply> reply = execution.run(read).toCompletableFuture();
        mayGoOn.countDown();

        assertThat(reply.get(20, TimeUnit.SECONDS)).isNotInstanceOf(Reply.Failed.class);
        for (CompletableFuture<Reply> one : writes) {
            assertThat(one.get(20, TimeUnit.SECONDS)).isInstanceOf(Reply.Amount.class);
        }
        assertThat(ran.indexOf(read)).isLessThanOrEqualTo(2);
        execution.close(Duration.ofSeconds(20));
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
