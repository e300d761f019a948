package dev.kv.server.resp;

import java.util.Iterator;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;

/** The clients of a door, whichever protocol they speak. Any thread. */
public final class Clients {
    /** The clients that are met in one turn: a line of CLIENT LIST takes about a microsecond. No key: kv.router.io-turn-max bounds all turns together. */
    private static final int MET_IN_TURN = 64;

    private final AtomicLong received = new AtomicLong();
    private final AtomicLong requestsOfClosed = new AtomicLong();
    private volatile long receivedAtReset;
    private volatile long requestsAtReset;

    /** By number. */
    private final ConcurrentNavigableMap<Long, RespSession> open = new ConcurrentSkipListMap<>();

    /** A number for the next client. */
    public long nextId() {
        return received.incrementAndGet();
    }

    public void add(RespSession client) {
        open.put(client.id(), client);
    }

    /** The connection of the client is closed. */
    public void remove(RespSession client) {
        if (open.remove(client.id(), client)) {
            requestsOfClosed.addAndGet(client.requests());
        }
    }

    /** A walk over all clients in bounded turns: each of those that are open all the time is met once, in the order in which they came. */
    abstract class Walk implements Question.InTurns {
        private final Iterator<RespSession> left = open.values().iterator();

        /** Meets a client. */
        abstract void meet(RespSession client);

        @Override
        public final boolean next() {
            for (int met = 0; met < MET_IN_TURN && left.hasNext(); met++) {
                meet(left.next());
            }
            return left.hasNext();
        }
    }

    /** The number of clients since the door was opened, or since the reset. */
    long received() {
        return received.get() - receivedAtReset;
    }

    /** The number of requests since the door was opened, or since the reset; those of the last moment may be missing. */
    long requests() {
        return allRequests() - requestsAtReset;
    }

    private long allRequests() {
        return requestsOfClosed.get()
                + open.values().stream().mapToLong(RespSession::requests).sum();
    }

    void reset() {
        receivedAtReset = received.get();
        requestsAtReset = allRequests();
    }
}
