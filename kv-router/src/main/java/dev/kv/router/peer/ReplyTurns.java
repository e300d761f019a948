package dev.kv.router.peer;

import dev.kv.router.ExpectedReply;
import dev.kv.router.Reply;
import java.util.List;
import java.util.function.Consumer;

/**
 * The requests of one link that are not sent yet, since the replies to those in flight are expected to take much: the other node, and each
 * one behind it, sends short replies in one queue, in which those of a client that has sent thousands of requests ahead would stand before
 * those of all others. Each client has a small share of what is expected, whatever others have asked for; of the rest, the streams take
 * turns. On the link's loop only.
 */
final class ReplyTurns {
    /** So many bytes of replies may be expected before requests wait: as many as a node has unsent before it runs no further one. */
    private static final int EXPECTED_MAX_BYTES = Link.CROWDED_MIN_BYTES;

    /** What a client has of it in any case, or one reply. */
    private static final int SHARE_BYTES = 64 * 1024;

    /** A short reply counts as this many bytes. */
    private static final int COUNTED_MIN_BYTES = 512;

    /** And as this many of a client that asks for values: the next one may be long, though it is not expected to be. */
    private static final int COUNTED_MIN_BYTES_OF_VALUES = 4096;

    /** A power of two. Streams that share a lane take turns as one. */
    private static final int LANES = 1024;

    private final Consumer<Pending> send;
    private final StreamQueues<Pending> waiting = new StreamQueues<>(Pending::sizeBytes);
    private final Lane[] lanes = new Lane[LANES];
    private long expectedBytes;
    private boolean haveSent;

    /** What is known of one stream. */
    private static final class Lane {
        /** The last one. */
        private int stream;

        private ExpectedReply expected = new ExpectedReply();
        private int inFlight;

        /** What the reply to each of these counts as. */
        private int countedBytes = COUNTED_MIN_BYTES;

        boolean isWithinShare() {
            return inFlight == 0 || (inFlight + 1) * countedBytes <= SHARE_BYTES;
        }
    }

    /**
     * @param send sends a request
     */
    ReplyTurns(Consumer<Pending> send) {
        this.send = send;
    }

    private static int laneOf(Pending request) {
        int stream = request.request().stream();
        return (stream ^ (stream >>> 16)) & (LANES - 1);
    }

    /** Sends the request, or has it wait; returns whether it was sent. */
    boolean take(Pending request) {
        int number = laneOf(request);
        Lane lane = lanes[number];
        if (lane == null) {
            lane = new Lane();
            lanes[number] = lane;
        }
        if (waiting.hasOf(number) || (isMuchExpected() && !lane.isWithinShare())) {
            waiting.add(number, request.number(), request);
            return false;
        }
        begin(request);
        return true;
    }

    private boolean isMuchExpected() {
        return expectedBytes >= EXPECTED_MAX_BYTES;
    }

    private void begin(Pending request) {
        Lane lane = lanes[laneOf(request)];
        int stream = request.request().stream();
        if (lane.stream != stream) {
            lane.stream = stream;
            lane.expected = new ExpectedReply();
        }
        lane.expected.asked(request.request().command());
        count(lane);
        lane.inFlight++;
        expectedBytes += lane.countedBytes;
        request.counts(true);
        send.accept(request);
    }

    private void count(Lane lane) {
        int bytes = Math.max(
                lane.expected.bytes(), lane.expected.isOfValues() ? COUNTED_MIN_BYTES_OF_VALUES : COUNTED_MIN_BYTES);
        expectedBytes += (long) lane.inFlight * (bytes - lane.countedBytes);
        lane.countedBytes = bytes;
    }

    /** The reply to the request has come. */
    void came(Pending request, Reply reply) {
        Lane lane = lanes[laneOf(request)];
        if (lane.stream == request.request().stream()) {
            lane.expected.came(reply);
            count(lane);
        }
        end(request);
        sendThoseWhoseTurnItIs(laneOf(request));
    }

    /** The reply will not stand in the queue, or not soon: it is long, or the request waits at the other node. Has no effect the second time. */
    void end(Pending request) {
        if (!request.isCounted()) {
            return;
        }
        request.counts(false);
        int number = laneOf(request);
        Lane lane = lanes[number];
        lane.inFlight--;
        expectedBytes -= lane.countedBytes;
        sendThoseWhoseTurnItIs(number);
    }

    private void sendThoseWhoseTurnItIs(int number) {
        while (waiting.hasOf(number) && lanes[number].isWithinShare()) {
            sendWaiting(waiting.nextOf(number).getValue());
        }
        while (!waiting.isEmpty() && !isMuchExpected()) {
            sendWaiting(waiting.next().getValue());
        }
    }

    private void sendWaiting(Pending request) {
        haveSent = true;
        begin(request);
    }

    /** Drops the request of this number; returns whether it waited. */
    boolean forget(int number) {
        return waiting.forget(number);
    }

    /** Whether the request of this number waits. */
    boolean has(int number) {
        return waiting.has(number);
    }

    /** How many wait. */
    int size() {
        return waiting.size();
    }

    /** What those take that wait. */
    long bytes() {
        return waiting.bytes();
    }

    /** The numbers of those that wait, if others were sent since this was called last. */
    List<Integer> moved() {
        List<Integer> moved = haveSent ? waiting.numbers() : List.of();
        haveSent = false;
        return moved;
    }

    /** The link is closed: none of them is sent any more. */
    void close() {
        waiting.clear();
    }
}
