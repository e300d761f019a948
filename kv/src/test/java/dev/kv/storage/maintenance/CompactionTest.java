package dev.kv.storage.maintenance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.metrics.Metrics;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.engine.Bucket;
import dev.kv.storage.engine.Edit;
import dev.kv.storage.format.Folder;
import dev.kv.storage.format.Format;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mark;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Refused;
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
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What was deleted stays so, however often the log is compacted and opened in between, and wherever that is cut short. */
@Timeout(600)
class CompactionTest {
    private static final long MIB = 1L << 20;
    private static final int BUCKETS = 3;
    private static final int KEYS = 40;

    /** As {@code kv.router.reply-max} has it. */
    private static final long REPLY_MAX_BYTES = 256L << 20;

    @TempDir
    private Path folder;

    private Path data;
    private OpenStorage storage;
    private final Map<String, Map<String, String>> model = new HashMap<>();

    /** Buckets that go with their last key. */
    private final Set<String> unkept = new HashSet<>();

    private int number;

    @BeforeEach
    void open() throws IOException {
        data = folder.resolve("data");
        storage = open(data);
    }

    @AfterEach
    void close() {
        storage.stop(Duration.ZERO);
    }

    private static OpenStorage open(Path data) throws IOException {
        return OpenStorage.open(
                DataFolder.settings(data, new Sync(false, Optional.of(Duration.ofMillis(10))), 0, MIB, DataFolder.PINS),
                REPLY_MAX_BYTES,
                _ -> {});
    }

    private void reopen(Path at) throws IOException {
        storage.stop(Duration.ZERO);
        data = at;
        storage = open(at);
    }

    private void put(String bucket, String key, String value) {
        assertThat(run(new Command.Create(Bytes.of(bucket)))).isEqualTo(Reply.OK);
        assertThat(run(new Command.Put(Bytes.of(bucket), Bytes.of(key), Bytes.of(value))))
                .isEqualTo(Reply.OK);
        model.computeIfAbsent(bucket, _ -> new HashMap<>()).put(key, value);
        unkept.remove(bucket);
    }

    private void delete(String bucket, String key) {
        Map<String, String> values = model.get(bucket);
        Reply expected = values == null ? Reply.NOT_FOUND : Reply.OK;
        assertThat(run(new Command.Delete(Bytes.of(bucket), Bytes.of(key)))).isEqualTo(expected);
        if (values != null) {
            values.remove(key);
            if (values.isEmpty() && unkept.remove(bucket)) {
                model.remove(bucket);
            }
        }
    }

    private void drop(String bucket) throws Refused {
        storage.buckets().edit(Bytes.of(bucket), edit -> {
            edit.drop();
            return Reply.OK;
        });
        model.remove(bucket);
        unkept.remove(bucket);
    }

    /** Drops a bucket and makes it anew in one change, which is one record. */
    private void renew(String bucket, String key, String value) throws Refused {
        storage.buckets().edit(Bytes.of(bucket), edit -> {
            edit.drop();
            edit.set(Bytes.of(key), Bytes.of(value));
            return Reply.OK;
        });
        model.put(bucket, new HashMap<>(Map.of(key, value)));
        unkept.add(bucket);
    }

    private void rename(String bucket, String to) throws Refused {
        boolean isRenamed =
                storage.buckets().publisher().rename(Bytes.of(bucket), Bytes.of(to), (from, _) -> from.exists());
        assertThat(isRenamed).isEqualTo(model.containsKey(bucket) && !bucket.equals(to));
        if (isRenamed) {
            model.put(to, model.remove(bucket));
            unkept.remove(to);
            if (unkept.remove(bucket)) {
                unkept.add(to);
            }
        }
    }

    /** Another bucket, which was filled where nobody saw it, takes the place of the one that is there. */
    private void replace(String bucket, Random random) throws Refused {
        Bucket hidden = storage.buckets().publisher().hidden(Bytes.of(bucket));
        Map<String, String> values = new HashMap<>();
        storage.buckets().publisher().fill(hidden, Edit::keep);
        for (int i = random.nextInt(6); i > 0; i--) {
            String key = "key-" + random.nextInt(KEYS);
            String value = ++number + "x".repeat(random.nextInt(4_000));
            storage.buckets().publisher().fill(hidden, edit -> edit.set(Bytes.of(key), Bytes.of(value)));
            values.put(key, value);
        }
        if (random.nextInt(4) == 0) {
            storage.buckets().publisher().abandon(hidden);
            return;
        }
        assertThat(storage.buckets().publisher().publish(hidden, _ -> true)).isTrue();
        model.put(bucket, values);
        unkept.remove(bucket);
    }

    private Reply run(Command command) {
        return Held.flat(storage.run(command).toCompletableFuture().join());
    }

    private void check() {
        for (int b = 0; b < BUCKETS; b++) {
            Map<String, String> values = model.get("bucket-" + b);
            for (int k = 0; k < KEYS; k++) {
                Reply expected = Reply.NOT_FOUND;
                if (values != null) {
                    String value = values.get("key-" + k);
                    expected = value == null ? Reply.ABSENT : new Reply.Value(Bytes.of(value));
                }
                assertThat(run(new Command.Get(Bytes.of("bucket-" + b), Bytes.of("key-" + k))))
                        .isEqualTo(expected);
            }
        }
    }

