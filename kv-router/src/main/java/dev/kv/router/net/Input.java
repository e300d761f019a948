package dev.kv.router.net;

import java.nio.ByteBuffer;
import org.apache.mina.transport.socket.nio.NioSession;

/**
 * The input of one connection: hands it on message by message while the connection may read, and keeps the rest. Messages that came together
 * and take longer than a turn are taken in several, in turns with those of other connections. On the loop's thread only.
 */
final class Input {
    private final Connection connection;
    private final NioSession session;
    private final Loop loop;
    private final Output output;
    private final UnreadInput unread;
    private final InputTurn turn;
    private final Runnable goOn = this::goOn;
    private boolean isPaused;

    /** Whether a task of the loop will look whether more may be read. */
    private boolean isDue;

    private boolean isEnded;

    Input(Connection connection, NioSession session, Loop loop, Output output, Budget budget) {
        this.connection = connection;
        this.session = session;
        this.loop = loop;
        this.output = output;
        this.unread = new UnreadInput(budget);
        this.turn = new InputTurn(loop);
    }

    /** Bytes have come. */
    void received(ByteBuffer bytes) {
        if (isPaused) {
            keep(bytes);
        } else if (unread.isEmpty()) {
            consume(bytes, true);
            keep(bytes);
        } else {
            keep(bytes);
            consumeUnread(true);
        }
    }

    /** Ignores what comes from now on. */
    void end() {
        isEnded = true;
        session.suspendRead();
        if (!isPaused) {
            connection.inputEnded();
        }
    }

    /** Goes on after the reads of this iteration, if it was paused and the connection may read now. */
    void readOn() {
        if (isPaused && !isDue && connection.mayRead()) {
            isDue = true;
            loop.defer(goOn);
        }
    }

    private void goOn() {
        isDue = false;
        connection.guarded("what it sent", () -> {
            if (isPaused && connection.isOpen() && connection.mayRead()) {
                isPaused = false;
                consumeUnread(false);
            }
        });
    }

    /** The turn of this connection is over: the rest of its input waits for the next one. */
    private void endTurn() {
        pause();
        isDue = true;
        loop.inTurns(() -> {
            goOn();
            return false;
        });
    }

    private void pause() {
        isPaused = true;
        session.suspendRead();
    }

    private void consumeUnread(boolean isRead) {
        consume(unread.beginReading(), isRead);
        unread.endReading();
        if (isPaused || !connection.isOpen()) {
            return;
        }
        if (isEnded) {
            connection.inputEnded();
        } else if (session.isReadSuspended()) {
            session.resumeRead();
        }
    }

    private void consume(ByteBuffer bytes, boolean isRead) {
        turn.begin(isRead);
        while (bytes.hasRemaining() && connection.isOpen()) {
            if (!connection.mayRead()) {
                if (output.isWritable()) {
                    // Output that the kernel takes now no longer counts as unsent.
                    output.write();
                    continue;
                }
                pause();
                return;
            }
            if (turn.isOver()) {
                endTurn();
                return;
            }
            int from = bytes.position();
            long unsentBytes = output.unsentBytes();
            if (!connection.read(bytes)) {
                return;
            }
            turn.took(bytes.position() - from + Math.max(0, output.unsentBytes() - unsentBytes));
        }
    }

    private void keep(ByteBuffer bytes) {
        if (!connection.isOpen() || isEnded || !bytes.hasRemaining()) {
            return;
        }
        if (!unread.add(bytes)) {
            isPaused = false;
            isEnded = true;
            session.suspendRead();
            connection.inputOverBudget();
        }
    }

    /** The connection is closed. */
    void drop() {
        unread.drop();
    }
}
