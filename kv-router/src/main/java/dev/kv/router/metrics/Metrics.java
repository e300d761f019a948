package dev.kv.router.metrics;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** The metrics of one node, by the part that each belongs to. Any thread. */
public final class Metrics {
    private final ConcurrentMap<String, List<Metric>> parts = new ConcurrentHashMap<>();

    /** Adds the metrics of a part that has started, in the order in which they are shown. A part is added once. */
    public void add(String part, List<? extends Metric> metrics) {
        long names = metrics.stream().map(Metric::name).distinct().count();
        if (names < metrics.size() || parts.putIfAbsent(part, List.copyOf(metrics)) != null) {
            throw new IllegalStateException("two metrics of `" + part + "` have one name");
        }
    }

    /** The metrics of a part in their order; none if it has not started. */
    public List<Metric> of(String part) {
        return parts.getOrDefault(part, List.of());
    }

    /** All metrics, by part, in the order of the parts' names. */
    public Map<String, List<Metric>> all() {
        return new TreeMap<>(parts);
    }

    /** The value of a counter or a gauge; empty if the part has none of this name. */
    public OptionalLong number(String part, String name) {
        for (Metric metric : of(part)) {
            if (metric.name().equals(name)) {
                return switch (metric) {
                    case Counter counter -> OptionalLong.of(counter.value().getAsLong());
                    case Gauge gauge -> OptionalLong.of(gauge.value().getAsLong());
                    case State _ -> OptionalLong.empty();
                };
            }
        }
        return OptionalLong.empty();
    }

    /** The values now by name, in the order of the list, without states that have nothing to report. */
    public static Map<String, String> texts(List<? extends Metric> metrics) {
        Map<String, String> texts = new LinkedHashMap<>();
        metrics.forEach(metric -> metric.text().ifPresent(text -> texts.put(metric.name(), text)));
        return texts;
    }
}
