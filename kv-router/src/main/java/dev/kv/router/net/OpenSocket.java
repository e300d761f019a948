package dev.kv.router.net;

import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.apache.mina.core.service.IoProcessor;
import org.apache.mina.core.session.IoSession;
import org.apache.mina.transport.socket.nio.NioSession;

/** A socket that has just been opened; a {@link Listener.Protocol} makes a {@link Connection} of it. */
public final class OpenSocket {
    private final NioSession session;
    private BooleanSupplier proof = () -> true;

    OpenSocket(IoSession session) {
        this.session = (NioSession) session;
    }

    static Loop loopOf(NioSession session) {
        IoProcessor<NioSession> processor = session.getProcessor();
        return (Loop) processor;
    }

    NioSession session() {
        return session;
    }

    void proveBy(BooleanSupplier newProof) {
        proof = newProof;
    }

    /**
     * The other side has proved itself as the listener demands: the connection takes a place among those that have.
     *
     * @return false if no place is left: the connection is to be closed
     */
    public boolean prove() {
        return proof.getAsBoolean();
    }

    /** The loop that serves the connection. */
    public Loop loop() {
        return loopOf(session);
    }

    /** The time since something was last received or sent. Any thread. */
    public Duration silence() {
        return Duration.ofMillis(Math.max(0, System.currentTimeMillis() - session.getLastIoTime()));
    }

    /** Closes the connection at once. Any thread. */
    public void close() {
        loopOf(session).execute(session::closeNow);
    }

    /** The address of the other side, as {@code host:port}. */
    public String remote() {
        return Addresses.text(session.getRemoteAddress());
    }

    void whenClosed(Runnable action) {
        session.getCloseFuture().addListener(closed -> action.run());
    }
}
