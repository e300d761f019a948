package dev.kv.router.peer;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Messages that wait to be sent on one link. Each is cut into chunks, and the chunks of different streams take turns, so that
 * a large message delays no other stream; within a stream messages go one after the other. On the link's loop only.
 */
final class Outbox {
    /** The most that one frame carries. */
    static final int CHUNK_MAX_BYTES = 64 * 1024;

    /** Handed to the socket ahead of what it has sent: enough to keep it busy, and what a new message waits behind. */
    private static final int WINDOW_BYTES = 2 * CHUNK_MAX_BYTES;

    private final Link link;

    /** By stream, those whose turn comes first at the front. */
    private final Map<Long, ArrayDeque<Message>> streams = new LinkedHashMap<>();

    private long waitingBytes;

    Outbox(Link link) {
        this.link = link;
    }

    /** A message of the link. */
    static final class Message {
        private final byte frame;
        private final int number;
        private final byte[] body;
        private final Runnable moved;
        private int position;

        /**
         * @param frame the kind of frame that carries it
         * @param number of the request that it belongs to
         * @param moved to be run when one of several chunks has been handed to the socket
         */
        Message(byte frame, int number, byte[] body, Runnable moved) {
            this.frame = frame;
            this.number = number;
            this.body = body;
            this.moved = moved;
        }

        /** Whether all of it was handed to the socket. */
        boolean isSent() {
            return position == body.length;
        }

        /** Whether any of it was handed to the socket. */
        boolean isBegun() {
            return position > 0;
        }

        private int leftBytes() {
            return body.length - position;
        }
    }

    void send(long stream, Message message) {
        ArrayDeque<Message> queue = streams.get(stream);
        if (queue == null && message.body.length <= CHUNK_MAX_BYTES && link.unsent() < WINDOW_BYTES) {
            sendChunk(message);
            return;
        }
        if (queue == null) {
            queue = new ArrayDeque<>();
            streams.put(stream, queue);
        }
        queue.add(message);
        waitingBytes += message.leftBytes();
        pump();
    }

    /** Sends as much as the socket should have; to be called whenever it has sent some. */
    void pump() {
        while (!streams.isEmpty() && link.unsent() < WINDOW_BYTES) {
            Iterator<Map.Entry<Long, ArrayDeque<Message>>> first =
                    streams.entrySet().iterator();
            Map.Entry<Long, ArrayDeque<Message>> stream = first.next();
            ArrayDeque<Message> queue = stream.getValue();
            first.remove();
            waitingBytes -= sendChunk(queue.peek());
            if (queue.peek().isSent()) {
                queue.remove();
            }
            if (!queue.isEmpty()) {
                streams.put(stream.getKey(), queue);
            }
        }
    }

    /** Takes back what is left of a message. */
    void withdraw(long stream, Message message) {
        ArrayDeque<Message> queue = streams.get(stream);
        if (queue != null && queue.remove(message)) {
            waitingBytes -= message.leftBytes();
            if (queue.isEmpty()) {
                streams.remove(stream);
            }
        }
    }

    /** Whether all was handed to the socket. */
    boolean isEmpty() {
        return streams.isEmpty();
    }

    /** Bytes that were not handed to the socket yet. */
    long waitingBytes() {
        return waitingBytes;
    }

    private int sendChunk(Message message) {
        int length = Math.min(CHUNK_MAX_BYTES, message.leftBytes());
        boolean last = message.position + length == message.body.length;
        link.sendChunk(message.frame, message.number, last, message.body, message.position, length);
        message.position += length;
        if (message.body.length > CHUNK_MAX_BYTES) {
            message.moved.run();
        }
        return length;
    }
}
