package dev.kv.router.spi;

import dev.kv.router.metrics.Metric;
import java.time.Duration;
import java.util.List;

/** A part of this node that was started and is to be stopped. */
public interface Running {
    /** What this part measures and reports, in the order in which it is shown; always the same metrics. Any thread. */
    List<Metric> metrics();

    /**
     * Stops in order: takes nothing new, finishes what is in flight, and lets go of what it holds. Returns when that is done,
     * or after {@code limit} with whatever was left undone cut off.
     */
    void stop(Duration limit);
}
