package dev.kv.router.peer;

import dev.kv.router.net.Budget;
import dev.kv.router.net.Connection;
import dev.kv.router.net.OpenSocket;
import dev.kv.router.peer.codec.Encoded;
import dev.kv.router.peer.codec.MalformedMessage;
import dev.kv.router.peer.codec.MessageWriter;
import dev.kv.router.peer.codec.Received;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.function.Supplier;

/**
 * A connection between two nodes: frames, and the messages that they carry. Requests travel from the caller to the called node
 * and replies back; two nodes that ask each other have a link each. A frame is a 4-byte length of what follows it, a byte for
 * its kind, and its content.
 *
 * <p>A message is a request or a reply, known by the number of the request. Messages of one <i>stream</i> are sent one after
 * another: requests bear the stream of their client, so that they run in its order, and each reply is a stream of its own. A
 * short message is one chunk of at most 64 KiB and is sent at once, past all long ones.
 *
 * <p>A long message is sent on <i>credit</i>, which its receiver gives, and nobody else: the sender offers it and tells how
 * long it is; the receiver takes the memory for it out of {@link Room}, waiting in line for it if need be, and then gives
 * credit for so many bytes; the sender sends chunks while it has credit, and long messages take turns. A sender sends no more than
 * its receiver has memory for, so a message that waits holds up no other one on the link. While it waits, PROGRESS restarts the timeout of
 * its request. CANCEL ends it: the caller sends one when nobody awaits the reply any more, and the called node answers with one, or sends
 * one when it gives up a reply half-way.
 *
 * <p>A link of version 1 gives no credit: the sender sends, and what the receiver has no room for is dropped.
 *
 * <p>It is over 400 lines, as it alone knows how each frame is read and written, and what both sides have to decide about it.
 */
abstract class Link extends Connection {
    static final byte HELLO = 1;
    static final byte CHALLENGE = 2;
    static final byte PROOF = 3;
    static final byte WELCOME = 4;
    static final byte REFUSED = 5;
    static final byte REQUEST = 16;
    static final byte REPLY = 17;
    /** The request with the number that follows goes on, or waits for something else than the caller: keep waiting. */
    static final byte PROGRESS = 18;
    /** The rest of the request with the number that follows, or of its reply, is not sent: drop it. */
    static final byte CANCEL = 19;
    /** The called node is about to stop: ask it nothing more, and close when it has answered. */
    static final byte GOAWAY = 20;
    /** A long message: its number, the bytes of its head, and the bytes of its tail. */
    static final byte OFFER = 21;
    /** Of the long message with the number that follows so many more bytes are taken. */
    static final byte CREDIT = 22;

    /** The first version with OFFER and CREDIT. */
    private static final int VERSION_OF_CREDIT = 2;

    /** The longest frame before the other side has proved itself: names are the most of it. */
    private static final int HANDSHAKE_FRAME_MAX_BYTES = 2048;

    /** A kind, whether more follows, the number. */
    private static final int CHUNK_HEADER_BYTES = 1 + 1 + 4;

    private static final int FRAME_MAX_BYTES = CHUNK_HEADER_BYTES + Outbox.CHUNK_MAX_BYTES;

    /**
     * What the kernel buffers in each direction. Left to itself it buffers megabytes, which a short message would wait behind: a loop reads
     * 64 KiB in each iteration. This much fills a gigabit per second at a round trip of 2 ms.
     */
    private static final int KERNEL_BUFFER_BYTES = 256 * 1024;

    /** Enough unsent output to keep the socket busy, and 8 ms at a gigabit per second for what comes behind it. */
    static final int CROWDED_MIN_BYTES = 1 << 20;

    /** How often PROGRESS is sent within the timeout of a request that waits. */
    private static final int TOLD_IN_TIMEOUT = 4;

    /** The shortest interval of PROGRESS: a request may have almost no time left. It is the smallest kv.router.timeout. */
    private static final Duration TOLD_EVERY_MIN = Duration.ofMillis(50);

    private final byte incoming;

    /** Writes short messages. */
    private final MessageWriter writer = new MessageWriter();

    /** The head of a frame that carries a message: it is copied when it is sent. */
    private final ByteBuffer header = ByteBuffer.allocate(Integer.BYTES + CHUNK_HEADER_BYTES);

    private final Outbox outbox = new Outbox(this);
    private final Inbox inbox;

    private Duration tellEvery = Duration.ZERO;
    private boolean telling;

    /** Counts the timers for that, of which the last one counts. */
    private int tellings;

    /** The version that both sides speak; 0 until they have proved themselves. */
    private int version;

