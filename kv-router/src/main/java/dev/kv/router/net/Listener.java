package dev.kv.router.net;

import dev.kv.router.Bytes;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import org.apache.mina.core.service.IoProcessor;
import org.apache.mina.transport.socket.nio.NioSession;
import org.apache.mina.transport.socket.nio.NioSocketAcceptor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A listening port whose connections speak one protocol.
 *
 * @param <C> the connections
 */
public final class Listener<C extends Connection> {
    private static final Logger LOG = LoggerFactory.getLogger(Listener.class);

    /** How many connections the kernel keeps ready before they are accepted; its own limit is net.core.somaxconn. */
    private static final int BACKLOG = 1024;

    private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);

    private final Options options;
    private final Acceptor acceptor;
    private final InetSocketAddress address;
    private final Semaphore places;
    private final Set<C> connections = ConcurrentHashMap.newKeySet();
    private volatile Optional<Consumer<C>> stopping = Optional.empty();

    /**
     * Makes the connection of a socket that was just opened, on its loop.
     *
     * @param <C> the connection
     */
    @FunctionalInterface
    public interface Protocol<C extends Connection> {
        C connect(Connection.Socket socket);
    }

    /**
     * How a door treats those who come.
     *
     * @param connectionsMax how many connections are open at most
     * @param refusal what one above is told before it is closed
     * @param door what logs call this door
     */
    public record Options(int connectionsMax, Bytes refusal, String door) {}

    Listener(Loops loops, InetSocketAddress address, Options options, Protocol<C> protocol) throws IOException {
        this.options = options;
        this.places = new Semaphore(options.connectionsMax());
        this.acceptor = new Acceptor(loops, options.door());
        acceptor.setBacklog(BACKLOG);
        acceptor.setReuseAddress(true);
        Sessions.configure(acceptor.getSessionConfig());
        acceptor.setCloseOnDeactivation(false);
        acceptor.setHandler(new Sessions(session -> admit(new Connection.Socket(session), protocol)));
        try {
            acceptor.bind(address);
        } catch (IOException e) {
            acceptor.dispose();
            // MINA's own says only where it could not bind.
            throw e.getCause() instanceof IOException why ? why : e;
        }
        // As it was asked for: the kernel tells an IPv4 wildcard as the one of IPv6.
        this.address = new InetSocketAddress(
                address.getAddress(), acceptor.getLocalAddress().getPort());
    }

    /** The address that was bound, with the port that was given where any free one was asked for. */
    public InetSocketAddress address() {
        return address;
    }

    /** How many connections are open. */
    public int connections() {
        return connections.size();
    }

    /**
     * Lets nobody in any more, has every open connection finish, and waits until all are closed, at most for {@code limit};
     * then closes those that are left.
     *
     * @param finish asks a connection to answer what is in flight and to close; on the connection's loop
     * @return how many were left
     */
    public int stop(Duration limit, Consumer<C> finish) {
        long deadlineNanos = System.nanoTime() + limit.toNanos();
        stopping = Optional.of(finish);
        acceptor.unbind();
        acceptor.dispose();
        onEach(finish);
        synchronized (connections) {
            long leftMillis = (deadlineNanos - System.nanoTime()) / 1_000_000;
            while (!connections.isEmpty() && leftMillis > 0) {
                try {
                    connections.wait(leftMillis);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    break;
                }
                leftMillis = (deadlineNanos - System.nanoTime()) / 1_000_000;
            }
        }
        int left = connections.size();
        onEach(Connection::close);
        return left;
    }

    private void onEach(Consumer<C> action) {
        for (C connection : connections) {
            connection.loop().execute(() -> {
                if (!connection.isClosed()) {
                    action.accept(connection);
                }
            });
        }
    }

    private Connection admit(Connection.Socket socket, Protocol<C> protocol) {
        if (!places.tryAcquire()) {
            acceptor.exhausted.report(() -> "refused %s: %s has its %d connections already"
                    .formatted(socket.remote(), options.door(), options.connectionsMax()));
            return new Refused(socket, options.refusal());
        }
        socket.whenClosed(places::release);
        C connection = protocol.connect(socket);
        connections.add(connection);
        socket.whenClosed(() -> {
            connections.remove(connection);
            synchronized (connections) {
                connections.notifyAll();
            }
        });
        // It was accepted before the door was closed, and comes too late to be asked like the others.
        stopping.ifPresent(finish -> connection.loop().execute(() -> finish.accept(connection)));
        return connection;
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
