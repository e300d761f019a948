package dev.kv.storage.log;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.Reply;
import dev.kv.router.spi.EngineFailed;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.engine.SlowCaller;
import dev.kv.storage.format.Mark;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A disk that does not take a page of a mapped file: the file is truncated behind the last record, so that the next page has no block.
 * The rescue copies all acknowledged records, and writes are taken again.
 */
@Timeout(300)
class RescueTest {
    private static final long MIB = 1L << 20;
    private static final int PAGE_BYTES = 4096;
    private static final String STEADY = "steady";
    private static final int BUCKETS = 3;
    private static final int KEYS = 40;

    @TempDir
    private Path folder;

    private Path data;
    private OpenStorage storage;
    private final long seed = new Random().nextLong();
    private final Random random = new Random(seed);
    private final Map<String, Map<String, String>> model = new TreeMap<>();
    private int number;

    @BeforeEach
    void open() throws IOException {
        System.out.println("RescueTest: seed " + seed);
        data = folder.resolve("data");
        storage = open(data);
        change(new Command.Create(Bytes.of(STEADY)), () -> model.put(STEADY, new TreeMap<>()));
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

    /** Without an interval: only full segments, and those that a rescue writes, are forced onto the disk. */
    private static OpenStorage open(Path data) throws IOException {
        return OpenStorage.open(
                DataFolder.settings(data, new Sync(false, Optional.empty()), 0, MIB, DataFolder.PINS),
                DataFolder.limits(MIB),
                _ -> {});
    }

    /** Makes a random change; returns whether it was acknowledged. */
    private boolean change() {
        String bucket = "bucket-" + random.nextInt(BUCKETS);
        String key = "key-" + random.nextInt(KEYS);
        int what = random.nextInt(100);
        if (what >= 90) {
            String name = "value-" + random.nextInt(BUCKETS);
            String value = ++number + "x".repeat(random.nextInt(200));
            return change(
                    new Command.SetValue(Bytes.of(name), Bytes.of(value), Command.Condition.ALWAYS, false),
                    () -> model.put(name, new TreeMap<>(Map.of("", value))));
        }
        if (what < 3) {
            return change(new Command.Drop(Bytes.of(bucket)), () -> model.remove(bucket));
        }
        if (what < 10 || !model.containsKey(bucket)) {
            return change(
                    new Command.Create(Bytes.of(bucket)), () -> model.computeIfAbsent(bucket, _ -> new TreeMap<>()));
        }
        if (what < 40) {
            return change(
                    new Command.Delete(Bytes.of(bucket), Bytes.of(key)),
                    () -> model.get(bucket).remove(key));
        }
        return put(bucket, key);
    }

    /** Makes a change that cannot be an empty one. */
    private boolean put() {
        return put(STEADY, "key-" + random.nextInt(KEYS));
    }

    private boolean put(String bucket, String key) {
        String value = ++number + "x".repeat(random.nextInt(20) == 0 ? random.nextInt(20_000) : random.nextInt(200));
        return change(
                new Command.Put(Bytes.of(bucket), Bytes.of(key), Bytes.of(value)),
                () -> model.get(bucket).put(key, value));
    }

    private boolean change(Command command, Runnable expected) {
        Reply reply = DataFolder.run(storage, command);
        if (reply instanceof Reply.Failed failed) {
            assertThat(failed.message()).startsWith("the disk failed (").contains("writes are refused until");
            return false;
        }
        expected.run();
        return true;
    }

    private void changeOften(int times) throws IOException {
        for (int i = 0; i < times; i++) {
            assertThat(change()).isTrue();
        }
    }

    /** Truncates the active segment behind the page in which it ends. */
    private void cutOff() throws IOException {
        Segment active = storage.log().segments().live().getLast();
        try (FileChannel file = FileChannel.open(active.path(), WRITE)) {
            file.truncate((active.end() / PAGE_BYTES + 1) * PAGE_BYTES);
        }
    }

    private void changeUntilRefused() throws IOException {
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (change()) {
            // Again: a new segment may have been begun.
            cutOff();
            assertThat(System.nanoTime() - end).isNegative();
        }
    }

    /** Does something when the storage first asks which thread calls it: a backup does so between its pin and its wait. */
    private static final class BackupThread extends Thread implements CommandThread.Carrier {
        private final SlowCaller replies = new SlowCaller(() -> {});
        private Runnable once;

        BackupThread(Runnable backup, Runnable once) {
            super(backup);
            this.once = once;
        }

        @Override
        public CommandThread commandThread() {
            Runnable now = once;
            once = () -> {};
            now.run();
            return replies;
        }
    }

    @Test
    void aBackupWhoseSegmentsARescueShortensFails() throws Exception {
        storage.log().awaitSynced(storage.log().tail().appended());
        changeOften(50);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        CountDownLatch isPinned = new CountDownLatch(1);
        CountDownLatch isRescued = new CountDownLatch(1);
        BackupThread backup = new BackupThread(() -> storage.backup(folder.resolve("backup")), () -> {
            isPinned.countDown();
            try {
                isRescued.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        backup.setUncaughtExceptionHandler((_, thrown) -> failure.set(thrown));
        backup.start();
        isPinned.await();
        storage.log().tail().fail(new IOException("Input/output error"));
        await(() -> storage.log().tail().failure().isEmpty());
        isRescued.countDown();
        while (backup.isAlive()) {
            Runnable reply = backup.replies.given().poll(10, TimeUnit.MILLISECONDS);
            if (reply != null) {
                reply.run();
            }
        }
        assertThat(failure.get()).isInstanceOf(EngineFailed.class).hasMessageContaining("begin the backup again");
        assertThat(folder.resolve("backup").resolve("manifest")).doesNotExist();
    }

    private void check(OpenStorage of) {
        assertThat(DataFolder.content(of)).isEqualTo(model);
    }

    @ParameterizedTest(name = "after {0} changes")
    @ValueSource(ints = {20, 100_000})
    void aWriteToABadPageIsRefusedAndAllElseIsKept(int before) throws Exception {
        changeOften(before);
        for (int round = 0; round < 30; round++) {
            // Few: the disk may fail again before the sync that follows the last rescue.
            changeOften(random.nextInt(20));
            cutOff();
            changeUntilRefused();
            check(storage);
            await(this::put);
            check(storage);
        }
        storage.stop(Duration.ZERO);
        storage = open(data);
        check(storage);
    }

    @FunctionalInterface
    private interface Condition {
        boolean holds() throws IOException;
    }

    private static void await(Condition condition) throws IOException {
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!condition.holds()) {
            assertThat(System.nanoTime() - end).isNegative();
            LockSupport.parkNanos(1_000_000);
        }
    }

    @Test
    void anUnreadableSegmentIsLeftUnchanged() throws Exception {
        DataFolder.create(storage, "b");
        for (int i = 0; i < 100; i++) {
            DataFolder.put(storage, "b", "key-" + i % 50, "x".repeat(5_000));
        }
        Segment first = storage.log().segments().live().getFirst();
        storage.log().tail().rollOver();
        DataFolder.put(storage, "b", "other", "1");
        await(() -> storage.log().tail().sealed().contains(first));
        try (FileChannel file = FileChannel.open(first.path(), WRITE)) {
            file.truncate(PAGE_BYTES);
        }

        storage.compact();

        assertThat(first.isDamaged()).isTrue();
        assertThat(DataFolder.get(storage, "b", "other")).isEqualTo(new Reply.Value(Bytes.of("1")));
        assertThat(DataFolder.get(storage, "b", "key-49")).isInstanceOf(Reply.Failed.class);
        DataFolder.put(storage, "b", "another", "2");
    }

    @Test
    void aSegmentThatARescueHasShortenedAndCompactionReplacedIsNotCut() throws Exception {
        put(STEADY, "replaced");
        put(STEADY, "stays");
        storage.log().awaitSynced(storage.log().tail().appended());
        Segment shortened = storage.log().segments().live().getLast();
        put(STEADY, "rescued");
        try (Pin reader = new Pin(List.of(shortened))) {
            assertThat(reader.segments()).containsExactly(shortened);
            cutOff();
            changeUntilRefused();
            await(() -> put(STEADY, "replaced"));
            storage.compact();
            assertThat(shortened.path()).doesNotExist();
        }
        storage.log().segments().closeRetired(Duration.ZERO);

        storage.log().segments().cut(Duration.ZERO);

        check(storage);
    }

    @Test
    void compactionDuringARescueAndRightAfterItLosesNothing() throws Exception {
        for (int round = 0; round < 60; round++) {
            changeOften(random.nextInt(1, 150));
            byte[] mark = Files.readAllBytes(data.resolve(Mark.FILE));
            cutOff();
            changeUntilRefused();
            await(() -> {
                storage.compact(random.nextBoolean());
                return put();
            });
            if (random.nextBoolean()) {
                storage.compact(random.nextBoolean());
            }
            check(storage);
            opensAsItIs(mark, round);
        }
    }

    /**
     * Opens the files as a process leaves them that is killed now, or a host that loses power now: with an older mark, and with other
     * bytes where nothing was known to be on the disk.
     */
    private void opensAsItIs(byte[] olderMark, int round) throws IOException {
        Path image = folder.resolve("image-" + round);
        List<Segment> segments;
        do {
            segments = storage.log().segments().live();
            DataFolder.image(data, image);
        } while (!segments.equals(storage.log().segments().live()));
        for (Path hint : DataFolder.files(image, ".hint")) {
            Files.delete(hint);
        }
        boolean hasLostPower = random.nextBoolean();
        Files.write(image.resolve(Mark.FILE), hasLostPower ? olderMark : Files.readAllBytes(data.resolve(Mark.FILE)));
        if (hasLostPower) {
            for (Segment segment : segments) {
                Path file = image.resolve(segment.name().log());
                if (Files.size(file) > segment.end()) {
                    tear(file, segment.end());
                }
            }
        }
        OpenStorage opened = open(image);
        try {
            check(opened);
        } finally {
            opened.stop(Duration.ZERO);
        }
    }

    private void tear(Path file, long end) throws IOException {
        byte[] torn = new byte[random.nextInt(1, 10_000)];
        random.nextBytes(torn);
        try (FileChannel channel = FileChannel.open(file, WRITE)) {
            channel.truncate(end);
        }
        Files.write(file, torn, APPEND);
    }
}
