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

    /** How many connections the kernel keeps ready before they are accepted; its own limit is net.core.somaxconn. */
    private static final int BACKLOG = 1024;

    private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);

    /** How long the acceptor waits for a socket to be closed before it lets its selector ask again. */
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
     * Makes the connection of a socket that was just opened, on its loop.
     *
     * @param <C> the connection
     */
    @FunctionalInterface
    public interface Protocol<C extends Connection> {
        C connect(OpenSocket socket);
    }

    /**
     * How a door treats those who come.
     *
     * @param door what logs call this door
     * @param connectionsMax how many connections are open at most: of those that have proved themselves, where they must
     * @param connectionsKey the configuration key of that
     * @param descriptorsShare the part of the free file descriptors that this listener may take, above 0 and up to 1
     * @param refusal what one above {@code connectionsMax} is told before it is closed, by how many there may be
     * @param proof whether connections must prove themselves, and how many may be about it for how long
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
     * @param connectionsMax how many there are at most; the oldest of them is closed for one more
     * @param connectionsKey the configuration key of that
     * @param time how long one may take; it is closed then
     */
    public record Proof(int connectionsMax, String connectionsKey, Duration time) {
        /** So that those that prove themselves have the greater part of the places. */
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
        acceptor.setHandler(new Sessions(session -> admit(new OpenSocket(session), protocol)));
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
        options.proof().ifPresent(proof -> expireOn(loops.next(), proof));
    }

    /** Closes those that have not proved themselves in time, from now on. */
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

    /** The address that was bound, with the port that was given where any free one was asked for. */
    public InetSocketAddress address() {
        return address;
    }

    /** How many connections are open at most: of those that have proved themselves, where they must. */
    public int connectionsMax() {
        return connectionsMax;
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
        socket.whenClosed(() -> {
            connections.remove(connection);
            synchronized (connections) {
                connections.notifyAll();
            }
        });
        // It was accepted before the door was closed, and comes too late to be asked like the others.
        stopping.ifPresent(finish ->
                connection.loop().execute(() -> connection.guarded("its end", () -> finish.accept(connection))));
        return connection;
    }

    private boolean reportFull(OpenSocket socket) {
        acceptor.exhausted.report(() -> "refused %s: %s has its %d connections already (%s)"
                .formatted(socket.remote(), options.door(), connectionsMax, options.connectionsKey()));
        return false;
    }

    /** A connection that hears why it is not served, and is closed. */
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
     * MINA's acceptor, spreading what it accepts over the loops. It accepts no more sockets than have places, so that those
     * which are being closed still count, and survives a lack of file descriptors quietly.
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
            NioSession session = null;
            try {
                session = super.accept(loops.next(), channel);
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
                } else {
                    session.getCloseFuture().addListener(closed -> places.releaseSocket());
                }
            }
        }
    }
}
