package dev.kv.router.peer;

import dev.kv.router.LongReply;
import dev.kv.router.Request;
import dev.kv.router.peer.codec.CommandCodec;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * The streams of one link of which a write {@linkplain LongReply.UnderWay#holdsBack holds back} what comes behind it. What they hold is
 * bounded: further short requests are refused, and long ones do not get the credit to come. On the link's loop only.
 */
final class HeldStreams {
    private final Map<Integer, Held> streams = new HashMap<>();
    private final long maxBytes;

    /** What the short requests that are held take, in bytes. */
    private long shortBytes;

    /** The same of the long ones. */
    private long longBytes;

    /**
     * @param maxBytes what short requests may take, those of one stream half of it; and what long ones take when no more of them may come
     */
    HeldStreams(long maxBytes) {
        this.maxBytes = maxBytes;
    }

    /** One stream: the requests behind the write, by number. */
    private static final class Held {
        private final LongReply.UnderWay write;
        private final SequencedMap<Integer, Request> behind;
        private long shortBytes;
        private long longBytes;
        private long seen;

        Held(LongReply.UnderWay write, SequencedMap<Integer, Request> behind) {
            this.write = write;
            this.behind = behind;
            this.seen = write.progress();
        }

        boolean hasMoved() {
            long now = write.progress();
            boolean hasMoved = now != seen;
            seen = now;
            return hasMoved;
        }
    }

    boolean has(int stream) {
        return !streams.isEmpty() && streams.containsKey(stream);
    }

    /** Whether a request may be run, or wait behind the write of its stream. */
    boolean mayTake(Request request) {
        if (streams.isEmpty()) {
            return true;
        }
        Held held = streams.get(request.stream());
        if (held == null) {
            return request.command().isRead() || shortBytes < maxBytes;
        }
        long bytes = bytes(request);
        return isLong(bytes) || (shortBytes + bytes <= maxBytes && held.shortBytes + bytes <= maxBytes / 2);
    }

    /** Whether long requests may come. */
    boolean mayTakeLong() {
        return longBytes < maxBytes;
    }

    /**
     * Holds a stream back.
     *
     * @param behind what of the stream waits already, by number
     */
    void hold(Request request, LongReply.UnderWay write, SequencedMap<Integer, Request> behind) {
        Held held = new Held(write, behind);
        streams.put(request.stream(), held);
        charge(held, bytes(request), 1);
        behind.values().forEach(one -> charge(held, bytes(one), 1));
    }

    /** Has a request wait behind the write of its stream. */
    void add(int number, Request request) {
        Held held = streams.get(request.stream());
        held.behind.put(number, request);
        charge(held, bytes(request), 1);
    }

    /** Drops a request that waits. */
    void remove(int number, int stream) {
        Held held = streams.get(stream);
        charge(held, bytes(held.behind.remove(number)), -1);
    }

    /** Holds a stream back no longer; returns what waited, by number. */
    SequencedMap<Integer, Request> release(int stream) {
        Held held = streams.remove(stream);
        shortBytes -= held.shortBytes;
        longBytes -= held.longBytes;
        return held.behind;
    }

    /** The numbers of the requests behind writes that have had a turn, or wait for one that had, since this was called last. */
    List<Integer> moved() {
        List<Integer> moved = new ArrayList<>();
        streams.values().stream().filter(Held::hasMoved).forEach(held -> moved.addAll(held.behind.keySet()));
        return moved;
    }

    void clear() {
        streams.clear();
        shortBytes = 0;
        longBytes = 0;
    }

    private void charge(Held held, long bytes, int sign) {
        if (isLong(bytes)) {
            held.longBytes += sign * bytes;
            longBytes += sign * bytes;
        } else {
            held.shortBytes += sign * bytes;
            shortBytes += sign * bytes;
        }
    }

    /** Whether a request of so many bytes comes on credit. */
    private static boolean isLong(long bytes) {
        return bytes > Outbox.CHUNK_MAX_BYTES;
    }

    private static long bytes(Request request) {
        return CommandCodec.sizeOf(request.command());
    }
}
