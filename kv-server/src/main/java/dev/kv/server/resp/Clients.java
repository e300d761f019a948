package dev.kv.server.resp;

import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;

/** The clients of a door, whichever protocol they speak. Any thread. */
public final class Clients {
    private final AtomicLong received = new AtomicLong();
    private final AtomicLong requestsOfClosed = new AtomicLong();
    private volatile long receivedAtReset;
    private volatile long requestsAtReset;
    private final ConcurrentMap<Long, RespSession> open = new ConcurrentHashMap<>();

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

    /** The clients that match, in the order in which they came. */
    List<RespSession> matching(Predicate<RespSession> wanted) {
        return open.values().stream()
                .filter(wanted)
                .sorted(Comparator.comparingLong(RespSession::id))
                .toList();
    }

    /**
     * Closes the connections of the clients that match; that of the client that asks, once it is answered.
     *
     * @return how many there are
     */
    int kill(Predicate<RespSession> wanted, RespSession asking) {
        List<RespSession> killed = matching(wanted);
        for (RespSession client : killed) {
            if (client == asking) {
                client.quit();
            } else {
                client.kill();
            }
        }
        return killed.size();
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
