package dev.kv.router.peer;

import dev.kv.router.LongReply;
import dev.kv.router.Request;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ObjIntConsumer;

/**
 * When the requests of one link are run: at once, but for those whose replies may be long and are built whole. These wait while
 * the replies that wait to be sent take all the memory that there is for them, and after one of them the loop has its turn
 * before the next. What comes behind one that waits, in its stream, waits for it; the streams take turns. On the link's loop only.
 */
final class Admission {
    private final Link link;
    private final Room replies;
    private final long largestBytes;
    private final ObjIntConsumer<Request> run;

    /** By stream, the requests that wait, by number: the stream that has its turn next is first. No queue is empty. */
    private final LinkedHashMap<Integer, LinkedHashMap<Integer, Request>> waiting = new LinkedHashMap<>();

    /** By number, the streams of the requests that wait. */
    private final Map<Integer, Integer> streams = new HashMap<>();

    /** The place in the line for memory, if one waits there. */
    private Optional<Room.Claim> place = Optional.empty();

    private boolean isTurnOver;

    /**
     * @param replies the memory for long replies that were built whole, shared with other links
     * @param largestBytes what is charged for a reply of unknown length
     * @param run runs the request of a number
     */
    Admission(Link link, Room replies, long largestBytes, ObjIntConsumer<Request> run) {
        this.link = link;
        this.replies = replies;
        this.largestBytes = largestBytes;
        this.run = run;
    }

    /** Runs the request, or keeps it to be run later; tells whether it was run. */
    boolean admit(int number, Request request) {
        boolean isBehind = !waiting.isEmpty() && waiting.containsKey(request.stream());
        if (!isBehind
                && !(LongReply.mayFollow(request.command())
                        && (isTurnOver || !waiting.isEmpty() || replies.isFull()))) {
            run.accept(request, number);
            return true;
        }
        waiting.computeIfAbsent(request.stream(), _ -> new LinkedHashMap<>()).put(number, request);
        streams.put(number, request.stream());
        if (!isBehind) {
            advance();
        }
        return false;
    }

    /** A long reply waits to be sent. The result is to be run when that is over. */
    Runnable hold(long bytes) {
        replies.charge(bytes);
        if (!isTurnOver) {
            isTurnOver = true;
            link.loop()
                    .defer(() -> link.guard("a request", () -> {
                        isTurnOver = false;
                        advance();
                    }));
        }
        return () -> replies.give(bytes);
    }

    /**
     * A reply is under way that may be long. From when it begins to be built, it is charged as one of the largest size. The result is to be
     * run when it is there, or nobody awaits it.
     */
    Runnable expect(LongReply.UnderWay reply) {
        Building building = new Building();
        reply.whenBegun(building::begin);
        return building::end;
    }

    /** What is charged for a reply that is being built. Any thread. */
    private final class Building {
        private long chargedBytes;
        private boolean isOver;

        synchronized void begin() {
            if (!isOver && chargedBytes == 0) {
                chargedBytes = largestBytes;
                replies.charge(largestBytes);
            }
        }

        synchronized void end() {
            isOver = true;
            replies.give(chargedBytes);
            chargedBytes = 0;
        }
    }

    /** Runs what may run. A stream runs one request with a long reply, and what is behind it up to the next one; then the next has its turn. */
    private void advance() {
        while (!waiting.isEmpty()) {
            int stream = waiting.firstEntry().getKey();
            if (isNextLong(stream)) {
                if (!takesTurn()) {
                    return;
                }
                waiting.putLast(stream, waiting.get(stream));
                runNext(stream);
                // By now the reply is charged itself, if it is there or being built.
                leavePlace();
            }
            runShort(stream);
        }
        leavePlace();
    }

    private boolean isNextLong(int stream) {
        return LongReply.mayFollow(waiting.get(stream).firstEntry().getValue().command());
    }

    private void runNext(int stream) {
        Map.Entry<Integer, Request> next = waiting.get(stream).firstEntry();
        forget(next.getKey());
        run.accept(next.getValue(), next.getKey());
    }

    private boolean takesTurn() {
        if (isTurnOver) {
            return false;
        }
        if (place.isEmpty()) {
            place = Optional.of(
                    replies.claimUnknown(largestBytes, link.loop(), () -> link.guard("a request", this::advance)));
        }
        return place.get().isGranted();
    }

    private void leavePlace() {
        place.ifPresent(Room.Claim::release);
        place = Optional.empty();
    }

    /** Drops the request of this number if it was not run; tells whether it did. Takes the same time for any number of requests. */
    private boolean forget(int number) {
        Integer stream = streams.remove(number);
        if (stream == null) {
            return false;
        }
        LinkedHashMap<Integer, Request> queue = waiting.get(stream);
        queue.remove(number);
        if (queue.isEmpty()) {
            waiting.remove(stream);
        }
        return true;
    }

    /** Nobody awaits the request of this number any more: the same, and what is behind it is run as far as it waits for no memory. */
    boolean cancel(int number) {
        Integer stream = streams.get(number);
        if (!forget(number)) {
            return false;
        }
        link.loop().defer(() -> link.guard("a request", () -> runShort(stream)));
        return true;
    }

    private void runShort(int stream) {
        while (waiting.containsKey(stream) && !isNextLong(stream)) {
            runNext(stream);
        }
    }

    /** Whether the request of this number waits. */
    boolean has(int number) {
        return streams.containsKey(number);
    }

    /** How many wait. */
    int size() {
        return streams.size();
    }

    /** The numbers of those that wait. */
    List<Integer> waiting() {
        return List.copyOf(streams.keySet());
    }

    /** The link is closed: nothing is run any more. */
    void close() {
        waiting.clear();
        streams.clear();
        leavePlace();
    }
}
