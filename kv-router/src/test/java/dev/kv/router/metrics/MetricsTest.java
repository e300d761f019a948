package dev.kv.router.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class MetricsTest {
    private final LongAdder events = new LongAdder();
    private volatile Optional<String> trouble = Optional.empty();
    private final List<Metric> metrics = List.of(
            new State("trouble", "What is wrong.", () -> trouble),
            new Counter("events", Unit.COUNT, "Events so far.", events::sum),
            new Gauge("log bytes", Unit.BYTES, "Size of the log.", () -> 4096));

    @Test
    void valuesAreReadWhenTheyAreShownAndAStateWithoutContentIsNotShown() {
        assertThat(Metrics.texts(metrics)).isEqualTo(Map.of("events", "0", "log bytes", "4096"));

        events.add(2);
        trouble = Optional.of("the disk is full");

        assertThat(Metrics.texts(metrics))
                .containsExactly(
                        Map.entry("trouble", "the disk is full"),
                        Map.entry("events", "2"),
                        Map.entry("log bytes", "4096"));
    }

    @Test
    void partsAreFoundByTheirNamesAndNumbersByTheirs() {
        Metrics node = new Metrics();
        node.add("storage", metrics);
        node.add("clients", List.of());
        events.increment();

        assertThat(node.all().keySet()).containsExactly("clients", "storage");
        assertThat(node.of("storage")).isEqualTo(metrics);
        assertThat(node.of("zookeeper")).isEmpty();
        assertThat(node.number("storage", "events")).hasValue(1);
        assertThat(node.number("storage", "log bytes")).hasValue(4096);
        assertThat(node.number("storage", "trouble")).isEmpty();
        assertThat(node.number("storage", "misses")).isEmpty();
        assertThat(node.number("zookeeper", "events")).isEmpty();
    }

    @Test
    void aNameThatIsTakenIsRefused() {
        Metrics node = new Metrics();
        node.add("storage", metrics);

        assertThatThrownBy(() -> node.add("storage", List.of())).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> node.add("clients", List.of(metrics.getFirst(), metrics.getFirst())))
                .isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @CsvSource({
        "Log bytes,BYTES,Size.",
        "log_bytes,BYTES,Size.",
        "log,BYTES,Size.",
        "log bytes,MILLISECONDS,Size.",
        "log bytes,BYTES,Size",
        "log bytes,BYTES,''"
    })
    void aNameThatDoesNotEndInItsUnitAndAHelpThatIsNoSentenceAreRefused(String name, Unit unit, String help) {
        assertThatThrownBy(() -> new Counter(name, unit, help, () -> 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Gauge(name, unit, help, () -> 0)).isInstanceOf(IllegalArgumentException.class);
    }
}
