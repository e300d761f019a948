package dev.kv.benchmarks;

import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Locale;

/** Figures of {@link EngineBenchmark}: how they are found and printed. */
final class Figures {
    private Figures() {}

    static void tell(String what, String aim, double measured, String unit) {
        System.out.printf(Locale.ROOT, "%-66s %-14s %10.2f %s%n", what, aim, measured, unit);
    }

    static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    /** Heap by what is reachable, after a collection. */
    static long usedHeap() {
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }
}
