package dev.kv.benchmarks;

import dev.kv.router.Bytes;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;

/** How long a start takes with ten million entries, or values, after SIGKILL and after a stop in order. Part of {@link EngineBenchmark}. */
final class Restart {
    private static final int COUNT = 10_000_000;
    private static final long HOUR_MILLIS = 3_600_000;

    private final Path folder;

    /**
     * @param folder below which the data is written
     */
    Restart(Path folder) {
        this.folder = folder;
    }

    /** What is written. */
    private enum Kind {
        ENTRIES("entries"),
        VALUES("values"),
        EXPIRING("values that expire");

        private final String text;

        Kind(String text) {
            this.text = text;
        }

        private void set(EngineClient engine, int i, Bytes value, long until) {
            switch (this) {
                case ENTRIES -> {
                    Bytes bucket = EngineClient.bucket(i % 1000);
                    if (i < 1000) {
                        engine.create(bucket);
                    }
                    engine.put(bucket, EngineClient.key(i), value);
                }
                case VALUES -> engine.setValue(EngineClient.key(i), value);
                case EXPIRING -> engine.setValue(EngineClient.key(i), value, until + i);
            }
        }

        private String counted() {
            return this == ENTRIES ? "keys" : "buckets";
        }
    }

    void run() throws Exception {
        for (Kind kind : Kind.values()) {
            run(kind);
        }
    }

    /** By a process that is killed, and by one that ends in order. */
    private void run(Kind kind) throws Exception {
        Path data = EngineClient.fresh(folder, "restart");
        Process filler =
                new ProcessBuilder(filler(data, kind)).redirectErrorStream(true).start();
        try (Stream<String> lines = filler.inputReader().lines()) {
            String _ = lines.filter("filled"::equals).findFirst().orElseThrow();
        }
        filler.destroyForcibly().waitFor();
        Figures.tell("start after SIGKILL, 10 000 000 " + kind.text, "<= 30", open(data, kind), "s");
        Figures.tell("start after a stop in order, 10 000 000 " + kind.text, "<= 5", open(data, kind), "s");
        EngineClient.remove(data);
    }

    private static double open(Path data, Kind kind) {
        long from = System.nanoTime();
        try (EngineClient engine = new EngineClient(data)) {
            double seconds = (System.nanoTime() - from) / 1e9;
            if (engine.number(kind.counted()) != COUNT) {
                throw new IllegalStateException(engine.number(kind.counted()) + " are there");
            }
            return seconds;
        }
    }

    private static List<String> filler(Path data, Kind kind) {
        List<String> command = new ArrayList<>();
        command.add(ProcessHandle.current().info().command().orElseThrow());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of(
                "-cp", System.getProperty("java.class.path"), Restart.class.getName(), data.toString(), kind.name()));
        return command;
    }

    /**
     * Writes what a start is to read, and waits to be killed.
     *
     * @param arguments the folder of the data; the name of a {@link Kind}
     */
    public static void main(String[] arguments) throws Exception {
        Bytes value = EngineClient.value();
        Kind kind = Kind.valueOf(arguments[1]);
        long until = System.currentTimeMillis() + HOUR_MILLIS;
        try (EngineClient engine = new EngineClient(Path.of(arguments[0]))) {
            for (int i = 0; i < COUNT; i++) {
                kind.set(engine, i, value, until);
            }
            System.out.println("filled");
            new CountDownLatch(1).await();
        }
    }
}