    private void changeSomething(Random random) throws Refused {
        String bucket = "bucket-" + random.nextInt(BUCKETS);
        String key = "key-" + random.nextInt(KEYS);
        int what = random.nextInt(100);
        if (what < 3) {
            drop(bucket);
        } else if (what < 7) {
            rename(bucket, "bucket-" + random.nextInt(BUCKETS));
        } else if (what < 10) {
            replace(bucket, random);
        } else if (what < 13) {
            renew(bucket, key, ++number + "");
        } else if (what < 50) {
            delete(bucket, key);
        } else {
            put(bucket, key, ++number + "x".repeat(random.nextInt(4_000)));
        }
    }

    private Path image() throws IOException {
        Path image = Files.createTempDirectory(folder, "image");
        for (Path file : files(data)) {
            Files.copy(file, image.resolve(file.getFileName()));
        }
        return image;
    }

    private static List<Path> files(Path of) throws IOException {
        try (Stream<Path> files = Files.list(of)) {
            return files.filter(file -> file.getFileName().toString().matches("format|mark|segments|.*[.](log|hint)"))
                    .sorted()
                    .toList();
        }
    }

    private static List<SegmentName> segments(Path of) throws IOException {
        return Folder.segments(of);
    }

    @Test
    void nothingDeletedComesBackWhateverIsCompactedAndOpenedInBetween() throws Exception {
        run(new Random().nextLong(), 120);
    }

    /** The record that made it anew, and hid the earlier one, goes with its last key. */
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
        storage.buckets().edit(Bytes.of("bucket-1"), edit -> {
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

    @Test
    @Tag("soak")
    void nothingDeletedComesBackForMinutes() throws Exception {
        run(new Random().nextLong(), 4_000);
    }

    private void run(long seed, int rounds) throws Exception {
        Random random = new Random(seed);
        try {
            for (int round = 0; round < rounds; round++) {
                for (int i = random.nextInt(1, 80); i > 0; i--) {
                    changeSomething(random);
                }
                for (Path file : files(data)) {
                    if (file.toString().endsWith(".hint") && random.nextInt(4) == 0) {
                        Files.delete(file);
                    }
                }
                switch (random.nextInt(4)) {
                    case 0 -> storage.compact();
                    case 1 -> storage.compact(false);
                    case 2 -> reopen(data);
                    default -> {
                        // All that a process leaves that is killed when it has just stopped compacting.
                        reopen(data);
                        storage.compact(random.nextBoolean());
                        reopen(data);
                    }
                }
                check();
            }
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("with seed " + seed, e);
        }
    }

    @Test
    void aCrashBetweenAnyTwoStepsOfCompactionChangesNothing() throws Exception {
        Random random = new Random(7);
        for (int round = 0; round < 12; round++) {
            for (int i = 0; i < 120; i++) {
                changeSomething(random);
            }
            reopen(data);
        }
        storage.stop(Duration.ZERO);
        Path before = image();
        storage = open(data);
        storage.compact();
        storage.stop(Duration.ZERO);
        List<SegmentName> old = segments(before);
        List<SegmentName> compacted = segments(data);
        assertThat(compacted.size()).isLessThan(old.size());

        Path step = before;
        int steps = 0;
        for (int i = 0; i < compacted.size(); i++) {
            SegmentName made = compacted.get(i);
            if (old.contains(made)) {
                continue;
            }
            long next = i + 1 < compacted.size() ? compacted.get(i + 1).number() : Long.MAX_VALUE;
            Files.copy(data.resolve(made.log()), step.resolve(made.log()));
            opensAsItWas(step);
            List<SegmentName> listed = new ArrayList<>(compacted.subList(0, i + 1));
            old.stream().filter(name -> name.number() >= next).forEach(listed::add);
            DataFolder.list(step, listed);
            opensAsItWas(step);
            for (SegmentName name : old) {
                if (name.number() >= made.number() && name.number() < next) {
                    Files.delete(step.resolve(name.log()));
                    Files.deleteIfExists(step.resolve(name.hint()));
                    opensAsItWas(step);
                    steps++;
                }
            }
        }
        assertThat(steps).isGreaterThan(3);
        storage = open(data);
    }

    /** Opens an image of what is there, then goes on with it: deletes all, compacts, and opens once more. */
    private void opensAsItWas(Path step) throws IOException {
        data = step;
        Path image = image();
        storage = open(image);
        check();
        Map<String, Map<String, String>> all = new HashMap<>();
        model.forEach((bucket, values) -> all.put(bucket, new HashMap<>(values)));
        for (String bucket : List.copyOf(model.keySet())) {
            for (String key : List.copyOf(model.get(bucket).keySet())) {
                delete(bucket, key);
            }
        }
        storage.stop(Duration.ZERO);
        storage = open(image);
        storage.compact();
        storage.stop(Duration.ZERO);
        storage = open(image);
        check();
        storage.stop(Duration.ZERO);
        model.putAll(all);
        data = folder.resolve("data");
    }

    /** Else both are gone: the new one with what was never forced onto the disk, the old one with its segment. */
    @Test
    void compactionRemovesAValueAfterItsReplacementIsOnTheDisk() throws Exception {
        storage.stop(Duration.ZERO);
        // Only what is full, or has to be, is ever forced onto the disk.
        storage = OpenStorage.open(
                DataFolder.settings(data, new Sync(false, Optional.empty()), 0, MIB, DataFolder.PINS),
                REPLY_MAX_BYTES,
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
            Thread.onSpinWait();
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
            // It leads into the zeros of the value, where nothing seems to follow.
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
        // Four files that are allocated ahead, and what a small log may leave.
        while (bytes() > 2 * live + 8 * MIB) {
            assertThat(System.nanoTime() - start)
                    .as("%d bytes for %d", bytes(), live)
                    .isLessThan(Duration.ofSeconds(20).toNanos());
            Thread.onSpinWait();
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
