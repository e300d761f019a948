package dev.kv.router.peer;

import dev.kv.router.LongReply;
import dev.kv.router.Request;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ObjIntConsumer;

/**
 * When the requests of one link are run: at once, but for those whose replies may be long and are built whole. These wait while
 * the replies that wait to be sent take all the memory that there is for them, and after one of them the loop has its turn
 * before the next. What comes behind one that waits, in its stream, waits for it. On the link's loop only.
 */
final class Admission {
    private final Link link;
    private final Room replies;
    private final ObjIntConsumer<Request> run;

    /** By stream, in the order in which they came. */
    private final Map<Integer, ArrayDeque<Waiting>> waiting = new LinkedHashMap<>();

    /** The place in the line for memory, if one waits there. */
    private Optional<Room.Claim> place = Optional.empty();

    private int size;
    private boolean isTurnOver;

    private record Waiting(int number, Request request) {}

    /**
     * @param replies the memory for long replies that were built whole, shared with other links
     * @param run runs the request of a number
     */
    Admission(Link link, Room replies, ObjIntConsumer<Request> run) {
        this.link = link;
        this.replies = replies;
        this.run = run;
    }

    /** Runs the request, or keeps it to be run later; tells whether it was run. */
    boolean admit(int number, Request request) {
        ArrayDeque<Waiting> queue = waiting.isEmpty() ? null : waiting.get(request.stream());
        if (queue != null) {
            queue.add(new Waiting(number, request));
            size++;
            return false;
        }
        if (LongReply.mayFollow(request.command()) && (isTurnOver || !waiting.isEmpty() || replies.isFull())) {
            waiting.computeIfAbsent(request.stream(), _ -> new ArrayDeque<>()).add(new Waiting(number, request));
            size++;
            advance();
            return false;
        }
        run.accept(request, number);
        return true;
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
    Runnable expect(LongReply.UnderWay reply, long largestBytes) {
        Building building = new Building();
        reply.whenBegun(() -> building.begin(largestBytes));
        return building::end;
    }

    /** What is charged for a reply that is being built. Any thread. */
    private final class Building {
        private long chargedBytes;
        private boolean isOver;

        synchronized void begin(long bytes) {
            if (!isOver && chargedBytes == 0) {
                chargedBytes = bytes;
                replies.charge(bytes);
            }
        }

        synchronized void end() {
            isOver = true;
            replies.give(chargedBytes);
            chargedBytes = 0;
        }
    }

    private void advance() {
        Iterator<ArrayDeque<Waiting>> queues = waiting.values().iterator();
        while (queues.hasNext()) {
            ArrayDeque<Waiting> queue = queues.next();
            while (!queue.isEmpty()) {
                Waiting next = queue.peek();
                if (LongReply.mayFollow(next.request().command()) && !takesTurn()) {
                    return;
                }
                queue.remove();
                size--;
                run.accept(next.request(), next.number());
            }
            queues.remove();
        }
    }

    private boolean takesTurn() {
        if (isTurnOver) {
            return false;
        }
        if (place.isEmpty()) {
            place = Optional.of(
                    replies.claim(1, Room.Claimant.alone(), link.loop(), () -> link.guard("a request", this::advance)));
        }
        if (!place.get().isGranted()) {
            return false;
        }
        place.get().release();
        place = Optional.empty();
        return true;
    }

    /** Drops the request of this number if it was not run; tells whether it did. */
    boolean forget(int number) {
        for (ArrayDeque<Waiting> queue : waiting.values()) {
            if (queue.removeIf(one -> one.number() == number)) {
                size--;
                return true;
            }
        }
        return false;
    }

    /** How many wait. */
    int size() {
        return size;
    }

    /** The numbers of those that wait. */
    List<Integer> waiting() {
        return waiting.isEmpty()
                ? List.of()
                : waiting.values().stream()
                        .flatMap(ArrayDeque::stream)
                        .map(Waiting::number)
                        .toList();
    }

    /** The link is closed: nothing is run any more. */
    void close() {
        waiting.clear();
        size = 0;
        place.ifPresent(Room.Claim::release);
        place = Optional.empty();
    }
}
