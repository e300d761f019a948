package dev.kv.router.peer;

import dev.kv.router.Command;
import dev.kv.router.LongReply;
import dev.kv.router.Request;
import dev.kv.router.peer.codec.CommandCodec;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.function.ObjIntConsumer;

/**
 * When the requests of one link run. A request whose reply may be long and is built in memory waits while such replies take all
 * memory for them; all other requests run at once. At most one such request starts in a turn of the loop. A request waits behind
 * an older one of its stream that waits, or that {@linkplain #holdBack holds the stream back}. The streams take turns. One that the node
 * puts off, such as a read behind a large change of its bucket, waits for the memory when it is to begin. What has waited runs only while
 * little of the link's output is unsent: its replies would take the memory together. On the link's loop only.
 */
final class Admission {
    private final Link link;
    private final Room replies;
    private final long largestBytes;
    private final ObjIntConsumer<Request> run;

    /** The waiting requests by stream, then by number. The first stream has the next turn. No queue is empty. */
    private final LinkedHashMap<Integer, SequencedMap<Integer, Request>> waiting = new LinkedHashMap<>();

    /** What these take, in bytes. */
    private long waitingBytes;

    private final long waitingMaxBytes;
    private final HeldStreams held;

    /** The stream of each waiting request, by number. */
    private final Map<Integer, Integer> streams = new HashMap<>();

    /** By number, the replies that may be long and are not there. */
    private final Map<Integer, Building> underWay = new HashMap<>();

    /** The streams whose next requests wait until more of the link's output is sent. */
    private final SequencedSet<Integer> postponed = new LinkedHashSet<>();

    /** The claim for memory that has not been granted yet; empty if there is none. */
    private Optional<Room.Claim> place = Optional.empty();

    private boolean isTurnOver;

    /**
     * @param replies the memory for long replies that were built whole, shared with other links
     * @param largestBytes what is charged for a reply of unknown length
     * @param waitingMaxBytes what the requests take that wait for memory, and those of {@link HeldStreams}
     * @param run runs the request of a number
     */
    Admission(Link link, Room replies, long largestBytes, long waitingMaxBytes, ObjIntConsumer<Request> run) {
        this.link = link;
        this.replies = replies;
        this.largestBytes = largestBytes;
        this.waitingMaxBytes = waitingMaxBytes;
        this.held = new HeldStreams(waitingMaxBytes);
        this.run = run;
    }

    /** Whether there is memory for a request, should it have to wait: for the memory of its reply, or for a slow disk. */
    boolean mayTake(Request request) {
        return held.mayTake(request) && (waitingBytes < waitingMaxBytes || !(isBehind(request) || isToWait(request)));
    }

    /** Whether there is memory for a further long request, should it have to wait for a slow disk. */
    boolean mayTakeLong() {
        return held.mayTakeLong();
    }

    /** Runs the request, or keeps it to be run later; tells whether it was run. */
    boolean admit(int number, Request request) {
        if (held.has(request.stream())) {
            held.add(number, request);
            streams.put(number, request.stream());
            return false;
        }
        boolean isBehind = isBehind(request);
        if (!isBehind && !isToWait(request)) {
            run.accept(request, number);
            return true;
        }
        waiting.computeIfAbsent(request.stream(), _ -> new LinkedHashMap<>()).put(number, request);
        waitingBytes += bytes(request);
        streams.put(number, request.stream());
        if (!isBehind) {
            advance();
        }
        return false;
    }

    private boolean isBehind(Request request) {
        return !waiting.isEmpty() && waiting.containsKey(request.stream());
    }

    /** Whether it may have a long reply, for which there is no memory now. */
    private boolean isToWait(Request request) {
        return LongReply.mayFollow(request.command()) && (isTurnOver || !waiting.isEmpty() || replies.isFull());
    }

    private static long bytes(Request request) {
        return CommandCodec.sizeOf(request.command());
    }

    private static long bytes(SequencedMap<Integer, Request> requests) {
        return requests.values().stream().mapToLong(Admission::bytes).sum();
    }

    /**
     * A write of a stream was given to the node, and holds back what comes behind it.
     *
     * @param released is run when the stream goes on
     */
    void holdBack(Request request, LongReply.UnderWay write, Runnable released) {
        int stream = request.stream();
        SequencedMap<Integer, Request> behind = waiting.remove(stream);
        waitingBytes -= behind == null ? 0 : bytes(behind);
        held.hold(request, write, behind == null ? new LinkedHashMap<>() : behind);
        write.whenPlaced(() -> link.guard("a request", () -> {
            if (held.has(stream)) {
                goOn(stream);
                released.run();
            }
        }));
    }

