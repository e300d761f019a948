package dev.kv.router.metrics;

import java.util.Optional;
import java.util.function.Supplier;

/** A condition, in words for people; empty while there is nothing to report. */
public record State(String name, String help, Supplier<Optional<String>> value) implements Metric {
    public State {
        Metric.check(name, Unit.COUNT, help);
    }

    @Override
    public Optional<String> text() {
        return value.get();
    }
}
