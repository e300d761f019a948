package dev.kv.router.net;

import dev.kv.router.Held;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.apache.mina.transport.socket.SocketSessionConfig;
import org.apache.mina.transport.socket.nio.NioSession;

/**
 * One socket: messages in, bytes out. Each protocol is a subclass.
 *
 * <p>Everything here runs on the connection's {@link #loop()}, and callers keep to it as well.
 *
 * <p>Input: {@link #read} takes one message at a time while {@link #mayRead} allows it. When it does not, the socket is not read, so
 * that TCP holds the sender back, until {@link #readOn} finds it allowed again. Messages that came together and take longer than a turn
 * (kv.router.io-turn-max) are taken in several, in turns with those of others. Input ends where the other side ends it, or by {@link
 * #endInput}.
 *
 * <p>Output: what is sent during an iteration of the loop leaves at its end in one write, or earlier when the bound for unsent output is
 * reached.
 */
public abstract class Connection {
    /** Output up to this size is gathered by copying; larger pieces are handed on as they are. */
    public static final int COPIED_MAX_BYTES = 16 * 1024;

    /**
     * The share of the free budget that the output of one connection may take. As the budget fills, each connection gets less, and
     * some is left however many clients never read their replies. No key: kv.server.buffer-max sets the budget.
     */
    private static final double SHARE_OF_BUDGET = 1.0 / 8;

    private final NioSession session;
    private final SocketAddress remote;
    private final Loop loop;
    private final long unsentMaxBytes;
    private final Budget budget;

    private final Input input;
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
     * @param unsentMaxBytes no input is read while this much output is unsent; less when little of the budget is left
     * @param budget the memory for incomplete messages and for unsent output, shared with other connections
     */
    @SuppressWarnings("this-escape") // input and output are used once the connection is open
    protected Connection(OpenSocket socket, long unsentMaxBytes, Budget budget) {
        this.session = socket.session();
        this.remote = session.getRemoteAddress();
        this.loop = OpenSocket.loopOf(socket.session());
        this.unsentMaxBytes = unsentMaxBytes;
        this.budget = budget;
        this.output = new Output(this, session, loop, budget);
        this.input = new Input(this, session, loop, output, budget);
    }

    /** The connection is open; nothing was read yet. */
    protected void opened() {}

    /**
     * Takes and handles one message, if the buffer holds a complete one.
     *
     * @param input the bytes that were received and not taken, backed by an array; bytes up to its position are taken
     * @return whether something was taken; if not, this is called again when more is received
     */
    protected abstract boolean read(ByteBuffer input);

    /** Whether another message may be read now. */
    protected boolean mayRead() {
        return unsentBytes() < unsentMaxBytes();
    }

    /** The bound for unsent output now: at least one byte, so that a client that takes all of its output is always served. */
    protected final long unsentMaxBytes() {
        return Math.clamp((long) (budget.leftBytes() * SHARE_OF_BUDGET), 1, unsentMaxBytes);
    }

    /**
     * No memory is left for the incomplete message: it is dropped, and nothing more is read. Closes the connection unless
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
     * The input has ended, and all messages in it have been read. Closes the connection unless overridden. Another {@link #endInput}
     * calls it again.
     */
    protected void inputEnded() {
        close();
    }

    /** The connection is closed, by either side; called once. Nothing can be sent any more. */
    protected abstract void closed();

    /** Nothing was received or sent for the time of {@link #idleAfter}. Closes the connection unless overridden. */
    protected void idle() {
        close();
    }

    /** Calls {@link #idle} when nothing is received or sent for this time; in whole seconds, zero for never. */
    protected final void idleAfter(Duration time) {
        session.getConfig().setBothIdleTime((int) time.toSeconds());
    }

    /**
     * Calls {@link #stalled} when the other side takes nothing of what it is sent for this time while others wait for the memory, or for the
     * {@linkplain #endInput end} of the connection.
     */
    protected final void stalledAfter(Duration time) {
        output.stalls().after(time);
    }

    /** Limits the bytes that the kernel buffers for the network, in each direction. */
    protected final void kernelBuffers(int bytes) {
        SocketSessionConfig config = (SocketSessionConfig) session.getConfig();
        config.setSendBufferSize(bytes);
        config.setReceiveBufferSize(bytes);
    }

    /** The memory that this connection shares with others; a subclass charges what it holds. */
    protected final Budget budget() {
        return budget;
    }

    /** Bytes that were sent and that the kernel has not taken. */
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

    /** Whether the connection is closed: nothing more leaves, not even output that was sent before. */
    public final boolean isClosed() {
        return state == State.CLOSED;
    }

    /** Whether messages are read, and what is sent leaves. */
    final boolean isOpen() {
        return state == State.OPEN;
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
     * Sends a held value whose checksum was checked, and releases it when it has left or the connection is closed.
     *
     * @param heldMax the longest time for which it is held: then the rest is copied, or {@link #heldTooLong} is called
     */
    protected final void send(Held value, Duration heldMax) {
        if (state == State.OPEN) {
            output.send(value, heldMax);
        } else {
            value.release();
        }
    }

    /**
     * A value was held for its longest time, and no memory is left for the rest of it. Closes the connection unless overridden.
     */
    protected void heldTooLong() {
        close();
    }

    /** The other side has taken nothing for the time of {@link #stalledAfter}. Closes the connection unless overridden. */
    protected void stalled() {
        close();
    }

    /** Writes the output; at the end of an iteration of the loop. */
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
    protected final boolean guardedTurn(String what, BooleanSupplier work) {
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

    /** Closes the connection when all output has left; what is sent or received from now on is ignored. */
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

    /** Ignores further input, as if the other side had ended it here. From now on the end of the connection is waited for. */
    protected final void endInput() {
        output.stalls().awaitEnd();
        if (state == State.OPEN) {
            input.end();
        }
    }

    /**
     * Logs a fault of this node once, and closes the connection.
     *
     * @param what the operation that failed, for the log
     */
    protected final void fault(String what, Throwable fault) {
        Faults.report(what + " for " + remote(), fault);
        close();
    }

    /** Reads on, if reading was paused and {@link #mayRead} now allows it. */
    protected final void readOn() {
        input.readOn();
    }

    void received(ByteBuffer bytes) {
        input.received(bytes);
    }

    void wrote(int bytes) {
        output.wrote(bytes);
        sent();
        readOn();
    }

    void ended() {
        state = State.CLOSED;
        input.drop();
        try {
            output.end();
        } finally {
            closed();
        }
    }
}
