package dev.kv.router.peer;

import dev.kv.router.peer.codec.Encoded;
import dev.kv.router.peer.codec.MalformedMessage;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The messages that one link has to send, of many streams. A short message goes to the socket at once, past all long ones. A
 * long one is offered first; it is sent in chunks, as far as the other side has given credit for it, and long messages take
 * turns chunk by chunk; those of up to 1 MiB have every other chunk. Within a stream a message waits until those before it were
 * sent as a whole. {@link Link} tells the rules that both sides keep to. On the link's loop only.
 */
final class Outbox {
    /** Largest content of a frame; a longer message is a long one. A part of the protocol. */
    static final int CHUNK_MAX_BYTES = 64 * 1024;

    /** The unsent bytes that the socket has at most before it gets a further chunk: enough to keep it busy. A short message waits behind them. */
    private static final int WINDOW_BYTES = 2 * CHUNK_MAX_BYTES;

    /** A message up to this length does not take turns with all longer ones: it has every other chunk, with others of its kind. */
    private static final int LITTLE_MAX_BYTES = 1 << 20;

    private final Link link;

    /** The messages of each stream that has a long message under way; it is the first of its queue. */
    private final Map<Long, ArrayDeque<Message>> streams = new HashMap<>();

    /** The long messages under way, by the number of the request. */
    private final Map<Integer, Message> offered = new HashMap<>();

    /** Those of them that have credit left; the first one of each has the next turn, and they take turns with one another. */
    private final ArrayDeque<Message> ready = new ArrayDeque<>();

    private final ArrayDeque<Message> readyLittle = new ArrayDeque<>();
    private boolean isTurnOfLittle;

    private long waitingBytes;

    Outbox(Link link) {
        this.link = link;
    }

    /** A message of the link. */
    static final class Message {
        private final byte frame;
        private final int number;
        private final long stream;
        private final long size;
        private final Runnable moved;
        private final Runnable done;

        /** Null when all of it was handed to the socket: the request that it belongs to may wait long. */
        private Encoded body;

        private int part;
        private int positionInPart;
        private long sentBytes;
        private long creditBytes;

        /**
         * @param frame the kind of frame that carries it
         * @param number of the request that it belongs to
         * @param moved to be run when one of several chunks has been handed to the socket
         * @param done to be run when nothing more of it will be sent; its bytes must stay until then
         */
        Message(byte frame, int number, long stream, Encoded body, Runnable moved, Runnable done) {
            this.frame = frame;
            this.number = number;
            this.stream = stream;
            this.size = body.size();
            this.body = body;
            this.moved = moved;
            this.done = done;
        }

        /** Whether all of it was handed to the socket. */
        boolean isSent() {
            return sentBytes == size;
        }

        private boolean isShort() {
            return size <= CHUNK_MAX_BYTES;
        }

        private long leftBytes() {
            return size - sentBytes;
        }

        private ByteBuffer part() {
            return body.parts().get(part);
        }

        private void advance(int bytes) {
            sentBytes += bytes;
            positionInPart += bytes;
            if (isSent()) {
                body = null;
            } else if (positionInPart == part().limit()) {
                part++;
                positionInPart = 0;
            }
        }
    }

    /** Whether a message of the stream would wait behind a long one. */
    boolean has(long stream) {
        return !streams.isEmpty() && streams.containsKey(stream);
    }

    void send(Message message) {
        ArrayDeque<Message> queue = streams.isEmpty() ? null : streams.get(message.stream);
        if (queue == null && message.isShort()) {
            sendShort(message);
            return;
        }
        waitingBytes += message.leftBytes();
        if (queue == null) {
            queue = new ArrayDeque<>();
            streams.put(message.stream, queue);
            queue.add(message);
            begin(message);
            pump();
        } else {
            queue.add(message);
        }
    }

