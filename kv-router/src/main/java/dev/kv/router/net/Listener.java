package dev.kv.router.net;

import dev.kv.router.Bytes;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.mina.core.service.IoProcessor;
import org.apache.mina.transport.socket.nio.NioSession;
import org.apache.mina.transport.socket.nio.NioSocketAcceptor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A listening port whose connections speak one protocol. */
public final class Listener {
    private static final Logger LOG = LoggerFactory.getLogger(Listener.class);

    /** How many connections the kernel keeps ready before they are accepted; its own limit is net.core.somaxconn. */
    private static final int BACKLOG = 1024;

    private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);

    private final Options options;
    private final Acceptor acceptor;
    private final AtomicInteger connections = new AtomicInteger();

    /** Makes the connection of a socket that was just accepted, on its loop. */
    @FunctionalInterface
    public interface Protocol {
        Connection connect(Connection.Socket socket);
    }

    /**
     * How a door treats those who come.
     *
     * @param connectionsMax how many connections are open at most
     * @param refusal what one above is told before it is closed
     * @param door what logs call this door
     */
    public record Options(int connectionsMax, Bytes refusal, String door) {}

    Listener(Loops loops, InetSocketAddress address, Options options, Protocol protocol) throws IOException {
        this.options = options;
        this.acceptor = new Acceptor(loops, options.door());
        acceptor.setBacklog(BACKLOG);
        acceptor.setReuseAddress(true);
        acceptor.getSessionConfig().setTcpNoDelay(true);
        acceptor.getSessionConfig().setKeepAlive(true);
        acceptor.setCloseOnDeactivation(false);
        acceptor.setHandler(new Sessions(session -> admit(new Connection.Socket(session), protocol)));
        try {
            acceptor.bind(address);
        } catch (IOException e) {
            acceptor.dispose();
            throw e;
        }
    }

    /** The address that was bound, with the port that was given where any free one was asked for. */
    public InetSocketAddress address() {
        return acceptor.getLocalAddress();
    }

    /** How many connections are open. */
    public int connections() {
        return connections.get();
    }

    /** Lets nobody in any more; open connections stay. */
    public void close() {
        acceptor.unbind();
        acceptor.dispose();
    }

    private Connection admit(Connection.Socket socket, Protocol protocol) {
        socket.whenClosed(connections::decrementAndGet);
        if (connections.incrementAndGet() > options.connectionsMax()) {
            acceptor.exhausted.report(() -> "refused %s: %s has its %d connections already"
                    .formatted(socket.remote(), options.door(), options.connectionsMax()));
            return new Refused(socket, options.refusal());
        }
        return protocol.connect(socket);
    }

    /** A connection that hears why it is not served, and is closed. */
    private static final class Refused extends Connection {
        private final Bytes why;

        Refused(Socket socket, Bytes why) {
            super(socket, Long.MAX_VALUE, new Budget(0));
            this.why = why;
        }

        @Override
        protected void opened() {
            send(why.array());
            closeAfterSent();
        }

        @Override
        protected boolean read(ByteBuffer input) {
            input.position(input.limit());
            return true;
        }

        @Override
        protected void closed() {}
    }

    /** MINA's acceptor, spreading what it accepts over the loops and surviving a lack of file descriptors quietly. */
    private static final class Acceptor extends NioSocketAcceptor {
        private final Loops loops;
        private final String door;
        private final Report exhausted = new Report(LOG, REPORT_INTERVAL);

        Acceptor(Loops loops, String door) {
            super(loops.next());
            this.loops = loops;
            this.door = door;
        }

        @Override
        protected NioSession accept(IoProcessor<NioSession> unused, ServerSocketChannel channel) throws Exception {
            try {
                NioSession session = super.accept(loops.next(), channel);
                if (session == null && channel.isOpen()) {
                    // MINA has swallowed the exception and slept for 50 ms.
                    exhausted.report(() -> door + " cannot accept connections: no file descriptor is free (ulimit -n)");
                }
                return session;
            } catch (IOException e) {
                exhausted.report(() -> door + " could not accept a connection: " + e.getMessage());
                return null;
            }
        }
    }
}
