package dev.kv.router;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A command that is sent from node to node.
 *
 * @param command the command
 * @param stream requests of one stream on one bucket run in their order; one stream for each client
 * @param path the nodes that have forwarded it, in order; empty at the node that the client is connected to
 * @param timeLeft how long the node before this one waits for progress; at least a millisecond
 * @param takenMillis when the first node took it, in milliseconds since 1970 by that node's clock, so that what depends on the
 *     time comes out the same on every node
 * @param holder the term by which it goes to who holds its bucket, whatever the tables say; empty: the tables decide
 * @param id what a repetition of it is known by; empty: it is not repeated
 * @param progress to be run when a part of the request or its reply has moved on, so that those who wait go on waiting
 */
public record Request(
        Command command,
        int stream,
        List<Visit> path,
        Duration timeLeft,
        long takenMillis,
        Optional<Term> holder,
        Optional<Id> id,
        Runnable progress) {
    /** Longer than any timeout between nodes: no node has forwarded the request. */
    public static final Duration UNLIMITED = Duration.ofDays(1);

    /**
     * A node that has forwarded a request.
     *
     * @param node the node's name
     * @param table the version of its table, 0 for the static table
     */
    public record Visit(String node, long table) {}

    /** A term in which a node holds buckets: the higher epoch wins, then the higher count. */
    public record Term(long epoch, long count) {}

    /**
     * What a repetition of a request is known by.
     *
     * @param origin drawn by the process that first sent it
     * @param number counts its requests
     * @param lowestUnanswered no number below will be repeated
     */
    public record Id(long origin, long number, long lowestUnanswered) {}

    public Request {
        path = List.copyOf(path);
    }

    /** A command as it comes from a client. */
    public static Request of(Command command, int stream, long takenMillis) {
        return new Request(
                command, stream, List.of(), UNLIMITED, takenMillis, Optional.empty(), Optional.empty(), () -> {});
    }

    /** Another command on the same way. */
    public Request with(Command other) {
        return new Request(other, stream, path, timeLeft, takenMillis, holder, id, progress);
    }

    /** The same request in another stream. */
    public Request onStream(int otherStream) {
        return new Request(command, otherStream, path, timeLeft, takenMillis, holder, id, progress);
    }

    /** The same request, forwarded by one more node. */
    public Request via(Visit visit) {
        if (path.isEmpty()) {
            return new Request(command, stream, List.of(visit), timeLeft, takenMillis, holder, id, progress);
        }
        List<Visit> longer = new ArrayList<>(path.size() + 1);
        longer.addAll(path);
        longer.add(visit);
        return new Request(command, stream, longer, timeLeft, takenMillis, holder, id, progress);
    }
}
