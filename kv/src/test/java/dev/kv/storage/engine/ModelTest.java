package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import dev.kv.storage.DataFolder;
import dev.kv.storage.OpenStorage;
import dev.kv.storage.format.Layout;
import dev.kv.storage.log.Refused;
import dev.kv.storage.log.Sync;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Random commands against the storage and against plain maps, across restarts, compactions and crashes. */
class ModelTest {
    private static final long MIB = 1L << 20;
    private static final int BUCKETS = 24;

    /** Of the first half of the buckets; the others have two at most, and most of the time one. */
    private static final int KEYS = 400;

    private static final Turn.Limits SHORT = new Turn.Limits(10, 300);

    /** The expected content of a bucket, or a value under an empty key. */
    private static final class Expected {
        private final Map<Bytes, Bytes> values = new TreeMap<>();
        private boolean isKept;
        private boolean isValue;

        static Expected ofValue(Bytes value) {
            Expected expected = new Expected();
            expected.isValue = true;
            expected.values.put(Bytes.EMPTY, value);
            return expected;
        }

        /** The name in its records, and the bytes of the records that gave it another one; null if there are none. */
        private Bytes recordName;

        private long leftCost;
        private long publishedCost;

        boolean exists() {
            return isKept || !values.isEmpty();
        }

        void published(Bytes name, Bytes nameInRecords, boolean leaves) {
            recordName = nameInRecords;
            long cost = Layout.recordCost(name.size()) + Layout.fieldLength(recordName.size(), 0);
            if (leaves) {
                leftCost = cost;
            } else {
                publishedCost = cost;
            }
        }
    }

    @TempDir
    private Path folder;

    private final Map<Bytes, Expected> model = new TreeMap<>();
    private Turn.Limits turn = DataFolder.LARGE.turn();

    @Test
    void agreesWithPlainMaps() throws Exception {
        run(folder, System.nanoTime(), 20_000);
    }

    @Test
    void agreesWithPlainMapsInLargeCommands() throws Exception {
        turn = SHORT;
        run(folder, System.nanoTime(), 20_000);
    }

    @Test
    @Tag("soak")
    void agreesWithPlainMapsForMinutes() throws Exception {
        long deadline = System.nanoTime() + Duration.ofMinutes(5).toNanos();
        for (long seed = System.nanoTime(); System.nanoTime() - deadline < 0; seed++) {
            model.clear();
            turn = seed % 2 == 0 ? SHORT : DataFolder.LARGE.turn();
            run(Files.createTempDirectory(folder, "run"), seed, 100_000);
        }
    }

    private void run(Path site, long seed, int steps) throws Exception {
        Random random = new Random(seed);
        Path data = site.resolve("data-0");
        OpenStorage storage = open(data);
        try {
            for (int step = 0; step < steps; step++) {
                change(storage, random);
                if (random.nextInt(steps / 20) == 0) {
                    int what = random.nextInt(6);
                    if (what == 0) {
                        storage.stop(Duration.ZERO);
                        storage = open(data);
                    } else if (what == 1) {
                        // As a process leaves it that is killed now: mapped memory is written by the system.
                        Path image = site.resolve("data-" + (step + 1));
                        DataFolder.image(data, image);
                        storage.stop(Duration.ZERO);
                        storage = open(image);
                        data = image;
                    } else if (what == 2) {
                        removeHints(data, random);
                    } else if (what == 3) {
                        storage.compact();
                    } else {
                        storage.giveBack();
                    }
                    check(storage);
                }
            }
            check(storage);
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("with seed " + seed, e);
        } finally {
            storage.stop(Duration.ZERO);
        }
    }

    /** With turns so short that many changes and reads are large ones, or with the usual turns. */
    private OpenStorage open(Path data) throws IOException {
        Execution.Limits large =
                new Execution.Limits(turn, 1, 10, 10, MIB, Duration.ofSeconds(10), Duration.ofSeconds(10));
        return OpenStorage.open(
                DataFolder.settings(
                        data, new Sync(false, Optional.of(Duration.ofMillis(100))), 0, MIB, DataFolder.PINS, large),
                DataFolder.limits(1 << 20),
                _ -> {});
    }

