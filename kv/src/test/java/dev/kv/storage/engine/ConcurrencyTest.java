package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.log.Sync;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.Supplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Keys as registers that many threads write and read while the log is compacted: a read sees the last write that was acknowledged
 * before it began, or a later one.
 */
@Timeout(600)
class ConcurrencyTest {
    private static final int KEYS = 32;

    /** A size for some values whose checksum takes a while, in bytes. */
    private static final int LARGE = 300_000;

    /** As {@code kv.router.reply-max} has it. */
    private static final long REPLY_MAX_BYTES = 256L << 20;

    private static final Duration SHORT = Duration.ofSeconds(1);

    @TempDir
    private Path folder;

    /** The last acknowledged version of each key. Versions grow by 1: an odd one is a value, an even one a delete. */
    private final AtomicLongArray acknowledged = new AtomicLongArray(KEYS);

    /** The last version of each key whose write has begun. */
    private final AtomicLongArray begun = new AtomicLongArray(KEYS);

    private final AtomicBoolean failed = new AtomicBoolean();
    private long deadline;

    private boolean areKept;

    /** Whether each key is a name that has a value. */
    private boolean areValues;

    private boolean hasEnded() {
        return failed.get() || System.nanoTime() - deadline > 0;
    }

    @Test
    void readsOfOneBucketSeeTheLastAcknowledgedWrite() throws Exception {
        run(1, true, SHORT);
    }

    @Test
    void readsOfManyBucketsSeeTheLastAcknowledgedWrite() throws Exception {
        run(KEYS, true, SHORT);
    }

    @Test
    void readsOfBucketsOfNoKeyOneAndTwoSeeTheLastAcknowledgedWrite() throws Exception {
        run(KEYS / 2, true, SHORT);
    }

    @Test
    void readsOfBucketsThatGoWithTheirLastKeySeeTheLastAcknowledgedWrite() throws Exception {
        run(KEYS / 2, false, SHORT);
    }

    @Test
    void readsOfValuesSeeTheLastAcknowledgedWrite() throws Exception {
        areValues = true;
        run(KEYS, false, SHORT);
    }

    @Test
    @Tag("soak")
    void readsOfSmallBucketsSeeTheLastAcknowledgedWriteForMinutes() throws Exception {
        run(KEYS / 2, true, Duration.ofMinutes(1));
        for (int key = 0; key < KEYS; key++) {
            acknowledged.set(key, 0);
        }
        folder = Files.createDirectory(folder.resolve("other"));
        run(KEYS / 2, false, Duration.ofMinutes(1));
    }

    @Test
    @Tag("soak")
    void readsOfValuesSeeTheLastAcknowledgedWriteForAMinute() throws Exception {
        areValues = true;
        run(KEYS, false, Duration.ofMinutes(1));
    }

    @Test
    @Tag("soak")
    void readsSeeTheLastAcknowledgedWriteForMinutes() throws Exception {
        run(3, true, Duration.ofMinutes(2));
    }

