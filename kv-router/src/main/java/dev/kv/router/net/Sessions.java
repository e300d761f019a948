package dev.kv.router.net;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.mina.core.buffer.IoBuffer;
import org.apache.mina.core.service.IoHandler;
import org.apache.mina.core.session.IdleStatus;
import org.apache.mina.core.session.IoSession;
import org.apache.mina.filter.FilterEvent;
import org.apache.mina.transport.socket.SocketSessionConfig;

/** Hands the events of a MINA session on to its {@link Connection}. */
final class Sessions implements IoHandler {
    private static final String CONNECTION = "connection";
    /** MINA's buffer for reads, which {@link SocketProcessor} does not use. */
    private static final int UNUSED_READ_BYTES = 16;

    /** The most that MINA writes of one connection in an iteration. */
    private static final int WRITE_BYTES = 256 * 1024;

    private final Function<IoSession, Connection> protocol;
    private final Consumer<Connection> left;

    Sessions(Function<IoSession, Connection> protocol) {
        this(protocol, _ -> {});
    }

    /**
     * @param left gets each connection when it has ended and has given back what it held
     */
    Sessions(Function<IoSession, Connection> protocol, Consumer<Connection> left) {
        this.protocol = protocol;
        this.left = left;
    }

    static void configure(SocketSessionConfig config) {
        config.setTcpNoDelay(true);
        config.setKeepAlive(true);
        // MINA allocates a buffer of this size for each read, which a loop does not use.
        config.setMinReadBufferSize(UNUSED_READ_BYTES);
        config.setReadBufferSize(UNUSED_READ_BYTES);
        // MINA writes at most one and a half times this for a session at once.
        config.setMaxReadBufferSize(WRITE_BYTES);
    }

    private static Connection of(IoSession session) {
        return (Connection) session.getAttribute(CONNECTION);
    }

    @Override
    public void sessionCreated(IoSession session) {
        try {
            session.setAttribute(CONNECTION, protocol.apply(session));
        } catch (Throwable fault) {
            Faults.report("the new connection of " + Addresses.text(session.getRemoteAddress()), fault);
            session.closeNow();
        }
    }

    @Override
    public void sessionOpened(IoSession session) {
        guarded(session, Connection::opened);
    }

    /** Hands on input that a loop has read. */
    static void received(IoSession session, ByteBuffer input) {
        Connection connection = of(session);
        if (connection == null) {
            return;
        }
        try {
            connection.received(input);
        } catch (Throwable fault) {
            connection.fault("what it sent", fault);
        }
    }

    @Override
    public void messageReceived(IoSession session, Object message) {
        throw new IllegalStateException("a loop hands on what it reads");
    }

    @Override
    public void messageSent(IoSession session, Object message) {
        guarded(session, connection -> connection.wrote(((IoBuffer) message).limit()));
    }

    @Override
    public void inputClosed(IoSession session) {
        guarded(session, Connection::endInput);
    }

    @Override
    public void exceptionCaught(IoSession session, Throwable cause) {
        if (!(cause instanceof IOException)) {
            Faults.report("the connection of " + Addresses.text(session.getRemoteAddress()), cause);
        }
        session.closeNow();
    }

    @Override
    public void sessionClosed(IoSession session) {
        guarded(session, Connection::ended);
        Connection connection = of(session);
        if (connection != null) {
            left.accept(connection);
        }
    }

    @Override
    public void sessionIdle(IoSession session, IdleStatus status) {
        guarded(session, Connection::idle);
    }

    @Override
    public void event(IoSession session, FilterEvent event) {
        // No filter stands in the chain.
    }

    /** Hands on an event, unless the session has no connection. An {@link Error} that reached MINA would end the loop. */
    private static void guarded(IoSession session, Consumer<Connection> event) {
        Connection connection = of(session);
        if (connection == null) {
            return;
        }
        try {
            event.accept(connection);
        } catch (Throwable fault) {
            connection.fault("an event", fault);
        }
    }
}
