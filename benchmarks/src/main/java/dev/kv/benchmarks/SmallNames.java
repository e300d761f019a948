package dev.kv.benchmarks;

import dev.kv.router.Bytes;
import java.nio.file.Path;
import java.util.Random;
import java.util.function.IntConsumer;
import java.util.function.ObjIntConsumer;

/** What a million names cost, each a bucket with one key, or a value: time and heap. Part of {@link EngineBenchmark}. */
final class SmallNames {
    private static final int COUNT = 1_000_000;
    private static final long DAY_MILLIS = 86_400_000;

    private final Path folder;

    /**
     * @param folder below which the data is written
     */
    SmallNames(Path folder) {
        this.folder = folder;
    }

    /** One thread; a million buckets with one key each, then a million values, at random. */
    void speed() {
        Bytes value = EngineClient.value();
        Path data = EngineClient.fresh(folder, "small");
        try (EngineClient engine = new EngineClient(data)) {
            Bytes key = EngineClient.key(0);
            for (int i = 0; i < COUNT; i++) {
                bucket(engine, i, false, value);
            }
            speedOf("put into buckets with one key", i -> engine.put(name(i), key, value));
            speedOf("get from buckets with one key", i -> engine.get(name(i), key));
        }
        Path values = EngineClient.fresh(folder, "values");
        try (EngineClient engine = new EngineClient(values)) {
            for (int i = 0; i < COUNT; i++) {
                engine.setValue(name(i), value);
            }
            speedOf("get values", i -> engine.getValue(name(i)));
            long until = System.currentTimeMillis() + DAY_MILLIS;
            double[] set = new double[EngineBenchmark.ROUNDS];
            double[] expiring = new double[EngineBenchmark.ROUNDS];
            for (int round = 0; round < EngineBenchmark.ROUNDS; round++) {
                set[round] = nanosOf(i -> engine.setValue(name(i), value));
                expiring[round] = nanosOf(i -> engine.setValue(name(i), value, until + i));
            }
            Figures.tell("set values", "", Figures.median(set) / 1000, "us");
            Figures.tell("set values that expire", "", Figures.median(expiring) / 1000, "us");
            Figures.tell(
                    "the same, against set values", "<= 1.10", Figures.median(expiring) / Figures.median(set), "x");
        }
        EngineClient.remove(data);
        EngineClient.remove(values);
    }

    private static void speedOf(String what, IntConsumer command) {
        double[] took = new double[EngineBenchmark.ROUNDS];
        for (int round = 0; round < EngineBenchmark.ROUNDS; round++) {
            took[round] = nanosOf(command);
        }
        Figures.tell(what, "", Figures.median(took) / 1000, "us");
    }

    /** What a command takes on average, for all names in a random order. */
    private static double nanosOf(IntConsumer command) {
        int[] order = new Random(1).ints(COUNT, 0, COUNT).toArray();
        long from = System.nanoTime();
        for (int i : order) {
            command.accept(i);
        }
        return (System.nanoTime() - from) / (double) COUNT;
    }

    void memory() {
        Bytes value = EngineClient.value();
        memoryOf("bucket with one key", "<= 48", (engine, i) -> bucket(engine, i, true, value));
        memoryOf("bucket with one key that it goes with", "<= 48", (engine, i) -> bucket(engine, i, false, value));
        memoryOf("value", "<= 40", (engine, i) -> engine.setValue(name(i), value));
        long until = System.currentTimeMillis() + DAY_MILLIS;
        memoryOf("value that expires", "<= 56", (engine, i) -> engine.setValue(name(i), value, until + i));
    }

    private void memoryOf(String what, String aim, ObjIntConsumer<EngineClient> make) {
        Path small = EngineClient.fresh(folder, "small");
        try (EngineClient engine = new EngineClient(small)) {
            long before = Figures.usedHeap();
            double most = 0;
            for (int i = 0; i < COUNT; i++) {
                make.accept(engine, i);
                if (i >= COUNT / 10 && i % (COUNT / 20) == COUNT / 20 - 1) {
                    most = Math.max(most, (Figures.usedHeap() - before) / (double) (i + 1));
                }
            }
            Figures.tell("heap per " + what + ", of 1 000 000, the most on the way", aim, most, "bytes");
        }
        EngineClient.remove(small);
    }

    private static void bucket(EngineClient engine, int i, boolean isKept, Bytes value) {
        Bytes bucket = name(i);
        if (isKept) {
            engine.create(bucket);
            engine.put(bucket, EngineClient.key(0), value);
        } else {
            engine.set(bucket, EngineClient.key(0), value);
        }
    }

    private static Bytes name(int i) {
        return EngineClient.key(i);
    }
}
