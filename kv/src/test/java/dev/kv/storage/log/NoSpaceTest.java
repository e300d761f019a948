package dev.kv.storage.log;

import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.engine.Execution;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A disk that is full to the last byte, a small file system of its own: deletes work, and free space. */
@Timeout(120)
class NoSpaceTest {
    private static final long MIB = 1L << 20;
    private static final int PAGE_BYTES = 4096;

    /** Deletes that are in flight at once, as a few connections have them. */
    private static final int IN_FLIGHT = 4_000;

    @TempDir
    private Path folder;

    private Path disk;
    private OpenStorage storage;
    private final ArrayDeque<String> keys = new ArrayDeque<>();
    private int number;
    private int valueBytes = 1_000;
    private Duration deleteWait = Duration.ofSeconds(10);
    private Sync sync = new Sync(false, Optional.of(Duration.ofMillis(10)));

    @BeforeEach
    void mount() throws Exception {
        disk = Files.createDirectory(folder.resolve("disk"));
        assumeTrue(
                run("mount", "-t", "tmpfs", "-o", "size=24m", "kv-test", disk.toString()) == 0,
                "left out: no file system can be mounted");
        open();
        DataFolder.create(storage, "b");
    }

    @AfterEach
    void unmount() throws Exception {
        if (storage != null) {
            storage.stop(Duration.ZERO);
            run("umount", disk.toString());
        }
    }

    private static int run(String... command) throws IOException, InterruptedException {
        return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor();
    }

    private void open() throws IOException {
        Execution.Limits usual = DataFolder.LARGE;
        storage = OpenStorage.open(
                DataFolder.settings(
                        disk.resolve("data"),
                        sync,
                        0,
                        MIB,
                        DataFolder.PINS,
                        new Execution.Limits(
                                usual.turn(),
                                1,
                                usual.waitingMax(),
                                usual.parkedMax(),
                                usual.parkedMaxBytes(),
                                deleteWait,
                                usual.replyWait())),
                DataFolder.limits(MIB),
                _ -> {});
    }

    private Reply put() {
        String key = "key-" + ++number;
        Reply reply = storage.run(new Command.Put(Bytes.of("b"), Bytes.of(key), Bytes.of("x".repeat(valueBytes))))
                .toCompletableFuture()
                .join();
        if (reply.equals(Reply.OK)) {
            keys.add(key);
        }
        return reply;
    }

    private void fill() {
        Reply reply = put();
        while (reply.equals(Reply.OK)) {
            reply = put();
        }
        assertThat(reply)
                .isInstanceOfSatisfying(
                        Reply.Failed.class, failed -> assertThat(failed.word()).isEqualTo(Word.NOSPACE));
    }

    /** Takes all free space, as another process would. */
    private void fillToTheBrim() throws IOException {
        try (OutputStream other = Files.newOutputStream(disk.resolve("other-" + ++number))) {
            byte[] page = new byte[PAGE_BYTES];
            while (true) {
                other.write(page);
            }
        } catch (IOException full) {
            assertThat(full).hasMessageContaining("No space left");
        }
    }

    private boolean isDeleted(String key) {
        Command delete = new Command.Delete(Bytes.of("b"), Bytes.of(key));
        return storage.run(delete).toCompletableFuture().join().equals(Reply.OK);
    }

    private void delete(int count) {
        for (int i = 0; i < count; i++) {
            assertThat(isDeleted(keys.remove())).as("delete %d of %d", i, count).isTrue();
        }
    }

