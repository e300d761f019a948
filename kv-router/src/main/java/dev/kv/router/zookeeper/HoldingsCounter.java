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
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts the buckets on this node by its table: at once after a change of the table, which interrupts a count, else periodically. A count
 * may read a record of the log for each bucket, so it has a thread of its own: neither the table nor the registration waits for it.
 */
final class HoldingsCounter implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HoldingsCounter.class);

    /**
     * The time between two counts is at least this, and at least {@link #PAUSE_FACTOR} times as long as a count takes: so counting takes
     * at most a hundredth of a processor, on any machine and with any number of buckets, and needs no key.
     */
    private static final Duration PAUSE_MIN = Duration.ofSeconds(1);

    private static final int PAUSE_FACTOR = 100;

    private final String self;
    private final Consumer<BiPredicate<Bytes, Long>> buckets;
    private final Runnable changed;
    private final Thread thread =
            Thread.ofPlatform().name("kv-holdings").daemon().unstarted(this::run);

    /** The table to count by; null before the first. Written under this object's monitor. */
    private volatile Optional<SeenTable> table;

    private volatile boolean isClosed;

    /** The last count; null before the first. Under this object's monitor, as {@code isAwaited} is. */
    private Count last;

    private boolean isAwaited;

    /**
     * One count.
     *
     * @param by the table
     * @param held the buckets by entry of the table
     * @param fault why the buckets could not be counted; empty if they were
     */
    record Count(Optional<SeenTable> by, List<Holding> held, Misplaced misplaced, Optional<Throwable> fault) {
        /** The numbers of buckets by entry, then of misplaced ones. */
        private List<Long> numbers() {
            return Stream.concat(held.stream().map(Holding::buckets), Stream.of(misplaced.buckets()))
                    .toList();
        }
    }

    /**
     * @param buckets passes every bucket here, with its size in bytes, to its argument, until that returns false
     * @param changed is run, on the thread that counts, when a count that nobody awaits has other numbers than the one before
     */
    HoldingsCounter(String self, Consumer<BiPredicate<Bytes, Long>> buckets, Runnable changed) {
        this.self = self;
        this.buckets = buckets;
        this.changed = changed;
    }

    void start() {
        thread.start();
    }

    /** The last count by the table, if there is one, or one is made within the limit. By one thread. */
    synchronized Optional<Count> by(Optional<SeenTable> wanted, Duration limit) throws InterruptedException {
        if (!wanted.equals(table)) {
            table = wanted;
            notifyAll();
        }
        isAwaited = true;
        long deadlineNanos = System.nanoTime() + limit.toNanos();
        while (last == null || !last.by().equals(wanted)) {
            long leftNanos = deadlineNanos - System.nanoTime();
            if (leftNanos <= 0) {
                break;
            }
            wait(leftNanos / 1_000_000 + 1);
        }
        isAwaited = false;
        return Optional.ofNullable(last).filter(count -> count.by().equals(wanted));
    }

    /** Ends the count that is made, and makes no other one. */
    @Override
    public synchronized void close() {
        isClosed = true;
        notifyAll();
    }

    private void run() {
        long dueNanos = System.nanoTime();
        try {
            while (awaitDue(dueNanos)) {
                Optional<SeenTable> by = table;
                long startNanos = System.nanoTime();
                Count count = count(by);
                long tookNanos = System.nanoTime() - startNanos;
                dueNanos = System.nanoTime() + Math.max(PAUSE_MIN.toNanos(), PAUSE_FACTOR * tookNanos);
                if (!isCut(by)) {
                    keep(count);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Waits until a count is due; false if none will be. */
    private synchronized boolean awaitDue(long dueNanos) throws InterruptedException {
        while (!isClosed) {
            long leftNanos = dueNanos - System.nanoTime();
            if (table == null) {
                wait();
            } else if (last != null && last.by().equals(table) && leftNanos > 0) {
                wait(leftNanos / 1_000_000 + 1);
            } else {
                return true;
            }
        }
        return false;
    }

    private boolean isCut(Optional<SeenTable> by) {
        return isClosed || !by.equals(table);
    }

    /** What is counted; incomplete if the count {@linkplain #isCut was cut}. Whatever fails is part of the result, so that the thread goes on. */
    private Count count(Optional<SeenTable> by) {
        Holdings holdings =
                new Holdings(new Placement(self, by.flatMap(SeenTable::table).orElse(RoutingTable.EMPTY)));
        try {
            buckets.accept((name, bytes) -> {
                holdings.add(name, bytes);
                return !isCut(by);
            });
            return new Count(by, holdings.held(), holdings.misplaced(), Optional.empty());
        } catch (Throwable fault) {
            return new Count(by, List.of(), Misplaced.NONE, Optional.of(fault));
        }
    }

    private void keep(Count count) {
        Count before;
        boolean isTold;
        synchronized (this) {
            before = last;
            last = count;
            isTold = isAwaited;
            notifyAll();
        }
        boolean isOther = before == null || !before.by().equals(count.by());
        if (isOther && count.misplaced().buckets() > 0) {
            LOG.warn(
                    "misplaced here, the table sends them elsewhere: {}: {}",
                    count.misplaced().amount(),
                    count.misplaced().names());
        }
        boolean isFault = count.fault().isPresent();
        boolean wasFault = before != null && before.fault().isPresent();
        if (isFault && !wasFault) {
            LOG.error("a fault while counting the buckets here", count.fault().get());
        }
        if (!isTold && (isOther || isFault != wasFault || !count.numbers().equals(before.numbers()))) {
            changed.run();
        }
    }
}