    private void change(OpenStorage storage, Random random) throws Refused {
        model.values().removeIf(expected -> !expected.exists());
        Bytes name = Bytes.of("bucket-" + random.nextInt(BUCKETS));
        Expected expected = model.computeIfAbsent(name, _ -> new Expected());
        int what = random.nextInt(1000);
        if (what == 0) {
            edit(storage, name, Edit::drop);
            model.remove(name);
        } else if (what < 100 && random.nextInt(3) > 0) {
            changeValue(storage, name, expected, random);
        } else if (expected.isValue) {
            useValue(storage, name, expected, random);
        } else if (what < 20) {
            edit(storage, name, Edit::keep);
            expected.isKept = true;
        } else if (what < 60) {
            // In one change, sometimes with a new bucket in the place of the old one.
            boolean drops = random.nextInt(20) == 0;
            Map<Bytes, Bytes> sets = new TreeMap<>();
            List<Bytes> deletes = new ArrayList<>();
            for (int i = random.nextInt(20); i >= 0; i--) {
                sets.put(key(name, random), value(random));
                deletes.add(key(name, random));
            }
            edit(storage, name, bucket -> {
                if (drops) {
                    bucket.drop();
                }
                deletes.forEach(bucket::delete);
                sets.forEach(bucket::set);
            });
            if (drops) {
                expected = new Expected();
                model.put(name, expected);
            }
            deletes.forEach(expected.values::remove);
            expected.values.putAll(sets);
        } else if (what < 65) {
            rename(storage, name, Bytes.of("bucket-" + random.nextInt(BUCKETS)));
        } else if (what < 70) {
            fillAndPublish(storage, name, random);
        } else if (what < 500) {
            Bytes key = key(name, random);
            Bytes value = value(random);
            edit(storage, name, bucket -> bucket.set(key, value));
            expected.values.put(key, value);
        } else if (what < 750) {
            Bytes key = key(name, random);
            edit(storage, name, bucket -> bucket.delete(key));
            expected.values.remove(key);
        } else {
            Bytes key = key(name, random);
            Bytes value = expected.values.get(key);
            Reply reply = get(storage, name, key);
            assertThat(reply)
                    .isEqualTo(
                            value != null
                                    ? new Reply.Value(value)
                                    : expected.exists() ? Reply.ABSENT : Reply.NOT_FOUND);
        }
    }

    /** Sets a value, in the place of what there is; sometimes a bucket in the place of a value, or the other way round, in one change. */
    private void changeValue(OpenStorage storage, Bytes name, Expected expected, Random random) throws Refused {
        Bytes value = value(random);
        boolean becomesBucket = random.nextInt(4) == 0;
        edit(storage, name, bucket -> {
            if (random.nextInt(4) == 0) {
                // Nothing is left of it.
                bucket.setValue(Bytes.of("before"));
            } else if (!expected.isValue && random.nextInt(4) == 0) {
                expected.values.keySet().forEach(bucket::delete);
            }
            if (becomesBucket) {
                bucket.drop();
                bucket.set(Bytes.of("key-0"), value);
            } else {
                bucket.setValue(value);
            }
        });
        if (becomesBucket) {
            Expected bucket = new Expected();
            bucket.values.put(Bytes.of("key-0"), value);
            model.put(name, bucket);
        } else {
            model.put(name, Expected.ofValue(value));
        }
    }

    private void useValue(OpenStorage storage, Bytes name, Expected expected, Random random) throws Refused {
        switch (random.nextInt(20)) {
            case 0 -> {
                edit(storage, name, Edit::drop);
                model.remove(name);
            }
            case 1 -> rename(storage, name, Bytes.of("bucket-" + random.nextInt(BUCKETS)));
            case 2 -> fillAndPublish(storage, name, random);
            default -> {
                assertThat(get(storage, name, key(name, random))).isEqualTo(Commands.WRONG_TYPE);
                assertThat(getValue(storage, name)).isEqualTo(expected.values.get(Bytes.EMPTY));
            }
        }
    }

    private static Bytes getValue(OpenStorage storage, Bytes name) throws Refused {
        Reply reply;
        try {
            reply = storage.buckets().get(0, name);
        } catch (Turn.TooMuch large) {
            reply = read(storage, name, value -> new Reply.Value(value.get(View.VALUE)));
        }
        return ((Reply.Value) reply).value();
    }

    private void rename(OpenStorage storage, Bytes name, Bytes other) throws Refused {
        Expected expected = model.get(name);
        boolean isRenamed = storage.buckets().publisher().rename(0, name, other, (from, to) -> {
            assertThat(from.size()).isEqualTo(expected.values.size());
            assertThat(to.exists())
                    .isEqualTo(model.getOrDefault(other, new Expected()).exists());
            return from.exists();
        });
        assertThat(isRenamed).isEqualTo(expected.exists() && !name.equals(other));
        if (isRenamed) {
            boolean leaves = expected.recordName == null;
            if (!leaves || !expected.isValue) {
                expected.published(other, leaves ? name : expected.recordName, leaves);
            }
            model.put(other, expected);
            model.remove(name);
        }
    }

    /** A hidden bucket is filled and takes the place of the old one, or is abandoned half-way. */
    private void fillAndPublish(OpenStorage storage, Bytes name, Random random) throws Refused {
        Bucket hidden = storage.buckets().publisher().hidden(name);
        Expected filled = new Expected();
        if (random.nextInt(3) == 0) {
            filled = Expected.ofValue(value(random));
            Bytes value = filled.values.get(Bytes.EMPTY);
            storage.buckets().publisher().fill(hidden, bucket -> bucket.setValue(value));
        } else {
            fill(storage, hidden, filled, name, random);
        }
        switch (random.nextInt(4)) {
            case 0 -> storage.buckets().publisher().abandon(hidden);
            case 1 -> {
                assertThat(storage.buckets().publisher().publish(0, hidden, _ -> false))
                        .isFalse();
                storage.buckets().publisher().abandon(hidden);
            }
            default -> {
                assertThat(storage.buckets().publisher().publish(0, hidden, _ -> true))
                        .isTrue();
                if (filled.exists()) {
                    filled.published(name, name, false);
                }
                model.put(name, filled);
            }
        }
    }