    private void goOn(int stream) {
        SequencedMap<Integer, Request> behind = held.release(stream);
        if (!behind.isEmpty()) {
            waiting.put(stream, behind);
            waitingBytes += bytes(behind);
            runShort(stream);
            advance();
        }
    }

    /** Whether {@link #goOn()} would run something. */
    boolean isReady() {
        return !postponed.isEmpty() && !link.isCrowded();
    }

    /** Runs what waited for the output of the link; to be called whenever that has sent something. */
    void goOn() {
        if (!isReady()) {
            return;
        }
        for (int n = postponed.size(); n > 0 && isReady(); n--) {
            runShort(postponed.removeFirst());
        }
        if (postponed.isEmpty()) {
            advance();
        }
    }

    /** Charges a long reply that waits to be sent. The caller runs the result when it was sent or dropped. */
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
     * Charges a reply that is not handed on yet. One that is there counts at its size. One that may be long counts at the largest size: that of
     * a read, or of a write which waits for the disk, from when it begins; that of another write at once. The caller runs the result when the
     * reply is handed on, or was cancelled.
     */
    Runnable expect(int number, Command command, LongReply.UnderWay reply) {
        if (reply.replyBytes() > 0) {
            replies.charge(reply.replyBytes());
            return () -> replies.give(reply.replyBytes());
        }
        if (!LongReply.mayFollow(command)) {
            return () -> {};
        }
        Building building = new Building();
        underWay.put(number, building);
        boolean canWait = command.isRead() || reply.holdsBack();
        if (!reply.admitBy(canWait ? building::admit : Runnable::run) || !canWait) {
            building.charge();
        }
        return () -> {
            underWay.remove(number, building);
            building.end();
        };
    }

    /** The memory for a reply that is being built, or its place in the line for it. Any thread. */
    private final class Building {
        private long chargedBytes;
        private Optional<Room.Claim> claim = Optional.empty();

        /** Begins the command, when the claim is granted. */
        private Optional<Runnable> waiting = Optional.empty();

        private boolean isOver;

        synchronized void charge() {
            chargedBytes = largestBytes;
            replies.charge(largestBytes);
        }

        void admit(Runnable command) {
            synchronized (this) {
                if (!isOver) {
                    waiting = Optional.of(command);
                    claim = Optional.of(replies.claimUnknown(largestBytes, link.loop(), this::run));
                    return;
                }
            }
            command.run();
        }

        private void run() {
            Optional<Runnable> command;
            synchronized (this) {
                command = waiting;
                waiting = Optional.empty();
            }
            command.ifPresent(Runnable::run);
        }

        synchronized boolean isWaiting() {
            return waiting.isPresent();
        }

        /** A command that waits is run now, since nobody awaits its reply any more. */
        void end() {
            synchronized (this) {
                isOver = true;
                replies.give(chargedBytes);
                chargedBytes = 0;
                claim.ifPresent(Room.Claim::release);
            }
            run();
        }
    }

    /** Runs what may run. A stream runs one request with a long reply, and what is behind it up to the next one; then the next has its turn. */
    private void advance() {
        while (!waiting.isEmpty() && postponed.isEmpty()) {
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
        if (held.has(stream)) {
            held.remove(number, stream);
            return true;
        }
        SequencedMap<Integer, Request> queue = waiting.get(stream);
        waitingBytes -= bytes(queue.remove(number));
        if (queue.isEmpty()) {
            waiting.remove(stream);
        }
        return true;
    }

    /** The request of this number was cancelled: does the same, and runs what is behind it and waits for no memory. */
    boolean cancel(int number) {
        Integer stream = streams.get(number);
        if (!forget(number)) {
            return false;
        }
        link.loop().defer(() -> link.guard("a request", () -> runShort(stream)));
        return true;
    }

    /** Runs the short requests of a stream up to the next long one, or postpones the rest while much of the link's output is unsent. */
    private void runShort(int stream) {
        while (waiting.containsKey(stream) && !isNextLong(stream)) {
            if (link.isCrowded()) {
                postponed.add(stream);
                return;
            }
            runNext(stream);
        }
    }

    /** Whether the request of this number waits. */
    boolean has(int number) {
        return streams.containsKey(number);
    }

    /** Number of waiting requests. */
    int size() {
        return streams.size();
    }

    /** The numbers of the requests whose callers are to wait on: all that wait, but for those held back by writes that do not move. */
    List<Integer> waiting() {
        List<Integer> numbers = held.moved();
        underWay.forEach((number, building) -> {
            if (building.isWaiting()) {
                numbers.add(number);
            }
        });
        waiting.values().forEach(queue -> numbers.addAll(queue.keySet()));
        return numbers;
    }

    /** The link is closed: no request runs any more. */
    void close() {
        waiting.clear();
        postponed.clear();
        waitingBytes = 0;
        held.clear();
        streams.clear();
        leavePlace();
    }
}