    /**
     * @param incoming the kind of messages that the other side sends
     * @param unsentMaxBytes as in {@link Connection}
     */
    Link(OpenSocket socket, byte incoming, long unsentMaxBytes, PeerSettings settings) {
        // Frames are short, so unfinished ones need no budget.
        super(socket, unsentMaxBytes, new Budget(Long.MAX_VALUE));
        this.incoming = incoming;
        this.inbox = new Inbox(this, settings.messageMaxBytes(), settings.room());
        kernelBuffers(KERNEL_BUFFER_BYTES);
    }

    /** A frame of the handshake. */
    abstract void handshake(byte kind, ByteBuffer content) throws MalformedMessage;

    /**
     * The other side begins with something else than a frame, so that it is no node. Closes the connection.
     *
     * @param input what came of it, which stays
     */
    abstract void noFrame(ByteBuffer input);

    /**
     * A whole message.
     *
     * @param body valid during the call only, unless it {@linkplain Received#isLasting lasts}
     * @param memory to be released when nobody holds the tail any more
     */
    abstract void message(int number, Received body, Room.Place memory) throws MalformedMessage;

    /** The message of this number is longer than a bound of this node: it is not received. */
    abstract void tooLong(int number) throws MalformedMessage;

    /** Whether a long message of this number may come, of which nothing has come yet. */
    abstract void announced(int number) throws MalformedMessage;

    /** Restarts the timeouts of all requests that wait here, and sends PROGRESS for them; returns whether there are any. */
    abstract boolean tellWaiting();

    /** Counts in a message of this number and length that is offered; returns whether it fits with what came before it. */
    abstract boolean takes(int number, long length);

    /** Claims memory for the message of this number, which was offered. */
    abstract Room.Place claim(int number, long bytes, Runnable whenGranted);

    /** The message of this number waits for room here. */
    abstract void waits(int number);

    /** There is room for the message of this number now. */
    abstract void granted(int number);

    /** A chunk of an unfinished message has come. */
    abstract void moved(int number);

    /** A frame about the request with this number; 0 for {@link #GOAWAY}. */
    abstract void notice(byte kind, int number) throws MalformedMessage;

    /** Logs a warning about the other side, at a bounded rate. */
    abstract void warn(Supplier<String> line);

    /** The other side has proved itself: from now on both sides send messages of this version. */
    final void trust(int commonVersion) {
        version = commonVersion;
    }

    final boolean isTrusted() {
        return version > 0;
    }

    final int version() {
        return version;
    }

    final boolean givesCredit() {
        return version >= VERSION_OF_CREDIT;
    }

    final Outbox outbox() {
        return outbox;
    }

    final Inbox inbox() {
        return inbox;
    }

    final long unsent() {
        return unsentBytes();
    }

    /** Whether so much is unsent that no further reply should be made. */
    final boolean isCrowded() {
        return unsentBytes() >= CROWDED_MIN_BYTES;
    }

    @Override
    protected void sent() {
        outbox.pump();
    }

    @Override
    protected boolean hasMoreToSend() {
        return outbox.isReady();
    }

    @Override
    protected void closed() {
        inbox.close();
        outbox.close();
    }

    @Override
    protected final boolean read(ByteBuffer input) {
        if (input.remaining() < Integer.BYTES) {
            return false;
        }
        int start = input.position();
        int length = input.getInt(start);
        if (length < 1 || length > (isTrusted() ? FRAME_MAX_BYTES : HANDSHAKE_FRAME_MAX_BYTES)) {
            if (isTrusted()) {
                malformed("a frame of " + Integer.toUnsignedString(length) + " bytes");
            } else {
                noFrame(input);
            }
            return false;
        }
        if (input.remaining() < Integer.BYTES + length) {
            return false;
        }
        byte kind = input.get(start + Integer.BYTES);
        int end = start + Integer.BYTES + length;
        int limit = input.limit();
        input.limit(end).position(start + Integer.BYTES + 1);
        try {
            frame(kind, input);
        } catch (MalformedMessage e) {
            malformed(e.getMessage());
        } finally {
            input.limit(limit).position(end);
        }
        return true;
    }

    private void frame(byte kind, ByteBuffer content) throws MalformedMessage {
        if (!isTrusted()) {
            handshake(kind, content);
            return;
        }
        switch (kind) {
            case REQUEST, REPLY -> chunk(kind, content);
            case PROGRESS, CANCEL -> {
                expect(content, Integer.BYTES);
                notice(kind, content.getInt());
            }
            case GOAWAY -> notice(kind, 0);
            case OFFER -> {
                expectCredit(kind);
                expect(content, 3 * Integer.BYTES);
                inbox.offer(content.getInt(), content.getInt(), content.getInt());
            }
            case CREDIT -> {
                expectCredit(kind);
                expect(content, 2 * Integer.BYTES);
                outbox.credit(content.getInt(), Integer.toUnsignedLong(content.getInt()));
            }
            default -> throw unknown(kind);
        }
    }

