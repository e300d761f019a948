package dev.kv.storage.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.engine.Execution;
import java.io.IOException;
import java.io.OutputStream;
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
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A disk that is full to the last byte, a small file system of its own: what is deleted is deleted, and makes room. */
@Timeout(120)
class NoSpaceTest {
    private static final long MIB = 1L << 20;

    /** So many commands of a few connections are in flight. */
    private static final int IN_FLIGHT = 4_000;

    @TempDir
    private Path folder;

    private Path disk;
    private OpenStorage storage;
    private final ArrayDeque<String> keys = new ArrayDeque<>();
    private int number;
    private int valueBytes = 1_000;
    private Duration deleteWait = Duration.ofSeconds(10);

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
                        new Sync(false, Optional.of(Duration.ofMillis(10))),
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
                MIB,
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

    /** Takes all room that is left, as somebody else would. */
    private void fillToTheBrim() throws IOException {
        try (OutputStream other = Files.newOutputStream(disk.resolve("other-" + ++number))) {
            byte[] page = new byte[4096];
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
            Thread.onSpinWait();
        }
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

    /** All at once are more than what is kept for them, until compaction has made room. */
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
        CompletableFuture<Reply> reply = storage.run(delete).toCompletableFuture();
        Command read = new Command.Get(Bytes.of("b"), Bytes.of(keys.element()));
        CompletableFuture<Reply> behind = storage.run(read).toCompletableFuture();

        assertThat(reply.join())
                .isInstanceOfSatisfying(
                        Reply.Failed.class, failed -> assertThat(failed.word()).isEqualTo(Word.NOSPACE));
        assertThat(Duration.ofNanos(System.nanoTime() - from)).isBetween(deleteWait, deleteWait.multipliedBy(10));
        assertThat(behind.join()).isInstanceOf(Reply.Value.class);
        assertThat(isDeleted(keys.element())).isFalse();
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

        // All of the oldest segments, and a part of the others.
        delete(4_000);

        await(() -> storage.log().segments().live().size() < before);
        await(() -> put().equals(Reply.OK));
    }
}
