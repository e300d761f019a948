package dev.kv.router.metrics;

import java.util.Optional;
import java.util.function.LongSupplier;

/** A number that increases and decreases. */
public record Gauge(String name, Unit unit, String help, LongSupplier value) implements Metric {
    public Gauge {
        Metric.check(name, unit, help);
    }

    @Override
    public Optional<String> text() {
        return Optional.of(Long.toString(value.getAsLong()));
    }
}
