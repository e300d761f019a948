package dev.kv.router.zookeeper;

import dev.kv.router.Bytes;
import dev.kv.router.placement.Holding;
import dev.kv.router.placement.Holdings;
import dev.kv.router.placement.Misplaced;
import dev.kv.router.placement.Placement;
import dev.kv.router.table.RoutingTable;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.BiPredicate;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Counts the buckets on this node by its table: at once after a change of the table, else periodically. One thread. */
final class HoldingsCounter {
    private static final Logger LOG = LoggerFactory.getLogger(HoldingsCounter.class);

    /**
     * The time between two counts is at least this, and at least {@link #PAUSE_FACTOR} times as long as a count takes: so counting takes
     * at most a hundredth of a processor, on any machine and with any number of buckets, and needs no key.
     */
    private static final Duration PAUSE_MIN = Duration.ofSeconds(1);

    private static final int PAUSE_FACTOR = 100;

    private final String self;
    private final Consumer<BiPredicate<Bytes, Long>> buckets;
    private boolean isCounted;
    private Optional<SeenTable> countedBy = Optional.empty();

    /** When the next count is due, by {@link System#nanoTime}. */
    private long dueNanos = System.nanoTime();

    private List<Holding> held = List.of();
    private Misplaced misplaced = Misplaced.NONE;

    /**
     * @param buckets passes every bucket here, with its size in bytes, to its argument, until that returns false
     */
    HoldingsCounter(String self, Consumer<BiPredicate<Bytes, Long>> buckets) {
        this.self = self;
        this.buckets = buckets;
    }

    /**
     * Counts, if that is due. A count of millions of buckets takes a while; a change of the table interrupts it.
     *
     * @param isCut whether to stop counting
     * @return whether the numbers are complete; false if the count was stopped
     */
    boolean count(Optional<SeenTable> table, BooleanSupplier isCut) {
        long startNanos = System.nanoTime();
        boolean isOfTable = isCountedBy(table);
        if (isOfTable && startNanos - dueNanos < 0) {
            return true;
        }
        dueNanos = startNanos + PAUSE_MIN.toNanos();
        Holdings holdings =
                new Holdings(new Placement(self, table.flatMap(SeenTable::table).orElse(RoutingTable.EMPTY)));
        buckets.accept((name, bytes) -> {
            holdings.add(name, bytes);
            return !isCut.getAsBoolean();
        });
        if (isCut.getAsBoolean()) {
            return false;
        }
        held = holdings.held();
        misplaced = holdings.misplaced();
        if (!isOfTable && misplaced.buckets() > 0) {
            LOG.warn("misplaced here, the table sends them elsewhere: {}: {}", misplaced.amount(), misplaced.names());
        }
        isCounted = true;
        countedBy = table;
        long tookNanos = System.nanoTime() - startNanos;
        dueNanos = System.nanoTime() + Math.max(PAUSE_MIN.toNanos(), PAUSE_FACTOR * tookNanos);
        return true;
    }

    /** Whether the numbers are by this table. */
    boolean isCountedBy(Optional<SeenTable> table) {
        return isCounted
                && table.map(SeenTable::mzxid).equals(countedBy.map(SeenTable::mzxid))
                && table.map(SeenTable::source).equals(countedBy.map(SeenTable::source));
    }

    long dueNanos() {
        return dueNanos;
    }

    List<Holding> held() {
        return held;
    }

    Misplaced misplaced() {
        return misplaced;
    }

    /** The numbers of buckets by entry, then of misplaced ones. */
    List<Long> numbers() {
        return Stream.concat(held.stream().map(Holding::buckets), Stream.of(misplaced.buckets()))
                .toList();
    }
}
