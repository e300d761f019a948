package dev.kv.router.peer;

import dev.kv.router.net.Budget;
import dev.kv.router.net.Connection;
import dev.kv.router.peer.codec.MalformedMessage;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * A connection between two nodes: frames, and the messages that they carry in chunks. Requests travel from the caller to the
 * called node and replies back; two nodes that ask each other have a link each.
 *
 * <p>A frame is a 4-byte length of what follows it, a byte for its kind, and its content. REQUEST and REPLY carry a byte that
 * says whether more of the message follows, the number of the request, and a chunk of the message.
 */
abstract class Link extends Connection {
    static final byte HELLO = 1;
    static final byte CHALLENGE = 2;
    static final byte PROOF = 3;
    static final byte WELCOME = 4;
    static final byte REFUSED = 5;
    static final byte REQUEST = 16;
    static final byte REPLY = 17;
    /** Of the request with the number that follows, a part has moved on: keep waiting. */
    static final byte PROGRESS = 18;
    /** The rest of the request with the number that follows will not come: forget it. */
    static final byte CANCEL = 19;
    /** The called node is about to stop: ask it nothing more, and close when it has answered. */
    static final byte GOAWAY = 20;

    /** The longest frame before the other side has proved itself: names are the most of it. */
    private static final int HANDSHAKE_FRAME_MAX_BYTES = 2048;

    /** A kind, whether more follows, the number. */
    private static final int CHUNK_HEADER_BYTES = 1 + 1 + 4;

    private static final int FRAME_MAX_BYTES = CHUNK_HEADER_BYTES + Outbox.CHUNK_MAX_BYTES;

    /**
     * What the kernel takes ahead of the network. Left to itself it takes megabytes, which any other message would wait
     * behind; this much fills a gigabit per second at a round trip of 2 ms.
     */
    private static final int SEND_BUFFER_BYTES = 256 * 1024;

    private final Outbox outbox = new Outbox(this);
    private final Map<Integer, Assembly> assemblies = new HashMap<>();
    private final long messageMaxBytes;
    private final Budget assembling;
    private boolean trusted;

    /**
     * @param unsentMaxBytes as in {@link Connection}
     * @param messageMaxBytes the longest message that is taken
     * @param assembling the memory for unfinished messages, shared with other links
     */
    Link(Socket socket, long unsentMaxBytes, long messageMaxBytes, Budget assembling) {
        // Frames are short, so unfinished ones need no budget.
        super(socket, unsentMaxBytes, new Budget(Long.MAX_VALUE));
        this.messageMaxBytes = messageMaxBytes;
        this.assembling = assembling;
        sendBuffer(SEND_BUFFER_BYTES);
    }

    /** A frame of the handshake. */
    abstract void handshake(byte kind, ByteBuffer content) throws MalformedMessage;

    /**
     * A whole message.
     *
     * @param body what was sent; empty if it was longer than can be held here
     */
    abstract void message(byte kind, int number, Optional<ByteBuffer> body) throws MalformedMessage;

    /** A frame about the request with this number; 0 for {@link #GOAWAY}. */
    abstract void notice(byte kind, int number) throws MalformedMessage;

    /** Warns of what the other side does; it may do it often, and the log has to stay readable. */
    abstract void warn(Supplier<String> line);

    /** A chunk of an unfinished message has come. */
    abstract void moved(int number);

    /** The other side has proved itself: from now on there are messages, and no handshake. */
    final void trust() {
        trusted = true;
    }

    final boolean isTrusted() {
        return trusted;
    }

    final Outbox outbox() {
        return outbox;
    }

    final long unsent() {
        return unsentBytes();
    }

    @Override
    protected void sent() {
        outbox.pump();
    }

    @Override
    protected boolean hasMoreToSend() {
        return !outbox.isEmpty();
    }

    @Override
    protected void closed() {
        assemblies.values().forEach(this::drop);
        assemblies.clear();
    }

