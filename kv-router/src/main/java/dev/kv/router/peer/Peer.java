package dev.kv.router.peer;

import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Request;
import dev.kv.router.net.Addresses;
import dev.kv.router.net.Connector;
import dev.kv.router.net.Loop;
import dev.kv.router.net.Report;
import dev.kv.router.table.RoutingTable;
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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadFactory;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Another node as seen from one I/O loop: a state machine with at most one link that takes requests. On that loop only.
 *
 * <pre>
 * Idle --request--> Resolving --address--> Connecting --socket--> Proving --WELCOME--> Ready --closed, leaves--> Idle
 *                       |                      |                     |
 *                       +---- no success within the timeout, or refused ----> BackingOff --request, once it is over--> Resolving
 * </pre>
 *
 * A request waits for the attempt under way. When an attempt fails, all requests that wait for it fail. While the peer backs off, for a
 * time that grows with each failure, requests fail at once with the reason of the last failure. A link that leaves closes when its
 * requests are answered; the next request opens another link.
 *
 * <p>Each event is a method, which says in which state the event means something. An event of an attempt or a link that was given
 * up finds another one in the state, or none, and changes nothing.
 */
final class Peer {
    private static final Logger LOG = LoggerFactory.getLogger(Peer.class);
    /** The log has at most one line of a kind for each node in this time. */
    private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);

    /** The pause after the first failed attempt. No key: kv.router.reconnect-max bounds the pauses. */
    private static final Duration RECONNECT_MIN = Duration.ofMillis(50);

    private final RoutingTable.Node node;
    private final PeerSettings settings;
    private final Loop loop;
    private final Connector connector;
    private final ThreadFactory lookUps;
    private final OutLinks links;
    private final Unanswered unanswered;
    private final Report failures = new Report(LOG, REPORT_INTERVAL);
    private State state = new State.Idle();

    /** Whether the table in force names the node no more: a link that becomes ready after that is closed when it has answered. */
    private boolean isDropped;

    private sealed interface State {
        /** No link, and no request that needs one. */
        record Idle() implements State {}

        /** The host name of the node's address is being resolved. */
        record Resolving(Attempt attempt) implements State {}

        /** The socket is being opened. */
        record Connecting(Attempt attempt) implements State {}

        /** The handshake is under way. */
        record Proving(Attempt attempt, OutLink link) implements State {}

        /** The link takes requests. */
        record Ready(OutLink link) implements State {}

        /**
         * The last attempt failed.
         *
         * @param isLookingUp whether its look-up still runs: it cannot be interrupted, and only one runs at a time
         * @param untilNanos the time before which no attempt begins, by {@link System#nanoTime}
         */
        record BackingOff(Attempt failed, boolean isLookingUp, Duration pause, long untilNanos, String why)
                implements State {
            /** Why a request fails now, so long before the next attempt: the last one may have taken longer than the request did. */
            String why(long leftNanos) {
                Duration ago = pause.minusNanos(leftNanos);
                return why + ", " + text(ago) + " ago; "
                        + (isLookingUp
                                ? "its host is still being looked up"
                                : "the next attempt can begin in " + text(Duration.ofNanos(leftNanos)));
            }
        }
    }

    /** One attempt to open a link, and the requests that wait for it. */
    private final class Attempt {
        /** The time that the peer had backed off before. */
        private final Duration pauseBefore;

        private final Set<Pending> waiting = new LinkedHashSet<>();
        private final Deadlines deadlines = new Deadlines(loop, () -> waiting, this::expired);
        private long waitingBytes;

        Attempt(Duration pauseBefore) {
            this.pauseBefore = pauseBefore;
        }

        void add(Pending request) {
            if (waiting.size() >= settings.inFlightMax() || waitingBytes >= settings.unsentMaxBytes()) {
                request.unreachable(name() + " is not connected yet, and too much waits for it already"
                        + " (kv.router.in-flight-max, kv.router.unsent-max)");
                return;
            }
            if (waiting.size() >= settings.inFlightMax() / 2) {
                request.crowded();
            }
            waiting.add(request);
            waitingBytes += request.sizeBytes();
            deadlines.watch(request);
        }

        private void expired(Pending request) {
            if (waiting.remove(request)) {
                waitingBytes -= request.sizeBytes();
                request.unreachable(name() + " could not be connected to within " + text(request.timeout()));
            }
        }

        /** The attempt is over. */
        List<Pending> takeAll() {
            List<Pending> all = new ArrayList<>(waiting);
            waiting.clear();
            waitingBytes = 0;
            return all;
        }
    }

    /**
     * @param lookUps makes the threads that look up the host of the node
     * @param links those of all loops
     * @param unanswered the requests of this loop
     */
    Peer(
            RoutingTable.Node node,
            PeerSettings settings,
            Loop loop,
            Connector connector,
            ThreadFactory lookUps,
            OutLinks links,
            Unanswered unanswered) {
        this.lookUps = lookUps;
        this.unanswered = unanswered;
        this.links = links;
        this.node = node;
        this.settings = settings;
        this.loop = loop;
        this.connector = connector;
    }

    RoutingTable.Node node() {
        return node;
    }

    String name() {
        return node.name();
    }

    /** Whether the node is known to take {@link Command.Each}: only while a link to it takes requests. */
    boolean takesEach() {
        return state instanceof State.Ready(OutLink link) && link.takesEach();
    }

    /**
     * Sends the request to the node.
     *
     * @param parts the question that it is a part of
     */
    CompletableFuture<Reply> run(Request request, Optional<Parts> parts) {
        Pending pending = new Pending(request, settings.timeout(), unanswered, parts, loop.nanos());
        Optional<Reply> excess = excess(pending);
        if (excess.isPresent()) {
            return CompletableFuture.completedFuture(excess.get());
        }
        pending.begins();
        boolean isTaken = false;
        try {
            take(pending);
            isTaken = true;
        } finally {
            if (!isTaken) {
                pending.ended();
            }
        }
        return pending.reply();
    }

    private void take(Pending pending) {
        switch (state) {
            case State.Ready(OutLink link) -> link.request(pending);
            case State.Resolving(Attempt attempt) -> attempt.add(pending);
            case State.Connecting(Attempt attempt) -> attempt.add(pending);
            case State.Proving(Attempt attempt, OutLink _) -> attempt.add(pending);
            case State.Idle _ -> begin(Duration.ZERO).add(pending);
            case State.BackingOff off -> {
                long leftNanos = off.untilNanos() - System.nanoTime();
                if (off.isLookingUp() || leftNanos > 0) {
                    pending.unreachable(off.why(leftNanos));
                } else {
                    begin(off.pause()).add(pending);
                }
            }
        }
    }

    /** An error in place of a request that is too long for any node: it is not put into bytes. */
    private Optional<Reply> excess(Pending request) {
        if (!(request.request().command() instanceof Command.Unbounded)
                || request.sizeBytes() <= settings.messageMaxBytes()) {
            return Optional.empty();
        }
        return Optional.of(new Reply.Failed(
                Reply.Word.TOOLARGE,
                "a request to " + name() + " has at most " + settings.messageMaxBytes()
                        + " bytes (kv.router.reply-max, kv.router.value-max): split it"));
    }

    /** The node has another address now, unless the table says where it is: later requests go there. */
    void moved() {
        if (node.port() == 0) {
            leave();
        }
    }

    /** The table in force does not name the node any more: the link closes when it has answered. */
    void drop() {
        isDropped = true;
        links.dropped(name());
        leave();
    }

    private void leave() {
        if (state instanceof State.Ready(OutLink link)) {
            link.leave();
        }
    }

    private Attempt begin(Duration pauseBefore) {
        Attempt attempt = new Attempt(pauseBefore);
        state = new State.Resolving(attempt);
        loop.after(settings.timeout(), () -> failed(attempt, "did not answer within " + text(settings.timeout())));
        lookUp(attempt, settings.addressOf(node));
        return attempt;
    }

    /** A look-up of a name can take long, and nothing ends it: it has a thread of its own, one at a time. */
    private void lookUp(Attempt attempt, InetSocketAddress address) {
        try {
            Thread thread = lookUps.newThread(() -> {
                InetSocketAddress found = address;
                try {
                    found = new InetSocketAddress(address.getHostString(), address.getPort());
                } finally {
                    InetSocketAddress result = found;
                    loop.execute(() -> resolved(attempt, result, "its host does not resolve"));
                }
            });
            thread.setName("kv-resolve " + name());
            thread.start();
        } catch (OutOfMemoryError noThread) {
            loop.execute(() -> resolved(attempt, address, noThread.getMessage()));
        }
    }

    /**
     * The look-up of an attempt has ended.
     *
     * @param address unresolved if the look-up failed
     * @param why the reason, if it failed
     */
    private void resolved(Attempt of, InetSocketAddress address, String why) {
        if (state instanceof State.Resolving(Attempt attempt) && attempt == of) {
            state = new State.Connecting(attempt);
            if (address.isUnresolved()) {
                failed(attempt, "cannot be found: " + why);
            } else {
                connector.connect(
                        address,
                        socket -> new OutLink(socket, this, link -> opened(attempt, link), settings),
                        fault -> failed(attempt, reason(fault)));
            }
        } else if (state instanceof State.BackingOff off && off.failed() == of) {
            state = new State.BackingOff(of, false, off.pause(), off.untilNanos(), off.why());
        }
    }

    private static String reason(Throwable fault) {
        return fault instanceof ConnectException
                ? "cannot be reached: " + fault.getMessage()
                : "cannot be reached: " + fault;
    }

    /** The socket of an attempt is open. */
    private void opened(Attempt of, OutLink link) {
        if (state instanceof State.Connecting(Attempt attempt) && attempt == of) {
            state = new State.Proving(attempt, link);
            link.prove();
        } else {
            link.giveUp();
        }
    }

    /** Both nodes have proved themselves. */
    void proven(OutLink by) {
        links.opened(name());
        if (state instanceof State.Proving(Attempt attempt, OutLink link) && link == by) {
            state = new State.Ready(link);
            LOG.info("connected to {} at {}", name(), link.remote());
            attempt.takeAll().forEach(link::request);
            if (isDropped) {
                link.leave();
            }
        } else {
            by.giveUp();
        }
    }

    /** One of the nodes refused the other in the handshake. */
    void refused(OutLink by, String why) {
        if (state instanceof State.Proving(Attempt attempt, OutLink link) && link == by) {
            failed(attempt, why);
        } else {
            by.giveUp();
        }
    }

    /** The link takes no more requests. */
    void leaves(OutLink leaving) {
        if (state instanceof State.Ready(OutLink link) && link == leaving) {
            state = new State.Idle();
        }
    }

    /** The link is closed. */
    void closed(OutLink closed) {
        if (closed.isTrusted()) {
            links.closed();
        }
        if (state instanceof State.Proving(Attempt attempt, OutLink link) && link == closed) {
            failed(attempt, "closed the connection before it was set up");
        } else {
            leaves(closed);
        }
    }

    /** An attempt has failed, or its time is over. */
    private void failed(Attempt of, String why) {
        if (state instanceof State.Proving(Attempt attempt, OutLink link) && attempt == of) {
            backOff(attempt, false, why);
            link.giveUp();
        } else if (state instanceof State.Connecting(Attempt attempt) && attempt == of) {
            backOff(attempt, false, why);
        } else if (state instanceof State.Resolving(Attempt attempt) && attempt == of) {
            backOff(attempt, true, why);
        }
    }

    private void backOff(Attempt attempt, boolean isLookingUp, String why) {
        Duration pause = attempt.pauseBefore.isZero() ? RECONNECT_MIN : attempt.pauseBefore.multipliedBy(2);
        if (pause.compareTo(settings.reconnectMax()) > 0) {
            pause = settings.reconnectMax();
        }
        String failure = name() + " at " + Addresses.text(settings.addressOf(node)) + " " + why;
        state = new State.BackingOff(attempt, isLookingUp, pause, System.nanoTime() + pause.toNanos(), failure);
        failures.report(() -> failure);
        if (!isDropped) {
            links.failed(name(), failure);
        }
        attempt.takeAll().forEach(pending -> pending.unreachable(failure));
    }

    /** Logs the line, at most one every 10 s. */
    void warn(Supplier<String> line) {
        failures.report(line);
    }

    /** The duration in seconds with at most two decimals, such as {@code 4.75 s}. */
    static String text(Duration duration) {
        return BigDecimal.valueOf(duration.toMillis(), 3)
                        .setScale(2, RoundingMode.HALF_UP)
                        .stripTrailingZeros()
                        .toPlainString()
                + " s";
    }
}
