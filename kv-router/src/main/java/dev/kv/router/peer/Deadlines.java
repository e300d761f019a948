package dev.kv.router.peer;

import dev.kv.router.net.Loop;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Watches the deadlines of requests, which move with each progress, with one timer for all. The time that a check takes is bounded by the
 * number of requests (kv.router.in-flight-max). On one loop only.
 */
final class Deadlines {
    private final Loop loop;
    private final Supplier<? extends Collection<Pending>> requests;
    private final Consumer<Pending> expired;
    private boolean armed;
    private long armedForNanos;

    /**
     * @param requests the requests to watch; asked when the timer ends
     * @param expired is given each request that was not answered by its deadline; may remove it
     */
    Deadlines(Loop loop, Supplier<? extends Collection<Pending>> requests, Consumer<Pending> expired) {
        this.loop = loop;
        this.requests = requests;
        this.expired = expired;
    }

    /** Watches the deadline of the request, which is one of the requests to watch. */
    void watch(Pending request) {
        armFor(request.deadlineNanos());
    }

    private void armFor(long deadlineNanos) {
        if (!armed || deadlineNanos - armedForNanos < 0) {
            armed = true;
            armedForNanos = deadlineNanos;
            loop.after(Duration.ofNanos(Math.max(0, deadlineNanos - System.nanoTime())), this::check);
        }
    }

    private void check() {
        long now = System.nanoTime();
        if (!armed || now - armedForNanos < 0) {
            return; // The timer was armed again: for an earlier time, which was handled, or for a later one with its
            // own task.
        }
        armed = false;
        List<Pending> late = new ArrayList<>();
        for (Pending request : requests.get()) {
            if (!request.isAnswered()) {
                if (now - request.deadlineNanos() >= 0) {
                    late.add(request);
                } else {
                    armFor(request.deadlineNanos());
                }
            }
        }
        for (Pending request : late) {
            if (!request.isAnswered()) {
                expired.accept(request);
            }
        }
    }
}