    @Override
    protected final boolean read(ByteBuffer input) {
        if (input.remaining() < Integer.BYTES) {
            return false;
        }
        int start = input.position();
        int length = input.getInt(start);
        if (length < 1 || length > (trusted ? FRAME_MAX_BYTES : HANDSHAKE_FRAME_MAX_BYTES)) {
            malformed("a frame of " + Integer.toUnsignedString(length) + " bytes");
            return false;
        }
        if (input.remaining() < Integer.BYTES + length) {
            return false;
        }
        byte kind = input.get(start + Integer.BYTES);
        ByteBuffer content = input.slice(start + Integer.BYTES + 1, length - 1);
        input.position(start + Integer.BYTES + length);
        try {
            frame(kind, content);
        } catch (MalformedMessage e) {
            malformed(e.getMessage());
        }
        return true;
    }

    private void frame(byte kind, ByteBuffer content) throws MalformedMessage {
        if (!trusted) {
            handshake(kind, content);
            return;
        }
        switch (kind) {
            case REQUEST, REPLY -> chunk(kind, content);
            case PROGRESS, CANCEL -> notice(kind, number(content));
            case GOAWAY -> notice(kind, 0);
            default -> throw new MalformedMessage("unknown kind of frame " + kind);
        }
    }

    private static int number(ByteBuffer content) throws MalformedMessage {
        if (content.remaining() != Integer.BYTES) {
            throw new MalformedMessage("a number of " + content.remaining() + " bytes");
        }
        return content.getInt();
    }

    private void malformed(String what) {
        warn(() -> "closed the connection of " + remote() + ": " + what);
        close();
    }

    /** A message that comes in several chunks. */
    private static final class Assembly {
        private final List<byte[]> chunks = new ArrayList<>();
        private int bytes;
        private boolean tooLong;

        void add(ByteBuffer content) {
            byte[] chunk = new byte[content.remaining()];
            content.get(chunk);
            chunks.add(chunk);
            bytes += chunk.length;
        }

        ByteBuffer whole() {
            ByteBuffer whole = ByteBuffer.allocate(bytes);
            chunks.forEach(whole::put);
            return whole.flip();
        }
    }

    private void chunk(byte kind, ByteBuffer content) throws MalformedMessage {
        if (content.remaining() < CHUNK_HEADER_BYTES - 1) {
            throw new MalformedMessage("a chunk of " + content.remaining() + " bytes");
        }
        boolean more = content.get() != 0;
        int number = content.getInt();
        Assembly assembly = assemblies.get(number);
        if (assembly == null) {
            if (!more) {
                message(kind, number, Optional.of(content));
                return;
            }
            assembly = new Assembly();
            assemblies.put(number, assembly);
        }
        if (more && !content.hasRemaining()) {
            throw new MalformedMessage("an empty chunk of a message that goes on");
        }
        if (assembly.tooLong
                || assembly.bytes + content.remaining() > messageMaxBytes
                || !assembling.take(content.remaining())) {
            assembly.tooLong = true;
            drop(assembly);
        } else {
            assembly.add(content);
        }
        if (more) {
            moved(number);
            return;
        }
        assemblies.remove(number);
        Optional<ByteBuffer> body = assembly.tooLong ? Optional.empty() : Optional.of(assembly.whole());
        drop(assembly);
        message(kind, number, body);
    }

    /** Drops what has come of an unfinished message. */
    final void forget(int number) {
        Assembly assembly = assemblies.remove(number);
        if (assembly != null) {
            drop(assembly);
        }
    }

    private void drop(Assembly assembly) {
        assembling.give(assembly.bytes);
        assembly.chunks.clear();
        assembly.bytes = 0;
    }

    final void sendFrame(byte kind, byte[] content) {
        send(ByteBuffer.allocate(Integer.BYTES + 1)
                .putInt(1 + content.length)
                .put(kind)
                .array());
        send(content);
    }

    final void sendNotice(byte kind, int number) {
        sendFrame(kind, ByteBuffer.allocate(Integer.BYTES).putInt(number).array());
    }

    /** Sends one chunk of a message, by the outbox. */
    final void sendChunk(byte kind, int number, boolean last, byte[] body, int offset, int length) {
        send(ByteBuffer.allocate(Integer.BYTES + CHUNK_HEADER_BYTES)
                .putInt(CHUNK_HEADER_BYTES + length)
                .put(kind)
                .put((byte) (last ? 0 : 1))
                .putInt(number)
                .array());
        send(body, offset, length);
    }

    /** Closes the connection unless the other side has proved itself by then. */
    final void expectTrustWithin(Duration timeout) {
        loop().after(timeout, () -> {
            if (!trusted && !isClosed()) {
                close();
            }
        });
    }
}
