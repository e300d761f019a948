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
 * The streams of one link of which a write {@linkplain LongReply.UnderWay#holdsBack holds back} what comes behind it. On the link's loop
 * only.
 */
final class HeldStreams {
    private final Map<Integer, Held> streams = new HashMap<>();
    private long bytes;

    /** One stream: the requests behind the write, by number. */
    private static final class Held {
        private final LongReply.UnderWay write;
        private final SequencedMap<Integer, Request> behind;
        private long bytes;
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

    /**
     * Holds a stream back.
     *
     * @param behind what of the stream waits already, by number
     */
    void hold(Request request, LongReply.UnderWay write, SequencedMap<Integer, Request> behind) {
        Held held = new Held(write, behind);
        streams.put(request.stream(), held);
        charge(
                held,
                bytes(request)
                        + behind.values().stream().mapToLong(HeldStreams::bytes).sum());
    }

    /** Has a request wait behind the write of its stream. */
    void add(int number, Request request) {
        Held held = streams.get(request.stream());
        held.behind.put(number, request);
        charge(held, bytes(request));
    }

    /** Drops a request that waits. */
    void remove(int number, int stream) {
        Held held = streams.get(stream);
        charge(held, -bytes(held.behind.remove(number)));
    }

    /** Holds a stream back no longer; returns what waited, by number. */
    SequencedMap<Integer, Request> release(int stream) {
        Held held = streams.remove(stream);
        charge(held, -held.bytes);
        return held.behind;
    }

    /** The numbers of the requests behind writes that have had a turn, or wait for one that had, since this was called last. */
    List<Integer> moved() {
        List<Integer> moved = new ArrayList<>();
        streams.values().stream().filter(Held::hasMoved).forEach(held -> moved.addAll(held.behind.keySet()));
        return moved;
    }

    /** The memory that the writes and the requests behind them take, in bytes. */
    long bytes() {
        return bytes;
    }

    void clear() {
        streams.clear();
        bytes = 0;
    }

    private void charge(Held held, long more) {
        held.bytes += more;
        bytes += more;
    }

    private static long bytes(Request request) {
        return CommandCodec.sizeOf(request.command());
    }
}
