package dev.kv.router.peer;

import dev.kv.router.ExpectedReply;
import dev.kv.router.Reply;
import java.util.function.Consumer;

/**
 * The requests of one link that are not sent yet, since much of the link's output is unsent, or since the replies to those in flight are
 * expected to take much: the other node, and each one behind it, sends short replies in one queue, as this one sends requests, in which those
 * of a client that has sent thousands of requests ahead would stand before those of all others. Each client has a request under way, and a
 * small share of what is expected, whatever others have asked for; of the rest, the streams take turns. On the link's loop only.
 */
final class ReplyTurns extends StreamQueues<Pending> {
    /** So many bytes of replies may be expected before requests wait: as many as a node has unsent before it runs no further one. */
    private static final int EXPECTED_MAX_BYTES = Link.CROWDED_MIN_BYTES;

    /** What a client has of it in any case, or one reply. */
    private static final int SHARE_BYTES = 64 * 1024;

    /** A short reply counts as this many bytes. */
    private static final int COUNTED_MIN_BYTES = 512;

    /** And as this many of a client that asks for values: the next one may be long, though it is not expected to be. */
    private static final int COUNTED_MIN_BYTES_OF_VALUES = 4096;

    /** What is known of this many streams is kept, and of as many as have requests in flight. */
    private static final int KEPT_LANES = 4096;

    private final Link link;
    private final Consumer<Pending> send;

    /** By stream. */
    private final IntMap<Lane> lanes = new IntMap<>();

    private int lanesMax = KEPT_LANES;
    private long expectedBytes;

    /** What is known of one stream. */
    private static final class Lane {
        private final ExpectedReply expected = new ExpectedReply();
        private int inFlight;

        /** What the reply to each of these counts as. */
        private int countedBytes = COUNTED_MIN_BYTES;
    }

    /**
     * @param send sends a request
     */
    ReplyTurns(Link link, Consumer<Pending> send) {
        super(Pending::sizeBytes);
        this.link = link;
        this.send = send;
    }

    private static int streamOf(Pending request) {
        return request.request().stream();
    }

    private Lane laneOf(Pending request) {
        int stream = streamOf(request);
        Lane lane = lanes.get(stream);
        if (lane == null) {
            if (lanes.size() >= lanesMax) {
                lanes.removeIf(one -> one.inFlight == 0);
                lanesMax = Math.max(KEPT_LANES, 2 * lanes.size());
            }
            lane = new Lane();
            lanes.put(stream, lane);
        }
        return lane;
    }

    /** Sends the request, or has it wait; returns whether it was sent. */
    boolean take(Pending request) {
        Lane lane = laneOf(request);
        if (hasOf(streamOf(request)) || !(isLittleUnderWay() || isWithinShare(lane))) {
            enqueue(streamOf(request), request.number(), request);
            return false;
        }
        begin(lane, request);
        return true;
    }

    private boolean isLittleUnderWay() {
        return !link.isCrowded() && expectedBytes < EXPECTED_MAX_BYTES;
    }

    /** Whether a stream may have one more under way whatever others have. */
    private boolean isWithinShare(Lane lane) {
        return lane.inFlight == 0 || (!link.isCrowded() && (lane.inFlight + 1) * lane.countedBytes <= SHARE_BYTES);
    }

    private void begin(Lane lane, Pending request) {
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
        Lane lane = laneOf(request);
        lane.expected.came(reply);
        count(lane);
        end(request);
        goOn(streamOf(request), lane);
    }

    /** The reply will not stand in the queue, or not soon: it is long, or the request waits at the other node. Has no effect the second time. */
    void end(Pending request) {
        if (!request.isCounted()) {
            return;
        }
        request.counts(false);
        Lane lane = laneOf(request);
        lane.inFlight--;
        expectedBytes -= lane.countedBytes;
        goOn(streamOf(request), lane);
    }

    private void goOn(int stream, Lane lane) {
        while (hasOf(stream) && isWithinShare(lane)) {
            begin(lane, nextOf(stream).getValue());
        }
        goOn();
    }

    /** Whether {@link #goOn} would send something. */
    boolean areReady() {
        return !isEmpty() && isLittleUnderWay();
    }

    /** Sends what may be sent; to be called whenever the link has sent something. */
    void goOn() {
        while (areReady()) {
            Pending next = next().getValue();
            begin(laneOf(next), next);
        }
    }
}
