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
import java.util.function.Consumer;
import java.util.function.IntFunction;
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

    /** The connections that the kernel queues before they are accepted. No key: its own limit is net.core.somaxconn. */
    private static final int BACKLOG = 1024;

    /** The log has at most one line of a kind in this time. */
    private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);

    /** The time that the acceptor waits for a place before it looks whether it is closed. */
    private static final Duration SOCKET_WAIT = Duration.ofMillis(100);

    private final Options options;
    private final Acceptor acceptor;
    private final InetSocketAddress address;
    private final int connectionsMax;
    private final Places places;
    private final Report unproven = new Report(LOG, REPORT_INTERVAL);
    private final Set<C> connections = ConcurrentHashMap.newKeySet();
    private volatile Optional<Consumer<C>> stopping = Optional.empty();

    /**
     * Makes the connection of an open socket, on its loop.
     *
     * @param <C> the connection
     */
    @FunctionalInterface
    public interface Protocol<C extends Connection> {
        C connect(OpenSocket socket);
    }

    /**
     * The bounds of a listener.
     *
     * @param door the name of the listener in logs
     * @param connectionsMax the largest number of connections; of proven ones, if connections must prove themselves
     * @param connectionsKey the configuration key of {@code connectionsMax}
     * @param descriptorsShare the part of the free file descriptors that this listener may take, above 0 and up to 1
     * @param refusal the message that a connection above {@code connectionsMax} gets before it is closed; its argument is the bound
     * @param proof the bounds for unproven connections; empty if connections need not prove themselves
     */
    public record Options(
            String door,
            int connectionsMax,
            String connectionsKey,
            double descriptorsShare,
            IntFunction<Bytes> refusal,
            Optional<Proof> proof) {}

    /**
     * Bounds for connections that have not proved themselves ({@link OpenSocket#prove}).
     *
     * @param connectionsMax their largest number; the oldest of them is closed for one more
     * @param connectionsKey the configuration key of {@code connectionsMax}
     * @param time the time in which one must prove itself; it is closed then
     */
    public record Proof(int connectionsMax, String connectionsKey, Duration time) {
        /** The largest share of the places for unproven connections. */
        private static final double SHARE_MAX = 1.0 / 3;
    }

    Listener(Loops loops, InetSocketAddress address, Options options, Protocol<C> protocol) throws IOException {
        this.options = options;
        int unprovenWanted = options.proof().map(Proof::connectionsMax).orElse(0);
        long wanted = (long) options.connectionsMax() + unprovenWanted;
        int granted =
                loops.descriptors().grant((int) Math.min(wanted, Integer.MAX_VALUE / 2), options.descriptorsShare());
        int spare = granted - Math.min(granted, options.connectionsMax());
        int unprovenMax = Math.min(unprovenWanted, Math.max(1, Math.max(spare, (int) (granted * Proof.SHARE_MAX))));
        this.connectionsMax = Math.clamp((long) granted - unprovenMax, 1, options.connectionsMax());
        if (connectionsMax < options.connectionsMax() && options.connectionsMax() != Integer.MAX_VALUE) {
            LOG.warn(
                    "{} = {} is more than the file descriptors (ulimit -n) allow; it is {}",
                    options.connectionsKey(),
                    options.connectionsMax(),
                    connectionsMax);
        }
        Duration time = options.proof().map(Proof::time).orElse(Duration.ZERO);
        this.places = new Places(connectionsMax, unprovenMax, time);
        this.acceptor = new Acceptor(loops, options.door(), places);
        acceptor.setBacklog(BACKLOG);
        acceptor.setReuseAddress(true);
        Sessions.configure(acceptor.getSessionConfig());
        acceptor.setCloseOnDeactivation(false);
        acceptor.setHandler(new Sessions(session -> admit(new OpenSocket(session), protocol), this::forget));
        try {
            acceptor.bind(address);
        } catch (IOException e) {
            acceptor.dispose();
            // MINA's exception names only the address.
            throw e.getCause() instanceof IOException why ? why : e;
        }
        // The address as it was configured: the kernel reports an IPv4 wildcard as that of IPv6.
        this.address = new InetSocketAddress(
                address.getAddress(), acceptor.getLocalAddress().getPort());
        options.proof().ifPresent(proof -> expireOn(loops.next(), proof));
    }

    /** Closes connections that have not proved themselves in time, from now on. */
    private void expireOn(Loop loop, Proof proof) {
        loop.after(places.timeLeft(), () -> {
            try {
                places.expire().forEach(socket -> {
                    socket.close();
                    unproven.report(() -> "closed the connection of %s at %s: it did not prove itself within %d ms"
                            .formatted(
                                    socket.remote(),
                                    options.door(),
                                    proof.time().toMillis()));
                });
            } finally {
                if (stopping.isEmpty()) {
                    expireOn(loop, proof);
                }
            }
        });
    }

    private void pushOut(OpenSocket oldest) {
        unproven.report(
                () -> "closed the connection of %s at %s for a newer one: %s others have not proved themselves (%s)"
                        .formatted(
                                oldest.remote(),
                                options.door(),
                                options.proof().map(Proof::connectionsMax).orElse(0),
                                options.proof().map(Proof::connectionsKey).orElse("")));
        oldest.close();
    }

    /** The address that was bound; its port is the real one if port 0 was configured. */
    public InetSocketAddress address() {
        return address;
    }

    /** The largest number of connections; of proven ones, if connections must prove themselves. */
    public int connectionsMax() {
        return connectionsMax;
    }

    /** The number of connections that are open or have not given back yet what they held. */
    public int connections() {
        return connections.size();
    }

    /**
     * Closes the port, asks every connection to finish, and waits until all are closed, at most for {@code limit}; then closes the
     * rest.
     *
     * @param finish asks a connection to answer what is in flight and to close; on the connection's loop
     * @return the number of connections that were left
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
                    connection.guarded("its end", () -> action.accept(connection));
                }
            });
        }
    }

    private Connection admit(OpenSocket socket, Protocol<C> protocol) {
        Places.Place place = places.take(socket, this::pushOut);
        socket.whenClosed(place::leave);
        socket.proveBy(() -> place.prove() || reportFull(socket));
        if (options.proof().isEmpty() && !socket.prove()) {
            return new Refused(socket, options.refusal().apply(connectionsMax));
        }
        C connection = protocol.connect(socket);
        connections.add(connection);
        // It was accepted before the port was closed, after the others were asked to finish.
        stopping.ifPresent(finish ->
                connection.loop().execute(() -> connection.guarded("its end", () -> finish.accept(connection))));
        return connection;
    }

    private void forget(Connection connection) {
        connections.remove(connection);
        synchronized (connections) {
            connections.notifyAll();
        }
    }

    private boolean reportFull(OpenSocket socket) {
        acceptor.exhausted.report(() -> "refused %s: %s has its %d connections already (%s)"
                .formatted(socket.remote(), options.door(), connectionsMax, options.connectionsKey()));
        return false;
    }

    /** A connection that gets the reason of its refusal, and is closed. */
    private static final class Refused extends Connection {
        private final Bytes why;

        Refused(OpenSocket socket, Bytes why) {
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

    /**
     * MINA's acceptor, which spreads sockets over the loops. It accepts only sockets for which a place is free; a socket that is being
     * closed still has its place. A lack of file descriptors is logged at most every 10 s.
     */
    private static final class Acceptor extends NioSocketAcceptor {
        private final Loops loops;
        private final String door;
        private final Places places;
        private final Report exhausted = new Report(LOG, REPORT_INTERVAL);

        Acceptor(Loops loops, String door, Places places) {
            super(loops.next());
            this.loops = loops;
            this.door = door;
            this.places = places;
        }

        @Override
        protected NioSession accept(IoProcessor<NioSession> unused, ServerSocketChannel channel) throws Exception {
            if (!places.acquireSocket(SOCKET_WAIT)) {
                exhausted.report(() -> door + " waits for a connection to be closed before it accepts another");
                return null;
            }
            Loop loop = loops.next();
            if (!loop.acquireAccepted(SOCKET_WAIT)) {
                places.releaseSocket();
                return null;
            }
            NioSession session = null;
            try {
                session = super.accept(loop, channel);
                if (session == null && channel.isOpen()) {
                    // MINA has swallowed the exception and slept for 50 ms.
                    exhausted.report(() -> door + " cannot accept connections: no file descriptor is free (ulimit -n)");
                }
                return session;
            } catch (IOException e) {
                exhausted.report(() -> door + " could not accept a connection: " + e.getMessage());
                return null;
            } catch (Throwable fault) {
                // An Error would end the acceptor's thread.
                Faults.report(door + ", accepting a connection", fault);
                return null;
            } finally {
                if (session == null) {
                    places.releaseSocket();
                    loop.releaseAccepted();
                } else {
                    // The kernel gets the descriptor back with the next select, before which the loop runs no further
                    // task.
                    session.getCloseFuture().addListener(_ -> loop.execute(places::releaseSocket));
                }
            }
        }
    }
}
