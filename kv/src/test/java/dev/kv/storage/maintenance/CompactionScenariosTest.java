package dev.kv.storage.maintenance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Segment;
import dev.kv.storage.log.Sync;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What compaction keeps, removes and waits for, case by case. */
@Timeout(600)
class CompactionScenariosTest extends WithModel {
    /** The record that made the bucket anew, and so dropped the earlier one, becomes dead with its last key. */
    @Test
    void aBucketThatWasMadeAnewAndRenamedLeavesNothingUnderItsName() throws Exception {
        put("bucket-0", "key-0", "1");
        put("bucket-0", "key-1", "2");
        for (int i = 0; i < 200; i++) {
            put("bucket-2", "key-" + i, "x".repeat(4_000));
        }
        Segment first = seal();
        renew("bucket-0", "key-0", "9");
        rename("bucket-0", "bucket-1");
        storage.buckets().edit(0, Bytes.of("bucket-1"), edit -> {
            edit.set(Bytes.of("key-0"), Bytes.of("10"));
            return Reply.OK;
        });
        model.get("bucket-1").put("key-0", "10");
        seal();

        storage.compact(false);

        assertThat(storage.log().segments().live()).startsWith(first);
        reopen(data);
        check();
    }

    /** Ends the active segment; returns it. */
    private Segment seal() {
        Segment last = storage.log().segments().live().getLast();
        storage.log().tail().rollOver();
        run(new Command.Create(Bytes.of("after " + last)));
        DataFolder.await(() -> storage.log().tail().sealed().contains(last));
        return last;
    }

    /** Otherwise a power cut could lose both: the new value is not on the disk, and the old one's segment is removed. */
    @Test
    void compactionRemovesAValueAfterItsReplacementIsOnTheDisk() throws Exception {
        storage.stop(Duration.ZERO);
        // Without an interval, only full segments are forced onto the disk.
        storage = OpenStorage.open(
                DataFolder.settings(data, new Sync(false, Optional.empty()), 0, MIB, DataFolder.PINS),
                DataFolder.limits(REPLY_MAX_BYTES),
                _ -> {});
        put("bucket-0", "key-0", "old");
        put("bucket-0", "key-1", "x".repeat(1_000));
        Segment first = storage.log().segments().live().getLast();
        storage.log().tail().rollOver();
        put("bucket-0", "key-1", "y");
        DataFolder.await(() -> storage.log().tail().sealed().contains(first));
        long synced = storage.log().tail().synced();
        put("bucket-0", "key-0", "new");
        assertThat(storage.log().tail().appended()).isGreaterThan(synced);

        storage.compact();

        assertThat(first.path()).doesNotExist();
        Path lostPower = image();
        Segment last = storage.log().segments().live().getLast();
        Mark.Position marked = Mark.read(lostPower, Format.read(lostPower)).orElseThrow();
        assertThat(marked.number()).isEqualTo(last.name().number());
        try (FileChannel file = FileChannel.open(lostPower.resolve(last.name().log()), StandardOpenOption.WRITE)) {
            file.truncate(marked.offset());
        }
        reopen(lostPower);
        check();
    }

    @Test
    void aFileThatCannotBeRemovedBlocksNothingAndIsIgnored() throws Exception {
        put("bucket-0", "key-1", "1");
        put("bucket-0", "key-2", "1");
        reopen(data);
        put("bucket-0", "key-1", "2");
        put("bucket-0", "key-3", "2");
        reopen(data);
        put("bucket-0", "key-1", "3");
        reopen(data);
        SegmentName second = segments(data).get(1);
        Path obstacle = Files.createDirectories(data.resolve(second.hint()).resolveSibling(second.hint() + ".old"));
        Files.move(data.resolve(second.hint()), obstacle.resolve("hint"));
        Files.move(obstacle, data.resolve(second.hint()));

        storage.compact();
        assertThat(data.resolve(second.log())).exists();
        delete("bucket-0", "key-3");
        storage.log().tail().rollOver();
        long syncedFrom = System.nanoTime();
        while (storage.log().tail().sealed().size()
                < storage.log().segments().live().size()) {
            assertThat(System.nanoTime() - syncedFrom)
                    .isLessThan(Duration.ofSeconds(20).toNanos());
            LockSupport.parkNanos(1_000_000);
        }
        storage.compact();
        check();
        Files.delete(data.resolve(second.hint()).resolve("hint"));
        Files.delete(data.resolve(second.hint()));
        check();

        reopen(data);
        check();
        storage.compact();
        reopen(data);
        check();
    }

    @Test
    void liveEntriesBehindADamagedDeadOneAreKept() throws Exception {
        put("bucket-0", "key-0", "\0".repeat(1000));
        for (int k = 1; k < KEYS; k++) {
            put("bucket-0", "key-" + k, "x".repeat(100_000));
        }
        put("bucket-0", "key-0", "needed");
        Path first;
        try (Stream<Path> files = Files.list(data)) {
            first = files.filter(file -> file.toString().endsWith(".log"))
                    .sorted()
                    .findFirst()
                    .orElseThrow();
        }
        long dead = SegmentHeader.BYTES + Layout.recordCost("bucket-0".length());
        try (FileChannel file = FileChannel.open(first, StandardOpenOption.WRITE)) {
            // This length leads into the zeros of the value, where the log seems to end.
            int length = 512;
            file.write(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(0, length), dead + 4);
        }

        storage.compact();

        assertThat(first).exists();
        check();
    }

    @Test
    void aLogAtRestTakesAtMostTwiceItsLiveBytes() throws Exception {
        Random random = new Random(3);
        for (int i = 0; i < 60_000; i++) {
            put("bucket-0", "key-" + random.nextInt(8_000), i + "x".repeat(random.nextInt(2_000)));
        }
        long live = Long.parseLong(Metrics.texts(storage.metrics()).get("bytes"));
        assertThat(live).isGreaterThan(6 * MIB);
        long start = System.nanoTime();
        // Four preallocated files, and the dead bytes that a small log may have.
        while (bytes() > 2 * live + 8 * MIB) {
            assertThat(System.nanoTime() - start)
                    .as("%d bytes for %d", bytes(), live)
                    .isLessThan(Duration.ofSeconds(20).toNanos());
            LockSupport.parkNanos(1_000_000);
        }
    }

    private long bytes() throws IOException {
        long bytes = 0;
        try (Stream<Path> files = Files.list(data)) {
            for (Path file : new ArrayList<>(files.toList())) {
                bytes += file.toFile().length();
            }
        }
        return bytes;
    }
}