    private void chunk(byte kind, ByteBuffer content) throws MalformedMessage {
        if (kind != incoming) {
            throw new MalformedMessage(
                    kind == REPLY ? "a reply that nobody asked for" : "a request on a link that is there for replies");
        }
        if (content.remaining() < CHUNK_HEADER_BYTES - 1) {
            throw new MalformedMessage("a chunk of " + content.remaining() + " bytes");
        }
        boolean more = content.get() != 0;
        inbox.chunk(content.getInt(), more, content);
    }

    private void expectCredit(byte kind) throws MalformedMessage {
        if (!givesCredit()) {
            throw unknown(kind);
        }
    }

    private static void expect(ByteBuffer content, int bytes) throws MalformedMessage {
        if (content.remaining() != bytes) {
            throw new MalformedMessage(content.remaining() + " bytes in a frame of " + bytes);
        }
    }

    static MalformedMessage unknown(byte kind) {
        return new MalformedMessage("unknown kind of frame " + kind);
    }

    final void failed(String what, Throwable fault) {
        fault(what, fault);
    }

    /** Runs a task of this link; a fault in it closes the link. For every task that is given to the loop. */
    final void guard(String what, Runnable task) {
        guarded(what, task);
    }

    final void malformed(String what) {
        warn(() -> "closed the connection of " + remote() + ": " + what);
        close();
    }

    /**
     * Has {@link #tellWaiting} called again and again, as long as somebody waits.
     *
     * @param timeout how long the one who begins to wait now does so without being told
     */
    final void tellWhileWaiting(Duration timeout) {
        Duration share = timeout.dividedBy(TOLD_IN_TIMEOUT);
        Duration every = share.compareTo(TOLD_EVERY_MIN) < 0 ? TOLD_EVERY_MIN : share;
        if (!telling || every.compareTo(tellEvery) < 0) {
            telling = true;
            tellEvery = every;
            tellLater();
        }
    }

    private void tellLater() {
        int mine = ++tellings;
        loop().after(tellEvery, () -> guarded("a notice", () -> tellAgain(mine)));
    }

    private void tellAgain(int mine) {
        if (mine != tellings || isClosed()) {
            return;
        }
        if (tellWaiting()) {
            tellLater();
        } else {
            telling = false;
        }
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

    /** Offers a long message, by the outbox. */
    final void sendOffer(int number, Encoded body) {
        sendFrame(
                OFFER,
                ByteBuffer.allocate(3 * Integer.BYTES)
                        .putInt(number)
                        .putInt(Math.toIntExact(body.size() - body.tailBytes()))
                        .putInt(body.tailBytes())
                        .array());
    }

    /** Gives credit for a long message, by the inbox. */
    final void sendCredit(int number, int bytes) {
        sendFrame(
                CREDIT,
                ByteBuffer.allocate(2 * Integer.BYTES)
                        .putInt(number)
                        .putInt(bytes)
                        .array());
    }

    /** Sends one chunk of a message, by the outbox. */
    final void sendChunk(byte kind, int number, boolean last, ByteBuffer part, int offset, int length) {
        // What cannot be read must not leave the half of a frame behind.
        byte[] array;
        int from;
        if (part.hasArray()) {
            array = part.array();
            from = part.arrayOffset() + offset;
        } else {
            array = new byte[length];
            from = 0;
            part.get(offset, array);
        }
        sendChunk(kind, number, last, array, from, length);
    }

    private void sendChunk(byte kind, int number, boolean last, byte[] array, int from, int length) {
        send(header.clear()
                .putInt(CHUNK_HEADER_BYTES + length)
                .put(kind)
                .put((byte) (last ? 0 : 1))
                .putInt(number)
                .array());
        send(array, from, length);
    }

    /** Begins a message that {@link #isShort} decides about; it is sent or encoded before the next one begins. */
    final MessageWriter begin() {
        return writer.begin();
    }

    /** Whether the message that was begun can be sent as one chunk. */
    final boolean isShort() {
        return writer.isOneArray() && writer.length() <= Outbox.CHUNK_MAX_BYTES;
    }

    /** Sends the short message that was begun, at once: past all long ones, also of its stream. */
    final void sendShort(byte kind, int number) {
        boolean isCopied = writer.length() <= COPIED_MAX_BYTES;
        sendChunk(kind, number, true, isCopied ? writer.array() : writer.cutArray(), 0, writer.length());
    }

    /** Closes the connection unless the other side has proved itself by then. */
    final void expectTrustWithin(Duration timeout) {
        loop().after(timeout, () -> {
            if (!isTrusted() && !isClosed()) {
                close();
            }
        });
    }
}
