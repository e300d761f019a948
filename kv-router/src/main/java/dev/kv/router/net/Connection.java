package dev.kv.router.net;

import dev.kv.router.Held;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.apache.mina.transport.socket.SocketSessionConfig;
import org.apache.mina.transport.socket.nio.NioSession;

/**
 * One socket, seen as messages in and bytes out. Subclasses are the protocols.
 *
 * <p>Everything here runs on the connection's {@link #loop()}, and callers keep to it as well.
 *
 * <p>Input: {@link #read} takes one message at a time while {@link #mayRead} allows it. When it does not, the socket is no
 * longer read, so that TCP holds the sender back, until {@link #readOn} finds it allowed again. Input ends where the other
 * side ends it, or by {@link #endInput}.
 *
 * <p>Output: what is sent during an iteration of the loop leaves at its end in one write, or earlier where more may not wait.
 */
public abstract class Connection {
    /** Output up to this size is gathered by copying; larger pieces are handed on as they are. */
    public static final int COPIED_MAX_BYTES = 16 * 1024;

    /**
     * The part of the budget that is left which one connection may fill with output. So the more is taken the less any of them
     * gets, and there is always some left, however many of them never read what they asked for.
     */
    private static final double SHARE_OF_BUDGET = 1.0 / 8;

    private final NioSession session;
    private final SocketAddress remote;
    private final Loop loop;
    private final long unsentMaxBytes;
    private final Budget budget;

    private final UnreadInput unread;
    private boolean paused;
    private boolean readOnDeferred;
    private boolean inputEnded;

    private final Output output;
    private final Runnable sentLater = this::sentIfOpen;
    private State state = State.OPEN;

    private enum State {
        OPEN,
        /** Will be closed when its output has left. */
        SENDING_LAST,
        /** Is closed, or being closed by the loop. */
        CLOSED
    }

    /**
     * @param unsentMaxBytes no input is read while as much output waits for the other side to take it; less when little is left
     *     of the budget
     * @param budget the memory for unfinished messages and for output that waits, shared with other connections
     */
    @SuppressWarnings("this-escape") // the output is used once the connection is open
    protected Connection(OpenSocket socket, long unsentMaxBytes, Budget budget) {
        this.session = socket.session();
        this.remote = session.getRemoteAddress();
        this.loop = OpenSocket.loopOf(socket.session());
        this.unsentMaxBytes = unsentMaxBytes;
        this.budget = budget;
        this.unread = new UnreadInput(budget);
        this.output = new Output(this, session, loop, budget);
    }

    /** The connection is open; nothing was read yet. */
    protected void opened() {}

    /**
     * Takes one message from the buffer, if it holds a whole one, and handles it.
     *
     * @param input the bytes that were received and not taken so far, backed by an array; bytes up to its position count as
     *     taken afterwards
     * @return whether something was taken; else this is called again when more has been received
     */
    protected abstract boolean read(ByteBuffer input);

    /** Whether another message may be read now. */
    protected boolean mayRead() {
        return unsentBytes() < unsentMaxBytes();
    }

    /** How much output may wait by now: at least one byte, so that who takes all of it is always served. */
    protected final long unsentMaxBytes() {
        return Math.clamp((long) (budget.leftBytes() * SHARE_OF_BUDGET), 1, unsentMaxBytes);
    }

    /**
     * There was no memory left for the unfinished message: it is dropped, and no more is read. Closes the connection unless
     * overridden.
     */
    protected void inputOverBudget() {
        close();
    }

    /** Some of the output has left. */
    protected void sent() {}

    /** Whether {@link #sent} would send more. */
    protected boolean hasMoreToSend() {
        return false;
    }

    /**
     * No more input will come, and all messages that came have been read. Closes the connection unless overridden. May be
     * called again by another {@link #endInput}.
     */
    protected void inputEnded() {
        close();
    }

    /** The connection is closed, whoever closed it; called once. Nothing can be sent any more. */
    protected abstract void closed();

    /** Nothing came or went for the time of {@link #idleAfter}. Closes the connection unless overridden. */
    protected void idle() {
        close();
    }

    /** Has {@link #idle} called when nothing comes or goes for so long; in whole seconds, zero for never. */
    protected final void idleAfter(Duration time) {
        session.getConfig().setBothIdleTime((int) time.toSeconds());
    }

    /** Has the kernel take at most so many bytes ahead of the network. */
    protected final void sendBuffer(int bytes) {
        ((SocketSessionConfig) session.getConfig()).setSendBufferSize(bytes);
    }

    /** The memory that this connection shares with others, for what a subclass holds for it. */
    protected final Budget budget() {
        return budget;
    }

    /** Bytes from here on that the other side has not taken. */
    protected final long unsentBytes() {
        return output.unsentBytes();
    }

    public final Loop loop() {
        return loop;
    }

    /** The address of the other side, as {@code host:port}. */
    public final String remote() {
        return Addresses.text(remote);
    }

    /** Whether nothing can be sent any more, not even what was sent already and has not left. */
    public final boolean isClosed() {
        return state == State.CLOSED;
    }