    private static void fill(OpenStorage storage, Bucket hidden, Expected filled, Bytes name, Random random)
            throws Refused {
        for (int turn = random.nextInt(4); turn > 0; turn--) {
            Map<Bytes, Bytes> sets = new TreeMap<>();
            for (int i = 0; i < 5; i++) {
                sets.put(key(name, random), value(random));
            }
            storage.buckets().publisher().fill(hidden, bucket -> sets.forEach(bucket::set));
            filled.values.putAll(sets);
        }
        if (random.nextInt(3) == 0) {
            storage.buckets().publisher().fill(hidden, Edit::keep);
            filled.isKept = true;
        }
    }

    private static void edit(OpenStorage storage, Bytes name, Consumer<Edit> change) throws Refused {
        Function<Edit, Reply> command = bucket -> {
            change.accept(bucket);
            return Reply.OK;
        };
        try {
            storage.buckets().edit(0, name, command);
        } catch (Turn.TooMuch large) {
            try (LargeChange largeChange = storage.buckets().beginLarge(0, name)) {
                largeChange.lane().enter();
                largeChange.run(command, () -> false);
                assertThat(new Lanes(storage.buckets().table(), new WaitLimits(0).queue(0)).end(largeChange.lane()))
                        .isTrue();
            }
        }
    }

    private static Reply read(OpenStorage storage, Bytes name, Function<View, Reply> command) throws Refused {
        try {
            return storage.buckets().read(0, name, command);
        } catch (Turn.TooMuch large) {
            try (Frozen frozen = storage.buckets().frozen(0, name)) {
                return command.apply(frozen.view());
            }
        }
    }

    private static Reply get(OpenStorage storage, Bytes name, Bytes key) throws Refused {
        try {
            return storage.buckets().get(0, name, key);
        } catch (Turn.TooMuch large) {
            return read(storage, name, bucket -> new Reply.Value(bucket.get(key)));
        }
    }

    private static Bytes key(Bytes bucket, Random random) {
        boolean hasMany = Integer.parseInt(bucket.text().substring("bucket-".length())) < BUCKETS / 2;
        return Bytes.of("key-" + random.nextInt(hasMany ? KEYS : 2));
    }

    private static Bytes value(Random random) {
        byte[] value = new byte[random.nextInt(10) == 0 ? random.nextInt(20_000) : random.nextInt(200)];
        random.nextBytes(value);
        return Bytes.owning(value);
    }

    private void check(OpenStorage storage) throws Refused {
        // A renamed bucket that went with its last key needs no publish record any more.
        model.values().removeIf(expected -> !expected.exists());
        long bytes = 0;
        for (int i = 0; i < BUCKETS; i++) {
            Bytes name = Bytes.of("bucket-" + i);
            Expected expected = model.getOrDefault(name, new Expected());
            Map<Bytes, Bytes> found = new TreeMap<>();
            List<Long> positions = new ArrayList<>();
            read(storage, name, bucket -> {
                found.clear();
                positions.clear();
                assertThat(bucket.isKept()).isEqualTo(expected.isKept);
                assertThat(bucket.isValue()).isEqualTo(expected.isValue);
                assertThat(bucket.size()).isEqualTo(expected.values.size());
                bucket.forEach(0, (position, key, value) -> {
                    found.put(key, value);
                    positions.add(position);
                    return true;
                });
                return Reply.OK;
            });
            assertThat(found).isEqualTo(expected.values);
            assertThat(positions).isSorted().hasSameSizeAs(expected.values.keySet());
            int nameBytes = (expected.recordName == null ? name : expected.recordName).size();
            for (Map.Entry<Bytes, Bytes> entry : expected.values.entrySet()) {
                bytes += Layout.fieldCost(
                        nameBytes, entry.getKey().size(), entry.getValue().size());
            }
            bytes += expected.isKept ? Layout.recordCost(nameBytes) : 0;
            bytes += expected.leftCost + expected.publishedCost;
        }
        assertThat(storage.log().liveBytes().get()).isEqualTo(bytes);
        List<Bytes> names = new ArrayList<>();
        storage.forEachBucket((name, _) -> names.add(name));
        assertThat(names).containsExactlyInAnyOrderElementsOf(model.keySet());
        assertThat(storage.buckets().table().keys())
                .isEqualTo(model.values().stream()
                        .filter(expected -> !expected.isValue)
                        .mapToLong(expected -> expected.values.size())
                        .sum());
        assertThat(storage.buckets().table().filled())
                .isEqualTo(model.values().stream()
                        .filter(expected -> !expected.values.isEmpty())
                        .count());
    }

    private static void removeHints(Path data, Random random) throws IOException {
        try (Stream<Path> files = Files.list(data)) {
            for (Path file :
                    files.filter(file -> file.toString().endsWith(".hint")).toList()) {
                if (random.nextBoolean()) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }
}