    /** Hands chunks to the socket while it has fewer unsent bytes than the bound; to be called whenever it has sent some. */
    void pump() {
        while (isReady() && link.unsent() < WINDOW_BYTES) {
            isTurnOfLittle = ready.isEmpty() || (!isTurnOfLittle && !readyLittle.isEmpty());
            Message message = (isTurnOfLittle ? readyLittle : ready).poll();
            try {
                waitingBytes -= sendChunk(message);
            } catch (InternalError | IllegalStateException e) {
                // A page of the value cannot be read, or it was taken away: it was held for too long.
                link.warn(() -> "gave up a reply half-way: " + e.getMessage());
                waitingBytes -= message.leftBytes();
                link.sendNotice(Link.CANCEL, message.number);
                end(message);
                continue;
            }
            if (message.isSent()) {
                end(message);
            } else if (message.creditBytes > 0) {
                readyOf(message).add(message);
            }
        }
    }

    private ArrayDeque<Message> readyOf(Message message) {
        return message.size <= LITTLE_MAX_BYTES ? readyLittle : ready;
    }

    /** Adds credit in bytes to the long message of this number, which may have been withdrawn meanwhile. */
    void credit(int number, long bytes) throws MalformedMessage {
        Message message = offered.get(number);
        if (bytes == 0) {
            throw new MalformedMessage("credit for 0 bytes");
        }
        if (message != null) {
            if (message.creditBytes == 0) {
                readyOf(message).add(message);
            }
            message.creditBytes += bytes;
            pump();
        }
    }

    /**
     * Takes back what is left of a message.
     *
     * @return whether the other side has heard of it
     */
    boolean withdraw(Message message) {
        ArrayDeque<Message> queue = streams.get(message.stream);
        if (queue == null || !queue.contains(message)) {
            return message.isSent();
        }
        waitingBytes -= message.leftBytes();
        if (queue.peek() == message) {
            readyOf(message).remove(message);
            end(message);
            pump();
            return true;
        }
        queue.remove(message);
        message.done.run();
        return false;
    }

    /** The same for the long message of this number, if one is under way. */
    boolean withdraw(int number) {
        Message message = offered.get(number);
        return message != null && withdraw(message);
    }

    /** The link is closed: nothing more will be sent. */
    void close() {
        List<Message> left =
                streams.values().stream().flatMap(Collection::stream).toList();
        streams.clear();
        offered.clear();
        ready.clear();
        readyLittle.clear();
        waitingBytes = 0;
        left.forEach(message -> message.done.run());
    }

    /** Whether {@link #pump} would send more to a socket that takes it. */
    boolean isReady() {
        return !ready.isEmpty() || !readyLittle.isEmpty();
    }

    /** Number of long messages that were offered and are not wholly sent. */
    int size() {
        return offered.size();
    }

    /** Number of bytes that were not handed to the socket yet. */
    long waitingBytes() {
        return waitingBytes;
    }

    private void begin(Message message) {
        offered.put(message.number, message);
        if (link.givesCredit()) {
            link.sendOffer(message.number, message.body);
        } else {
            message.creditBytes = message.body.size();
            readyOf(message).add(message);
        }
    }

    /** The first message of its stream is no longer under way: short ones that waited behind it go, the next long one begins. */
    private void end(Message message) {
        offered.remove(message.number);
        message.done.run();
        ArrayDeque<Message> queue = streams.get(message.stream);
        queue.remove();
        while (!queue.isEmpty() && queue.peek().isShort()) {
            Message next = queue.remove();
            waitingBytes -= next.leftBytes();
            sendShort(next);
        }
        if (queue.isEmpty()) {
            streams.remove(message.stream);
        } else {
            begin(queue.peek());
        }
    }

    private void sendShort(Message message) {
        sendChunk(message);
        message.done.run();
    }

    /** Sends as much as one chunk may hold, from one part of the message. */
    private int sendChunk(Message message) {
        ByteBuffer part = message.part();
        int from = message.positionInPart;
        int allowed = message.isShort() ? CHUNK_MAX_BYTES : (int) Math.min(CHUNK_MAX_BYTES, message.creditBytes);
        int length = Math.min(allowed, part.limit() - from);
        boolean isLast = message.leftBytes() == length;
        link.sendChunk(message.frame, message.number, isLast, part, from, length);
        message.advance(length);
        if (!message.isShort()) {
            message.creditBytes -= length;
            message.moved.run();
        }
        return length;
    }
}
