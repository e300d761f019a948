package dev.kv.router.spi;

import dev.kv.router.metrics.Metric;
import java.time.Duration;
import java.util.List;

/** A started part of this node. */
public interface Running {
    /** What this part measures and reports, in the order in which it is shown; always the same metrics. Any thread. */
    List<Metric> metrics();

    /**
     * Stops in order: accepts no new work, finishes work in flight, and releases its resources. Returns when that is done; after
     * {@code limit} it cuts off the rest.
     */
    void stop(Duration limit);
}
