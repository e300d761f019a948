package dev.kv.router.spi;

import java.time.Duration;
import java.util.Map;

/** A part of this node that was started and is to be stopped. */
public interface Running {
    /** What {@code kv status} says of this part: names and values ready for print. Any thread. */
    Map<String, String> status();

    /**
     * Stops in order: takes nothing new, finishes what is in flight, and lets go of what it holds. Returns when that is done,
     * or after {@code limit} with whatever was left undone cut off.
     */
    void stop(Duration limit);
}
