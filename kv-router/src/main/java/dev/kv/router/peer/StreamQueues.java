package dev.kv.router.peer;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.ToLongFunction;

/** Requests of one link that wait, in a queue for each stream: the streams take turns, a request each. On the link's loop only. */
abstract class StreamQueues<T> {
    /** By stream, then by number. The first stream has the next turn. No queue is empty. */
    private final LinkedHashMap<Integer, SequencedMap<Integer, T>> queues = new LinkedHashMap<>();

    /** The stream of each, by number. */
    private final Map<Integer, Integer> streams = new HashMap<>();

    private final ToLongFunction<T> length;
    private long bytes;
    private boolean haveMoved;

    /**
     * @param length the bytes of a request
     */
    StreamQueues(ToLongFunction<T> length) {
        this.length = length;
    }

    /** Has a request wait. */
    final void enqueue(int stream, int number, T request) {
        queues.computeIfAbsent(stream, _ -> new LinkedHashMap<>()).put(number, request);
        streams.put(number, stream);
        bytes += length.applyAsLong(request);
    }

    /** Removes the request that has the next turn; returns its number and itself. */
    final Map.Entry<Integer, T> next() {
        int stream = queues.firstEntry().getKey();
        queues.putLast(stream, queues.get(stream));
        return nextOf(stream);
    }

    /** Removes the next request of a stream that has one. */
    final Map.Entry<Integer, T> nextOf(int stream) {
        Map.Entry<Integer, T> next = queues.get(stream).firstEntry();
        forget(next.getKey());
        haveMoved = true;
        return next;
    }

    /** Drops the request of this number; returns whether it waited. */
    final boolean forget(int number) {
        Integer stream = streams.remove(number);
        if (stream == null) {
            return false;
        }
        SequencedMap<Integer, T> queue = queues.get(stream);
        bytes -= length.applyAsLong(queue.remove(number));
        if (queue.isEmpty()) {
            queues.remove(stream);
        }
        return true;
    }

    final boolean isEmpty() {
        return streams.isEmpty();
    }

    /** Whether the request of this number waits. */
    final boolean has(int number) {
        return !streams.isEmpty() && streams.containsKey(number);
    }

    /** Whether a request of the stream waits. */
    final boolean hasOf(int stream) {
        return !streams.isEmpty() && queues.containsKey(stream);
    }

    /** How many wait. */
    final int size() {
        return streams.size();
    }

    /** What those take that wait. */
    final long bytes() {
        return bytes;
    }

    /** The numbers of those that wait, if others have had their turn since this was called last. */
    final List<Integer> moved() {
        List<Integer> moved = haveMoved ? List.copyOf(streams.keySet()) : List.of();
        haveMoved = false;
        return moved;
    }

    /** The link is closed: none of them has a turn any more. */
    final void close() {
        queues.clear();
        streams.clear();
        bytes = 0;
    }
}