    /**
     * @param areKept whether buckets stay without keys
     */
    private void run(int buckets, boolean areKept, Duration duration) throws Exception {
        this.areKept = areKept;
        deadline = System.nanoTime() + duration.toNanos();
        OpenStorage storage = open();
        for (int i = 0; areKept && i < buckets; i++) {
            storage.run(new Command.Create(bucket(i, buckets)));
        }
        List<Callable<Void>> work = new ArrayList<>();
        for (int writer = 0; writer < 2; writer++) {
            int parity = writer;
            work.add(() -> {
                Random random = new Random();
                while (!hasEnded()) {
                    int key = random.nextInt(KEYS / 2) * 2 + parity;
                    write(storage, buckets, key, random);
                }
                return null;
            });
        }
        for (int reader = 0; reader < 3; reader++) {
            work.add(() -> {
                Random random = new Random();
                while (!hasEnded()) {
                    int key = random.nextInt(KEYS);
                    long before = acknowledged.get(key);
                    long seen = read(storage, buckets, key);
                    assertThat(seen).isBetween(before, acknowledged.get(key) + 1);
                    long again = read(storage, buckets, key);
                    assertThat(again).isGreaterThanOrEqualTo(seen);
                    long frozen = readFrozen(storage, buckets, key);
                    assertThat(frozen).isGreaterThanOrEqualTo(again);
                }
                return null;
            });
        }
        work.add(() -> {
            while (!hasEnded()) {
                storage.compact();
                storage.giveBack();
            }
            return null;
        });
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            List<Future<Void>> ends = work.stream()
                    .map(task -> threads.submit(() -> {
                        try {
                            return task.call();
                        } catch (Throwable e) {
                            failed.set(true);
                            throw e;
                        }
                    }))
                    .toList();
            for (Future<Void> end : ends) {
                end.get();
            }
        }
        assertThat(Metrics.texts(storage.metrics()).get("compactions")).isNotEqualTo("0");
        assertThat(Metrics.texts(storage.metrics()).get("state")).isEqualTo("ok");
        storage.stop(Duration.ZERO);
        OpenStorage again = open();
        for (int key = 0; key < KEYS; key++) {
            assertThat(read(again, buckets, key)).isEqualTo(acknowledged.get(key));
        }
        again.stop(Duration.ZERO);
    }

    private OpenStorage open() throws IOException {
        return OpenStorage.open(
                DataFolder.settings(
                        folder.resolve("data"),
                        new Sync(false, Optional.of(Duration.ofMillis(10))),
                        0,
                        1L << 20,
                        DataFolder.PINS),
                DataFolder.limits(REPLY_MAX_BYTES),
                _ -> {});
    }

    private static Bytes bucket(int key, int buckets) {
        return Bytes.of("bucket-" + key % buckets);
    }

    private static Bytes key(int key) {
        return Bytes.of("key-" + key);
    }

    /** One thread for each key. */
    private void write(OpenStorage storage, int buckets, int key, Random random) {
        long version = acknowledged.get(key) + 1;
        begun.set(key, version);
        CompletionStage<Reply> reply;
        if (version % 2 == 1) {
            byte[] value = new byte[random.nextInt(50) == 0 ? LARGE : 8 + random.nextInt(2_000)];
            ByteBuffer.wrap(value).putLong(version);
            reply = storage.run(
                    areValues
                            ? new Command.SetValue(key(key), Bytes.owning(value), Command.Condition.ALWAYS, false)
                            : new Command.SetAll(bucket(key, buckets), List.of(key(key), Bytes.owning(value)), false));
        } else {
            reply = storage.run(
                    areValues
                            ? new Command.Drop(key(key))
                            : new Command.DeleteAll(bucket(key, buckets), List.of(key(key))));
        }
        assertThat(reply.toCompletableFuture().join()).isIn(new Reply.Amount(1), Reply.OK);
        acknowledged.set(key, version);
    }

    /** The version of a key; for an absent key the even version at or behind the last acknowledged one. */
    private long read(OpenStorage storage, int buckets, int key) {
        return read(
                key,
                () -> Held.flat(storage.run(
                                areValues
                                        ? new Command.GetValue(key(key))
                                        : new Command.Get(bucket(key, buckets), key(key)))
                        .toCompletableFuture()
                        .join()));
    }

    /** The same in the bucket as it was at one moment, while it may change. */
    private long readFrozen(OpenStorage storage, int buckets, int key) {
        return read(key, () -> {
            try (Frozen frozen = storage.buckets().frozen(0, areValues ? key(key) : bucket(key, buckets))) {
                return Held.flat(frozen.view().read(areValues ? View.VALUE : key(key)));
            }
        });
    }

    private long read(int key, Supplier<Reply> attempt) {
        while (true) {
            long before = acknowledged.get(key);
            Reply reply = attempt.get();
            if (reply instanceof Reply.Value value) {
                return ByteBuffer.wrap(value.value().array()).getLong();
            }
            assertThat(reply).isIn(areKept ? List.of(Reply.ABSENT) : List.of(Reply.ABSENT, Reply.NOT_FOUND));
            long after = acknowledged.get(key);
            if (before == after) {
                assertThat(before % 2 == 0 || begun.get(key) > before).isTrue();
                return before % 2 == 0 ? before : before + 1;
            }
        }
    }
}