    private void await(BooleanSupplier condition) {
        long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime() - end)
                    .as(Metrics.texts(storage.metrics()).get("state"))
                    .isNegative();
            LockSupport.parkNanos(1_000_000);
        }
    }

    private String state() {
        return Metrics.texts(storage.metrics()).get("state");
    }

    private void awaitState(String expected) {
        await(() ->
                state().matches(expected.replace("DATA", disk.resolve("data").toString())));
    }

    @Test
    void theStateSaysThatWritesAreRefusedAsLongAsTheyAre() throws Exception {
        fillToTheBrim();
        await(() -> put().equals(Reply.OK) && !state().equals("ok"));
        awaitState(
                "no room: writes are refused soon, unless 1 MiB are free for DATA: delete keys or buckets, or make room");
        fill();
        String refused =
                "no room: writes are refused until 1 MiB are free for DATA: delete keys or buckets, or make room";
        awaitState(refused);
        storage.stop(Duration.ZERO);
        fillToTheBrim();
        open();
        awaitState(
                "no room: writes are refused until [12] MiB are free for DATA: delete keys or buckets, or make room");
        Files.delete(disk.resolve("data/reserve-compaction"));
        fillToTheBrim();
        awaitState(refused.replace("1 MiB", "[23] MiB"));

        try (Stream<Path> files = Files.list(disk)) {
            for (Path other : files.filter(Files::isRegularFile).toList()) {
                Files.delete(other);
            }
        }

        awaitState("ok");
        assertThat(put()).isEqualTo(Reply.OK);
    }

    @Test
    void deletesWorkAndFreeAfterEveryStartOnADiskThatIsFullToTheBrim() throws Exception {
        fill();
        fillToTheBrim();
        for (int round = 0; round < 4; round++) {
            delete(300);
            storage.stop(Duration.ZERO);
            fillToTheBrim();
            open();
        }
        deleteAll();
        await(() -> put().equals(Reply.OK));
    }

    /** All at once exceed the reserve for deletes, and wait for compaction. */
    private void deleteAll() {
        ArrayDeque<CompletableFuture<Reply>> inFlight = new ArrayDeque<>();
        while (!keys.isEmpty() || !inFlight.isEmpty()) {
            while (!keys.isEmpty() && inFlight.size() < IN_FLIGHT) {
                Command delete = new Command.Delete(Bytes.of("b"), Bytes.of(keys.remove()));
                inFlight.add(storage.run(delete).toCompletableFuture());
            }
            assertThat(inFlight.remove().join())
                    .as("%d to go", keys.size() + inFlight.size())
                    .isEqualTo(Reply.OK);
        }
    }

    @ParameterizedTest(name = "values of {0} bytes, in any order: {1}, after a start: {2}")
    @CsvSource({"10, false, false", "10, true, true", "1000, true, false", "1000, false, true", "100000, true, true"})
    void deletesWaitForTheRoomThatCompactionMakes(int bytes, boolean isInAnyOrder, boolean isAfterStart)
            throws Exception {
        valueBytes = bytes;
        fill();
        int all = keys.size();
        fillToTheBrim();
        if (isAfterStart) {
            storage.stop(Duration.ZERO);
            fillToTheBrim();
            open();
        }
        if (isInAnyOrder) {
            List<String> shuffled = new ArrayList<>(keys);
            Collections.shuffle(shuffled, new Random(1));
            keys.clear();
            keys.addAll(shuffled);
        }

        deleteAll();

        while (keys.size() <= all * 2 / 3) {
            await(() -> put().equals(Reply.OK));
        }
    }

    @Test
    void aDeleteForWhichNoRoomCanBeMadeIsRefusedWhenItHasWaited() throws Exception {
        fill();
        storage.stop(Duration.ZERO);
        for (String reserve : List.of("reserve", "reserve-compaction")) {
            Files.delete(disk.resolve("data").resolve(reserve));
        }
        fillToTheBrim();
        deleteWait = Duration.ofSeconds(1);
        open();
        long from = System.nanoTime();
        Command delete = new Command.Delete(Bytes.of("b"), Bytes.of(keys.element()));
        LongReply.UnderWay reply = (LongReply.UnderWay) storage.run(delete);
        Command read = new Command.Get(Bytes.of("b"), Bytes.of(keys.element()));
        LongReply.UnderWay behind = (LongReply.UnderWay) storage.run(read);
        // Another node that awaits them is told that they go on.
        for (int seen = 0; seen < 5; seen++) {
            await(reply::hasMoved);
            await(behind::hasMoved);
            assertThat(reply).isNotDone();
        }

        assertThat(reply.join())
                .isInstanceOfSatisfying(
                        Reply.Failed.class, failed -> assertThat(failed.word()).isEqualTo(Word.NOSPACE));
        assertThat(Duration.ofNanos(System.nanoTime() - from)).isBetween(deleteWait, deleteWait.multipliedBy(10));
        assertThat(behind.join()).isInstanceOf(Reply.Value.class);
        assertThat(isDeleted(keys.element())).isFalse();
    }

    /** As in {@link RescueTest}, the next page of the active segment has no block. */
    @Test
    void afterAFailedWriteDeletesWorkAndFreeAgain() throws Exception {
        storage.stop(Duration.ZERO);
        // The active segment is not forced onto the disk then, so the rescue has to write it.
        sync = new Sync(false, Optional.empty());
        open();
        fill();
        delete(100);
        Segment active = storage.log().segments().live().getLast();
        try (FileChannel file = FileChannel.open(active.path(), WRITE)) {
            file.truncate((active.end() / PAGE_BYTES + 1) * PAGE_BYTES);
        }
        fillToTheBrim();
        String key = keys.remove();
        while (isDeleted(key)) {
            key = keys.remove();
        }
        String refused = key;

        await(() -> isDeleted(refused));

        deleteAll();
        await(() -> put().equals(Reply.OK));
        storage.stop(Duration.ZERO);
        open();
        assertThat(DataFolder.content(storage).get("b").keySet()).containsExactlyInAnyOrderElementsOf(keys);
    }

    @Test
    void aRepairHasRoomOnADiskThatIsFullToTheBrim() throws Exception {
        fill();
        Segment damaged = storage.log().segments().live().getFirst();
        storage.stop(Duration.ZERO);
        DataFolder.flip(damaged.path(), damaged.end() / 2);
        DataFolder data = new DataFolder(disk.resolve("data"));
        Files.write(data.path().resolve("next.tmp"), new byte[PAGE_BYTES]);
        fillToTheBrim();

        assertThat(data.repair())
                .singleElement()
                .satisfies(damage -> assertThat(damage.file()).isEqualTo(damaged.path()));

        open();
        assertThat(keys).hasSizeGreaterThan(DataFolder.content(storage).get("b").size());
        keys.retainAll(DataFolder.content(storage).get("b").keySet());
        deleteAll();
        await(() -> put().equals(Reply.OK));
    }

    @Test
    void aStartWritesItsMarkOnADiskThatIsFullToTheBrim() throws Exception {
        fill();
        storage.stop(Duration.ZERO);
        Files.delete(disk.resolve("data/mark"));
        fillToTheBrim();

        open();

        delete(300);
    }

    @Test
    void compactionTakesTheSegmentsForWhichThereIsRoom() throws Exception {
        fill();
        storage.stop(Duration.ZERO);
        Files.delete(disk.resolve("data/reserve-compaction"));
        fillToTheBrim();
        open();
        int before = storage.log().segments().live().size();

        // Of the oldest segments all keys, of the others some.
        delete(4_000);

        await(() -> storage.log().segments().live().size() < before);
        await(() -> put().equals(Reply.OK));
    }
}