    /** Sends the bytes. The array must not be written to afterwards. */
    protected final void send(byte[] bytes) {
        send(bytes, 0, bytes.length);
    }

    /** Sends a part of the array, which must not be written to afterwards if it is larger than {@link #COPIED_MAX_BYTES}. */
    protected final void send(byte[] bytes, int offset, int length) {
        if (state != State.OPEN) {
            return;
        }
        output.send(bytes, offset, length);
    }

    /**
     * Sends a value that was found sound, from where it is held, and releases it when it has left or nobody awaits it any more.
     *
     * @param heldMax for how long it may be held: what is left then is copied, or the connection {@link #heldTooLong}
     */
    protected final void send(Held value, Duration heldMax) {
        if (state == State.OPEN) {
            output.send(value, heldMax);
        } else {
            value.release();
        }
    }

    /**
     * A value has been held for as long as it may, and there is no memory for what is left of it. Closes the connection unless
     * overridden.
     */
    protected void heldTooLong() {
        close();
    }

    /** Writes the output, at the end of the loop's iteration, or before. */
    final void flush() {
        if (state == State.CLOSED) {
            return;
        }
        try {
            output.flush();
            if (state == State.SENDING_LAST && output.isHandedOn()) {
                session.closeOnFlush();
            }
        } catch (Throwable fault) {
            fault("what it is sent", fault);
        }
    }

    /** The kernel has taken some of the output. */
    final void sentSome() {
        readOn();
        if (hasMoreToSend()) {
            loop.defer(sentLater);
        }
    }

    /**
     * Runs a task of this connection; a fault in it ends the connection, which may be in any state, and nothing else. For every task
     * that is given to the loop.
     *
     * @param what what the task does, as the log calls it
     */
    protected final void guarded(String what, Runnable task) {
        try {
            task.run();
        } catch (Throwable fault) {
            fault(what, fault);
        }
    }

    /** Does a part of some work, unless the connection is closed; a fault in it ends the connection and the work. */
    final boolean guardedTurn(String what, BooleanSupplier work) {
        try {
            return state != State.CLOSED && work.getAsBoolean();
        } catch (Throwable fault) {
            fault(what, fault);
            return false;
        }
    }

    /** The connection may have been closed since this was deferred; nothing counts as sent then. */
    private void sentIfOpen() {
        if (state == State.OPEN) {
            guarded("what it is sent", this::sent);
        }
    }

    /** Closes the connection when all that was sent has left; what is sent or received from now on is ignored. */
    protected final void closeAfterSent() {
        if (state != State.OPEN) {
            return;
        }
        state = State.SENDING_LAST;
        session.suspendRead();
        output.flushLater();
    }

    /** Closes the connection at once; what is sent or received from now on is ignored. */
    protected final void close() {
        state = State.CLOSED;
        session.closeNow();
    }

    /** Takes nothing any more that was not received by now, as if the other side had ended its input here. */
    protected final void endInput() {
        if (state != State.OPEN) {
            return;
        }
        inputEnded = true;
        session.suspendRead();
        if (!paused) {
            inputEnded();
        }
    }

    /**
     * Something is wrong with this node: tells it once in the log, and closes the connection.
     *
     * @param what what was going on, as the log should call it
     */
    protected final void fault(String what, Throwable fault) {
        Faults.report(what + " for " + remote(), fault);
        close();
    }

    /** Reads on, if reading was held back and {@link #mayRead} now allows it. */
    protected final void readOn() {
        if (paused && !readOnDeferred && mayRead()) {
            readOnDeferred = true;
            loop.defer(() -> {
                readOnDeferred = false;
                guarded("what it sent", this::consumeIfAllowed);
            });
        }
    }

    private void consumeIfAllowed() {
        if (paused && state == State.OPEN && mayRead()) {
            paused = false;
            consumeUnread();
        }
    }

    void received(ByteBuffer input) {
        if (paused) {
            keep(input);
        } else if (unread.isEmpty()) {
            consume(input);
            keep(input);
        } else {
            keep(input);
            consumeUnread();
        }
    }

    private void consumeUnread() {
        consume(unread.beginReading());
        unread.endReading();
        if (paused || state != State.OPEN) {
            return;
        }
        if (inputEnded) {
            inputEnded();
        } else if (session.isReadSuspended()) {
            session.resumeRead();
        }
    }

    private void consume(ByteBuffer input) {
        while (input.hasRemaining() && state == State.OPEN) {
            if (!mayRead()) {
                if (output.isWritable()) {
                    // What the other side takes now is not in the way of its next message.
                    output.write();
                    continue;
                }
                paused = true;
                session.suspendRead();
                return;
            }
            if (!read(input)) {
                return;
            }
        }
    }

    private void keep(ByteBuffer input) {
        if (state != State.OPEN || inputEnded || !input.hasRemaining()) {
            return;
        }
        if (!unread.add(input)) {
            paused = false;
            inputEnded = true;
            session.suspendRead();
            inputOverBudget();
        }
    }

    void wrote(int bytes) {
        output.wrote(bytes);
        sent();
        readOn();
    }

    void ended() {
        state = State.CLOSED;
        unread.drop();
        try {
            output.end();
        } finally {
            closed();
        }
    }
}
