package dev.kv.benchmarks;

import dev.kv.router.Bytes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;

/**
 * What the storage does by itself, without a network: each line of the output is a figure, what it should be, and what was
 * measured. Everything that is told as a ratio was measured in the same run, in turns.
 */
public final class EngineBenchmark {
    static final int ROUNDS = 7;

    private final Path folder;

    private EngineBenchmark(Path folder) {
        this.folder = folder;
    }

    /**
     * Runs the benchmarks.
     *
     * @param arguments a folder for the data, which is removed at the end; then the names of benchmarks, none for all
     */
    public static void main(String[] arguments) throws Exception {
        Path folder = Files.createDirectories(Path.of(arguments[0])).toAbsolutePath();
        List<String> wanted = Arrays.asList(arguments).subList(1, arguments.length);
        EngineBenchmark benchmark = new EngineBenchmark(folder);
        for (String name :
                wanted.isEmpty() ? List.of("speed", "memory", "sync", "compaction", "restart", "expiry") : wanted) {
            switch (name) {
                case "speed" -> benchmark.speed();
                case "memory" -> benchmark.memory();
                case "sync" -> benchmark.sync();
                case "compaction" -> benchmark.compaction();
                case "restart" -> new Restart(folder).run();
                case "expiry" -> new ExpiringNames(folder).run();
                default -> throw new IllegalArgumentException("no benchmark is called " + name);
            }
        }
        System.exit(0);
    }

    /** One thread, then two; a million entries in a thousand buckets, keys at random. */
    private void speed() throws Exception {
        int entries = 1_000_000;
        Bytes[] buckets = new Bytes[1000];
        Arrays.setAll(buckets, EngineClient::bucket);
        Path data = EngineClient.fresh(folder, "speed");
        try (EngineClient engine = new EngineClient(data)) {
            for (Bytes bucket : buckets) {
                engine.create(bucket);
            }
            int[] order = new Random(1).ints(entries, 0, entries).toArray();
            Bytes value = EngineClient.value();
            double[] put = new double[ROUNDS];
            double[] get = new double[ROUNDS];
            double[] handOver = new double[ROUNDS];
            double[] one = new double[ROUNDS];
            double[] two = new double[ROUNDS];
            for (int i = 0; i < entries; i++) {
                engine.put(buckets[i % buckets.length], EngineClient.key(i), value);
            }
            for (int round = 0; round < ROUNDS; round++) {
                long from = System.nanoTime();
                for (int i : order) {
                    engine.put(buckets[i % buckets.length], EngineClient.key(i), value);
                }
                put[round] = (System.nanoTime() - from) / (double) entries;
                from = System.nanoTime();
                for (int i : order) {
                    engine.get(buckets[i % buckets.length], EngineClient.key(i));
                }
                get[round] = (System.nanoTime() - from) / (double) entries;
                handOver[round] = handOverNanos();
                one[round] = putsByThreads(engine, 1, buckets, order, value);
                two[round] = putsByThreads(engine, 2, buckets, order, value);
            }
            Figures.tell("put, one thread", "<= 1.00", Figures.median(put) / 1000, "us");
            Figures.tell("get, one thread", "<= 0.50", Figures.median(get) / 1000, "us");
            Figures.tell(
                    "what a processor waits for a line of another one's cache", "", Figures.median(handOver), "ns");
            Figures.tell(
                    "puts of two threads on different buckets, against one",
                    ">= 1.30",
                    Figures.median(two) / Figures.median(one),
                    "x");
        }
        EngineClient.remove(data);
        new SmallNames(folder).speed();
    }

    /** How long it takes until one processor sees what another one has written, which two writers of one log wait for as well. */
    private static double handOverNanos() throws InterruptedException {
        int turns = 1_000_000;
        AtomicLong turn = new AtomicLong();
        Thread other = Thread.ofPlatform().start(() -> takeTurns(turn, 1, turns));
        long from = System.nanoTime();
        takeTurns(turn, 0, turns);
        other.join();
        return (System.nanoTime() - from) / (double) turns;
    }

    private static void takeTurns(AtomicLong turn, int own, int turns) {
        for (int next = own; next < turns; next += 2) {
            while (turn.get() != next) {
                Thread.onSpinWait();
            }
            turn.set(next + 1);
        }
    }

