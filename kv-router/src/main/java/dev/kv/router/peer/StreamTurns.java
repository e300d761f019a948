package dev.kv.router.peer;

import dev.kv.router.Request;
import dev.kv.router.peer.codec.CommandCodec;
import java.util.Map;
import java.util.function.ObjIntConsumer;

/**
 * The requests of one link that are not run yet since much of the link's output is unsent. The streams take turns, a request each: all short
 * replies leave in one queue, in which those of a client that has sent thousands of requests ahead would stand before those of all others.
 * On the link's loop only.
 */
final class StreamTurns extends StreamQueues<Request> {
    /** So many requests run in a turn of the loop. No key: kv.router.io-turn-max bounds all turns together. */
    private static final int REQUESTS_IN_TURN = 16;

    private final Link link;
    private final ObjIntConsumer<Request> run;
    private final Runnable whenFewer;

    private boolean isScheduled;

    /**
     * @param run runs the request of a number
     * @param whenFewer is run when some were run
     */
    StreamTurns(Link link, ObjIntConsumer<Request> run, Runnable whenFewer) {
        super(request -> CommandCodec.sizeOf(request.command()));
        this.link = link;
        this.run = run;
        this.whenFewer = whenFewer;
    }

    /** Whether a request has to wait. */
    boolean areBusy() {
        return !isEmpty() || link.isCrowded();
    }

    /** Has a request wait. */
    void add(int number, Request request) {
        enqueue(request.stream(), number, request);
        goOn();
    }

    /** Whether {@link #goOn} would run something. */
    boolean areReady() {
        return !isEmpty() && !link.isCrowded();
    }

    /** Runs what may run, in turns of the loop; to be called whenever the link has sent something. */
    void goOn() {
        if (!isScheduled && areReady()) {
            isScheduled = true;
            link.loop().inTurns(() -> {
                link.guard("a request", this::runSome);
                isScheduled = areReady();
                return isScheduled;
            });
        }
    }

    private void runSome() {
        for (int i = 0; i < REQUESTS_IN_TURN && areReady(); i++) {
            Map.Entry<Integer, Request> next = next();
            run.accept(next.getValue(), next.getKey());
        }
        whenFewer.run();
    }
}
