package dev.kv.router.metrics;

import java.util.Optional;
import java.util.function.LongSupplier;

/** A number that starts at 0 with the node and never decreases. */
public record Counter(String name, Unit unit, String help, LongSupplier value) implements Metric {
    public Counter {
        Metric.check(name, unit, help);
    }

    @Override
    public Optional<String> text() {
        return Optional.of(Long.toString(value.getAsLong()));
    }
}
