package dev.kv.benchmarks;

import dev.kv.router.Bytes;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * A million names that expire within one second: how long other requests take meanwhile, and how long it takes until they are removed. Part
 * of {@link EngineBenchmark}.
 */
final class ExpiringNames {
    private static final int NAMES = 1_000_000;
    private static final int OTHERS = 10_000;

    /** The time for which requests are measured, from the first name that expires. */
    private static final long MEASURED_MILLIS = 11_000;

    private final Path folder;

    /**
     * @param folder below which the data is written
     */
    ExpiringNames(Path folder) {
        this.folder = folder;
    }

    void run() {
        Path data = EngineClient.fresh(folder, "expiry");
        try (EngineClient engine = new EngineClient(data)) {
            Bytes value = EngineClient.value();
            for (int i = 0; i < OTHERS; i++) {
                engine.setValue(other(i), value);
            }
            // Far enough ahead for all to be written by then.
            long first = System.currentTimeMillis() + 10_000;
            for (int i = 0; i < NAMES; i++) {
                engine.setValue(EngineClient.key(i), value, first + i % 1000);
            }
            if (System.currentTimeMillis() > first) {
                throw new IllegalStateException("the names were not written in time");
            }
            while (System.currentTimeMillis() < first) {
                engine.getValue(other(0));
            }
            measure(engine, first);
        }
        EngineClient.remove(data);
    }

    private static Bytes other(int i) {
        return Bytes.of("other-" + i);
    }

    private static void measure(EngineClient engine, long first) {
        Bytes value = EngineClient.value();
        int[] micros = new int[50_000_000];
        int count = 0;
        long removed = 0;
        for (long now = first;
                now < first + MEASURED_MILLIS && count < micros.length;
                now = System.currentTimeMillis()) {
            for (int i = 0; i < 1000 && count < micros.length; i++) {
                Bytes name = other(count % OTHERS);
                long from = System.nanoTime();
                if (i % 2 == 0) {
                    engine.getValue(name);
                } else {
                    engine.setValue(name, value);
                }
                micros[count++] = (int) ((System.nanoTime() - from) / 1000);
            }
            if (removed == 0 && engine.number("buckets") == OTHERS) {
                removed = System.currentTimeMillis();
            }
        }
        Arrays.sort(micros, 0, count);
        Figures.tell(
                "1 000 000 names that expire in one second: others, 99.9th percentile",
                "<= 20",
                micros[(int) (count * 0.999)] / 1e3,
                "ms");
        Figures.tell("the longest of them", "", micros[count - 1] / 1e3, "ms");
        Figures.tell("all of them removed after", "<= 10", removed == 0 ? Double.NaN : (removed - first) / 1e3, "s");
    }
}
