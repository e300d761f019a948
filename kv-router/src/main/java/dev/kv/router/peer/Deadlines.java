package dev.kv.router.peer;

import dev.kv.router.net.Loop;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Consumer;

/** Watches the deadlines of requests, which move while there is progress, with one timer for all. On one loop only. */
final class Deadlines {
    private final Loop loop;
    private final Collection<Pending> requests;
    private final Consumer<Pending> expired;
    private boolean armed;
    private long armedForNanos;

    /**
     * @param requests those to watch, as they are when the timer runs out
     * @param expired hears of those that were not answered by their deadline; may remove them
     */
    Deadlines(Loop loop, Collection<Pending> requests, Consumer<Pending> expired) {
        this.loop = loop;
        this.requests = requests;
        this.expired = expired;
    }

    /** Sees to it that the request's deadline is kept; the request is among those to watch. */
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
            return; // Armed anew for an earlier time, which has passed, or a later one, which has a timer of its own.
        }
        armed = false;
        List<Pending> late = new ArrayList<>();
        for (Pending request : requests) {
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
