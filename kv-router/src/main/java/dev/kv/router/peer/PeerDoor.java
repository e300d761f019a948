package dev.kv.router.peer;

import dev.kv.router.Bytes;
import dev.kv.router.dispatch.Router;
import dev.kv.router.net.Listener;
import dev.kv.router.net.Loops;
import dev.kv.router.net.Report;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The listener for links from other nodes. */
public final class PeerDoor {
    private static final Logger LOG = LoggerFactory.getLogger(PeerDoor.class);
    /** The log has at most one line about refused nodes in this time. */
    private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);

    /** The share of the file descriptors for listeners that links get; clients get the rest. */
    private static final double DESCRIPTORS_SHARE = 1.0 / 4;

    private final Listener<InLink> listener;

    /**
     * Opens the door.
     *
     * @throws IOException if the address cannot be bound
     */
    public PeerDoor(Loops loops, InetSocketAddress address, PeerSettings settings, Router router) throws IOException {
        Report refusals = new Report(LOG, REPORT_INTERVAL);
        Listener.Options options = new Listener.Options(
                "the door for nodes",
                settings.connectionsMax(),
                "kv.router.connections-max",
                DESCRIPTORS_SHARE,
                _ -> Bytes.EMPTY,
                Optional.of(new Listener.Proof(
                        settings.handshakesMax(), "kv.router.handshakes-max", settings.handshakeTimeout())));
        listener = loops.listen(address, options, socket -> new InLink(socket, settings, router, refusals));
    }

    /** The address that was bound. */
    public InetSocketAddress address() {
        return listener.address();
    }

    /** How many links are open. */
    public int links() {
        return listener.connections();
    }

    /** Answers the requests in flight, and asks the other nodes to close their links; closes those that are left after {@code limit}. */
    public void stop(Duration limit) {
        listener.stop(limit, InLink::goAway);
    }
}
