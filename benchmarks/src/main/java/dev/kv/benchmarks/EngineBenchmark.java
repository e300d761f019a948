package dev.kv.benchmarks;

import dev.kv.router.Bytes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntConsumer;
import java.util.function.ObjIntConsumer;
import java.util.stream.Stream;

/**
 * What the storage does by itself, without a network: each line of the output is a figure, what it should be, and what was
 * measured. Everything that is told as a ratio was measured in the same run, in turns.
 */
public final class EngineBenchmark {
    private static final int ROUNDS = 7;

    /** Number of small buckets, and of values. */
    private static final int SMALL = 1_000_000;

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
        for (String name : wanted.isEmpty() ? List.of("speed", "memory", "sync", "compaction", "restart") : wanted) {
            switch (name) {
                case "speed" -> benchmark.speed();
                case "memory" -> benchmark.memory();
                case "sync" -> benchmark.sync();
                case "compaction" -> benchmark.compaction();
                case "restart" -> benchmark.restart();
                case "fill" -> benchmark.fill();
                default -> throw new IllegalArgumentException("no benchmark is called " + name);
            }
        }
        // Threads of the storage are daemons; what fill left to be killed ends here otherwise.
        System.exit(0);
    }

    private static void tell(String what, String aim, double measured, String unit) {
        System.out.printf(Locale.ROOT, "%-66s %-14s %10.2f %s%n", what, aim, measured, unit);
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    private Path fresh(String name) {
        Path data = folder.resolve(name);
        remove(data);
        return data;
    }

    private static void remove(Path data) {
        if (Files.exists(data)) {
            try (Stream<Path> files = Files.walk(data)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static Bytes value() {
        byte[] value = new byte[EngineClient.VALUE_BYTES];
        Arrays.fill(value, (byte) 'v');
        return Bytes.owning(value);
    }

    /** One thread, then two; a million entries in a thousand buckets, keys at random. */
    private void speed() throws Exception {
        int entries = 1_000_000;
        Bytes[] buckets = new Bytes[1000];
        Arrays.setAll(buckets, EngineClient::bucket);
        Path data = fresh("speed");
        try (EngineClient engine = new EngineClient(data)) {
            for (Bytes bucket : buckets) {
                engine.create(bucket);
            }
            int[] order = new Random(1).ints(entries, 0, entries).toArray();
            Bytes value = value();
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
            tell("put, one thread", "<= 1.00", median(put) / 1000, "us");
            tell("get, one thread", "<= 0.50", median(get) / 1000, "us");
            tell("what a processor waits for a line of another one's cache", "", median(handOver), "ns");
            tell("puts of two threads on different buckets, against one", ">= 1.30", median(two) / median(one), "x");
        }
        remove(data);
        speedOfSmall();
    }

    /** One thread; a million buckets with one key each, then a million values, at random. */
    private void speedOfSmall() {
        Bytes value = value();
        Path data = fresh("small");
        try (EngineClient engine = new EngineClient(data)) {
            Bytes key = EngineClient.key(0);
            for (int i = 0; i < SMALL; i++) {
                smallBucket(engine, i, false, value);
            }
            speedOf("put into buckets with one key", i -> engine.put(smallName(i), key, value));
            speedOf("get from buckets with one key", i -> engine.get(smallName(i), key));
        }
        Path values = fresh("values");
        try (EngineClient engine = new EngineClient(values)) {
            for (int i = 0; i < SMALL; i++) {
                engine.setValue(smallName(i), value);
            }
            speedOf("set values", i -> engine.setValue(smallName(i), value));
            speedOf("get values", i -> engine.getValue(smallName(i)));
        }
        remove(data);
        remove(values);
    }

    private static void speedOf(String what, IntConsumer command) {
        int[] order = new Random(1).ints(SMALL, 0, SMALL).toArray();
        double[] took = new double[ROUNDS];
        for (int round = 0; round < ROUNDS; round++) {
            long from = System.nanoTime();
            for (int i : order) {
                command.accept(i);
            }
            took[round] = (System.nanoTime() - from) / (double) SMALL;
        }
        tell(what, "", median(took) / 1000, "us");
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

    /** Heap by what is reachable, after a collection. */
    private static long usedHeap() {
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private void memory() {
        Bytes value = value();
        int entries = 3_000_000;
        Path large = fresh("large");
        try (EngineClient engine = new EngineClient(large)) {
            Bytes bucket = Bytes.of("large");
            engine.create(bucket);
            long before = usedHeap();
            double most = 0;
            for (int i = 0; i < entries; i++) {
                engine.put(bucket, EngineClient.key(i), value);
                if (i % 250_000 == 249_999) {
                    most = Math.max(most, (usedHeap() - before) / (double) (i + 1));
                }
            }
            tell("heap per entry of a large bucket, the most on the way to 3 000 000", "<= 24", most, "bytes");
        }
        remove(large);
        small("bucket with one key", "<= 48", (engine, i) -> smallBucket(engine, i, true, value));
        small("bucket with one key that it goes with", "<= 48", (engine, i) -> smallBucket(engine, i, false, value));
        small("value", "<= 40", (engine, i) -> engine.setValue(smallName(i), value));
    }

    private void small(String what, String aim, ObjIntConsumer<EngineClient> make) {
        Path small = fresh("small");
        try (EngineClient engine = new EngineClient(small)) {
            long before = usedHeap();
            double most = 0;
            for (int i = 0; i < SMALL; i++) {
                make.accept(engine, i);
                if (i >= SMALL / 10 && i % (SMALL / 20) == SMALL / 20 - 1) {
                    most = Math.max(most, (usedHeap() - before) / (double) (i + 1));
                }
            }
            tell("heap per " + what + ", of 1 000 000, the most on the way", aim, most, "bytes");
        }
        remove(small);
    }

    private static void smallBucket(EngineClient engine, int i, boolean isKept, Bytes value) {
        Bytes bucket = smallName(i);
        if (isKept) {
            engine.create(bucket);
            engine.put(bucket, EngineClient.key(0), value);
        } else {
            engine.set(bucket, EngineClient.key(0), value);
        }
    }

    private static Bytes smallName(int i) {
        return EngineClient.key(i);
    }

    /** Writers that wait for the disk: one, and fifty. */
    private void sync() throws Exception {
        Path data = fresh("sync");
        try (EngineClient engine = new EngineClient(data, "kv.storage.sync", "always")) {
            engine.create(Bytes.of("b"));
            double[] one = new double[ROUNDS];
            double[] fifty = new double[ROUNDS];
            for (int round = 0; round < ROUNDS; round++) {
                one[round] = syncedPuts(engine, 1);
                fifty[round] = syncedPuts(engine, 50);
            }
            tell("synced puts of one writer", "", median(one), "/s");
            tell("synced puts of fifty writers", "", median(fifty), "/s");
            tell("fifty writers against one", ">= 8.00", median(fifty) / median(one), "x");
        }
        remove(data);
    }

    private static double syncedPuts(EngineClient engine, int writers) throws Exception {
        LongAdder done = new LongAdder();
        AtomicBoolean ending = new AtomicBoolean();
        List<Thread> threads = new ArrayList<>();
        Bytes bucket = Bytes.of("b");
        Bytes value = value();
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
        Bytes value = value();
        Path data = fresh("compaction");
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
            tell("compactions meanwhile", "", (double) (engine.number("compactions") - runs), "");
            tell(
                    "request while compaction runs, 99.9th percentile",
                    "<= 20",
                    micros[(int) (requests * 0.999)] / 1e3,
                    "ms");
            tell(
                    "request while compaction runs, 99.99th percentile",
                    "",
                    micros[(int) (requests * 0.9999)] / 1e3,
                    "ms");
            tell("request while compaction runs, the longest", "", micros[requests - 1] / 1e3, "ms");
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
            tell("log at rest, against what is needed of it", "<= 2.00", log / (double) engine.number("bytes"), "x");
            tell(
                    "files at rest, with what is allocated ahead",
                    "",
                    fileBytes(data) / (double) engine.number("bytes"),
                    "x");
        }
        remove(data);
    }

    private static long fileBytes(Path data) throws IOException {
        try (Stream<Path> files = Files.list(data)) {
            return files.mapToLong(file -> file.toFile().length()).sum();
        }
    }

    /** Ten million entries in a thousand buckets: by a process that ends in order, and by one that is killed. */
    private void restart() throws Exception {
        Path data = fresh("restart");
        Process filler = new ProcessBuilder(self(folder, "fill"))
                .redirectErrorStream(true)
                .start();
        try (Stream<String> lines = filler.inputReader().lines()) {
            String _ = lines.filter("filled"::equals).findFirst().orElseThrow();
        }
        filler.destroyForcibly().waitFor();
        double killed = open(data);
        tell("start after SIGKILL, 10 000 000 entries", "<= 30", killed, "s");
        tell("start after a stop in order, 10 000 000 entries", "<= 5", open(data), "s");
        remove(data);
    }

    private double open(Path data) {
        long from = System.nanoTime();
        try (EngineClient engine = new EngineClient(data)) {
            double seconds = (System.nanoTime() - from) / 1e9;
            if (engine.number("keys") != 10_000_000) {
                throw new IllegalStateException(engine.number("keys") + " keys are there");
            }
            return seconds;
        }
    }

    private static List<String> self(Path folder, String name) {
        List<String> command = new ArrayList<>();
        command.add(ProcessHandle.current().info().command().orElseThrow());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of(
                "-cp",
                System.getProperty("java.class.path"),
                EngineBenchmark.class.getName(),
                folder.toString(),
                name));
        return command;
    }

    /** Writes what {@link #restart} reads, and waits to be killed. */
    private void fill() throws Exception {
        Bytes value = value();
        try (EngineClient engine = new EngineClient(folder.resolve("restart"))) {
            for (int i = 0; i < 10_000_000; i++) {
                Bytes bucket = EngineClient.bucket(i % 1000);
                if (i < 1000) {
                    engine.create(bucket);
                }
                engine.put(bucket, EngineClient.key(i), value);
            }
            System.out.println("filled");
            new CountDownLatch(1).await();
        }
    }
}