    /** All entries once, each thread those of its own buckets: puts by nanosecond. */
    private static double putsByThreads(EngineClient engine, int count, Bytes[] buckets, int[] order, Bytes value)
            throws Exception {
        List<Thread> threads = new ArrayList<>();
        long from = System.nanoTime();
        for (int t = 0; t < count; t++) {
            int own = t;
            threads.add(Thread.ofPlatform().start(() -> {
                for (int i : order) {
                    int bucket = i % buckets.length;
                    if (bucket % count == own) {
                        engine.put(buckets[bucket], EngineClient.key(i), value);
                    }
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        return order.length / (double) (System.nanoTime() - from);
    }

    private void memory() {
        Bytes value = EngineClient.value();
        int entries = 3_000_000;
        Path large = EngineClient.fresh(folder, "large");
        try (EngineClient engine = new EngineClient(large)) {
            Bytes bucket = Bytes.of("large");
            engine.create(bucket);
            long before = Figures.usedHeap();
            double most = 0;
            for (int i = 0; i < entries; i++) {
                engine.put(bucket, EngineClient.key(i), value);
                if (i % 250_000 == 249_999) {
                    most = Math.max(most, (Figures.usedHeap() - before) / (double) (i + 1));
                }
            }
            Figures.tell("heap per entry of a large bucket, the most on the way to 3 000 000", "<= 24", most, "bytes");
        }
        EngineClient.remove(large);
        new SmallNames(folder).memory();
    }

    /** Writers that wait for the disk: one, and fifty. */
    private void sync() throws Exception {
        Path data = EngineClient.fresh(folder, "sync");
        try (EngineClient engine = new EngineClient(data, "kv.storage.sync", "always")) {
            engine.create(Bytes.of("b"));
            double[] one = new double[ROUNDS];
            double[] fifty = new double[ROUNDS];
            for (int round = 0; round < ROUNDS; round++) {
                one[round] = syncedPuts(engine, 1);
                fifty[round] = syncedPuts(engine, 50);
            }
            Figures.tell("synced puts of one writer", "", Figures.median(one), "/s");
            Figures.tell("synced puts of fifty writers", "", Figures.median(fifty), "/s");
            Figures.tell("fifty writers against one", ">= 8.00", Figures.median(fifty) / Figures.median(one), "x");
        }
        EngineClient.remove(data);
    }

    private static double syncedPuts(EngineClient engine, int writers) throws Exception {
        LongAdder done = new LongAdder();
        AtomicBoolean ending = new AtomicBoolean();
        List<Thread> threads = new ArrayList<>();
        Bytes bucket = Bytes.of("b");
        Bytes value = EngineClient.value();
        long from = System.nanoTime();
        for (int w = 0; w < writers; w++) {
            Bytes key = EngineClient.key(w);
            threads.add(Thread.ofPlatform().start(() -> {
                while (!ending.get()) {
                    engine.put(bucket, key, value);
                    done.increment();
                }
            }));
        }
        new CountDownLatch(1).await(1, TimeUnit.SECONDS);
        ending.set(true);
        for (Thread thread : threads) {
            thread.join();
        }
        return done.sum() / ((System.nanoTime() - from) / 1e9);
    }

    /** How long requests take while compaction runs again and again, and what is on the disk when it has ended. */
    private void compaction() throws Exception {
        int entries = 500_000;
        Bytes bucket = Bytes.of("b");
        Bytes value = EngineClient.value();
        Path data = EngineClient.fresh(folder, "compaction");
        try (EngineClient engine = new EngineClient(data)) {
            engine.create(bucket);
            for (int i = 0; i < entries; i++) {
                engine.put(bucket, EngineClient.key(i), value);
            }
            Random random = new Random(1);
            int requests = 32_000_000;
            int[] micros = new int[requests];
            long runs = engine.number("compactions");
            for (int i = 0; i < requests; i++) {
                Bytes key = EngineClient.key(random.nextInt(entries));
                long from = System.nanoTime();
                if (i % 2 == 0) {
                    engine.put(bucket, key, value);
                } else {
                    engine.get(bucket, key);
                }
                micros[i] = (int) ((System.nanoTime() - from) / 1000);
                if (i % 100 == 0) {
                    Thread.onSpinWait();
                }
            }
            Arrays.sort(micros);
            Figures.tell("compactions meanwhile", "", (double) (engine.number("compactions") - runs), "");
            Figures.tell(
                    "request while compaction runs, 99.9th percentile",
                    "<= 20",
                    micros[(int) (requests * 0.999)] / 1e3,
                    "ms");
            Figures.tell(
                    "request while compaction runs, 99.99th percentile",
                    "",
                    micros[(int) (requests * 0.9999)] / 1e3,
                    "ms");
            Figures.tell("request while compaction runs, the longest", "", micros[requests - 1] / 1e3, "ms");
            long settled = System.nanoTime();
            long log = 0;
            while (System.nanoTime() - settled < 3_000_000_000L) {
                long now = engine.number("log bytes");
                if (now != log) {
                    log = now;
                    settled = System.nanoTime();
                }
                Thread.onSpinWait();
            }
            Figures.tell(
                    "log at rest, against what is needed of it", "<= 2.00", log / (double) engine.number("bytes"), "x");
            Figures.tell(
                    "files at rest, with what is allocated ahead",
                    "",
                    fileBytes(data) / (double) engine.number("bytes"),
                    "x");
        }
        EngineClient.remove(data);
    }

    private static long fileBytes(Path data) throws IOException {
        try (Stream<Path> files = Files.list(data)) {
            return files.mapToLong(file -> file.toFile().length()).sum();
        }
    }
}
