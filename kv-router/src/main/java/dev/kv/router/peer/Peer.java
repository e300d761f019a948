package dev.kv.router.peer;

import dev.kv.router.Reply;
import dev.kv.router.Request;
import dev.kv.router.RoutingTable;
import dev.kv.router.net.Addresses;
import dev.kv.router.net.Connector;
import dev.kv.router.net.Loop;
import dev.kv.router.net.Report;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Another node as seen from one I/O loop: at most one link to it, opened when a request needs it, and the requests that wait.
 * On that loop only.
 *
 * <p>A request that finds no link waits for the attempt under way. A failed attempt answers all that wait, and until the next
 * one is due, which takes longer with each failure, requests are answered at once with what went wrong.
 */
final class Peer {
    private static final Logger LOG = LoggerFactory.getLogger(Peer.class);
    private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);
    private static final Duration RECONNECT_MIN = Duration.ofMillis(50);

    private final RoutingTable.Node node;
    private final PeerSettings settings;
    private final Loop loop;
    private final Connector connector;
    private final Report failures = new Report(LOG, REPORT_INTERVAL);

    /** Requests that no link has taken yet, in their order. */
    private final Set<Pending> waiting = new LinkedHashSet<>();

    private final Deadlines deadlines;
    private long waitingBytes;

    /** The link that takes requests. */
    private Optional<OutLink> link = Optional.empty();

    /** Counts attempts, so that what comes of one that was given up is not taken for that of the next. */
    private int attempt;

    private boolean connecting;
    private Optional<OutLink> candidate = Optional.empty();
    private boolean resolving;
    private Duration pause = Duration.ZERO;
    private long pausedUntilNanos;
    private String failure = "";

    Peer(RoutingTable.Node node, PeerSettings settings, Loop loop, Connector connector) {
        this.node = node;
        this.settings = settings;
        this.loop = loop;
        this.connector = connector;
        this.deadlines = new Deadlines(loop, waiting, this::expired);
    }

    String name() {
        return node.name();
    }

    /** The node has another address now, unless the table says where it is: what is asked from now on goes there. */
    void moved() {
        if (node.port() == 0) {
            link.ifPresent(OutLink::leave);
        }
    }

    /** Has the node run the request. */
    CompletionStage<Reply> run(Request request) {
        Pending pending = new Pending(request, settings.timeout());
        if (link.isPresent()) {
            link.get().request(pending);
        } else if (!connecting && (resolving || System.nanoTime() < pausedUntilNanos)) {
            pending.unreachable(failure);
        } else if (waiting.size() >= settings.inFlightMax() || waitingBytes >= settings.unsentMaxBytes()) {
            pending.unreachable(name() + " is not connected yet, and too much waits for it already"
                    + " (kv.router.in-flight-max, kv.router.unsent-max)");
        } else {
            waiting.add(pending);
            waitingBytes += pending.sizeBytes();
            deadlines.watch(pending);
            if (!connecting) {
                connect();
            }
        }
        return pending.reply();
    }

    private void expired(Pending pending) {
        waiting.remove(pending);
        waitingBytes -= pending.sizeBytes();
        pending.unreachable(name() + " could not be connected to within " + text(pending.timeout()));
    }

    private void connect() {
        connecting = true;
        resolving = true;
        int mine = ++attempt;
        loop.after(settings.timeout(), () -> failed(mine, "did not answer within " + text(settings.timeout())));
        InetSocketAddress address = settings.addressOf(node);
        // A look-up of a name can take long, and there is no way to end it: a thread of its own, one at a time.
        Thread.ofPlatform().daemon().name("kv-resolve " + name()).start(() -> {
            InetSocketAddress resolved = new InetSocketAddress(address.getHostString(), address.getPort());
            loop.execute(() -> resolved(mine, resolved));
        });
    }

    private void resolved(int mine, InetSocketAddress address) {
        resolving = false;
        if (!expects(mine)) {
            return;
        }
        if (address.isUnresolved()) {
            failed(mine, "cannot be found: its host does not resolve");
            return;
        }
        connector.connect(
                address, socket -> new OutLink(socket, this, mine, settings), fault -> failed(mine, reason(fault)));
    }

    private static String reason(Throwable fault) {
        return fault instanceof ConnectException
                ? "cannot be connected to: " + fault.getMessage()
                : "cannot be connected to: " + fault;
    }

    private boolean expects(int ofAttempt) {
        return connecting && ofAttempt == attempt;
    }

    /** Whether the link is the one that is waited for; else it is of an attempt that was given up. */
    boolean expects(OutLink opened, int ofAttempt) {
        if (!expects(ofAttempt)) {
            return false;
        }
        candidate = Optional.of(opened);
        return true;
    }

    /** Both nodes have proved themselves: the link takes requests. */
    void ready(OutLink trusted) {
        connecting = false;
        candidate = Optional.empty();
        link = Optional.of(trusted);
        pause = Duration.ZERO;
        LOG.info("connected to {} at {}", name(), trusted.remote());
        List<Pending> requests = new ArrayList<>(waiting);
        waiting.clear();
        waitingBytes = 0;
        requests.forEach(trusted::request);
    }

    /** An attempt has come to nothing. */
    void failed(int ofAttempt, String why) {
        if (!expects(ofAttempt)) {
            return;
        }
        connecting = false;
        candidate.ifPresent(OutLink::giveUp);
        candidate = Optional.empty();
        pause = shorter(settings.reconnectMax(), pause.isZero() ? RECONNECT_MIN : pause.multipliedBy(2));
        pausedUntilNanos = System.nanoTime() + pause.toNanos();
        failure = name() + " at " + Addresses.text(settings.addressOf(node)) + " " + why;
        failures.report(() -> failure);
        List<Pending> requests = new ArrayList<>(waiting);
        waiting.clear();
        waitingBytes = 0;
        requests.forEach(pending -> pending.unreachable(failure));
    }

    /** Logs it, unless it has just logged something of the kind. */
    void warn(Supplier<String> line) {
        failures.report(line);
    }

    /** The link takes no more requests. */
    void leaves(OutLink leaving) {
        link = link.filter(current -> current != leaving);
    }

    /** The link is closed. */
    void closed(OutLink closed, int ofAttempt) {
        leaves(closed);
        failed(ofAttempt, "closed the connection before it was set up");
    }

    private static Duration shorter(Duration a, Duration b) {
        return a.compareTo(b) < 0 ? a : b;
    }

    /** A duration for people, in hundredths of a second at the finest, such as {@code 4.75 s}. */
    static String text(Duration duration) {
        return BigDecimal.valueOf(duration.toMillis(), 3)
                        .setScale(2, RoundingMode.HALF_UP)
                        .stripTrailingZeros()
                        .toPlainString()
                + " s";
    }
}
