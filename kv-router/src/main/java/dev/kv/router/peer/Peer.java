package dev.kv.router.peer;

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
import java.util.Set;
import java.util.concurrent.CompletionStage;
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
 * A request waits for the attempt under way. A failed attempt answers all that wait for it, and while the node backs off,
 * which takes longer with each failure, requests are answered at once with what went wrong. A link that leaves answers what
 * it was asked and closes by itself; the next request opens another one beside it.
 *
 * <p>What happens is told by one method for each event, which says what it means in each state. An event that belongs to an
 * attempt or to a link that was given up finds another one in the state, and changes nothing.
 */
final class Peer {
    private static final Logger LOG = LoggerFactory.getLogger(Peer.class);
    private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);
    private static final Duration RECONNECT_MIN = Duration.ofMillis(50);

    private final RoutingTable.Node node;
    private final PeerSettings settings;
    private final Loop loop;
    private final Connector connector;
    private final ThreadFactory lookUps;
    private final Report failures = new Report(LOG, REPORT_INTERVAL);
    private State state = new State.Idle();

    private sealed interface State {
        /** No link, and nobody who wants one. */
        record Idle() implements State {}

        /** The host of the node's address is looked up. */
        record Resolving(Attempt attempt) implements State {}

        /** The socket is being opened. */
        record Connecting(Attempt attempt) implements State {}

        /** The nodes prove to each other who they are. */
        record Proving(Attempt attempt, OutLink link) implements State {}

        /** The link takes requests. */
        record Ready(OutLink link) implements State {}

        /**
         * The last attempt failed.
         *
         * @param isLookingUp whether its look-up still runs: nothing ends one, and there is one at a time
         * @param untilNanos no attempt begins before, by {@link System#nanoTime}
         */
        record BackingOff(Attempt failed, boolean isLookingUp, Duration pause, long untilNanos, String why)
                implements State {}
    }

    /** What is done to get a link, once, and the requests that wait for it. */
    private final class Attempt {
        /** How long the node had backed off before. */
        private final Duration pauseBefore;

        private final Set<Pending> waiting = new LinkedHashSet<>();
        private final Deadlines deadlines = new Deadlines(loop, waiting, this::expired);
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
     */
    Peer(RoutingTable.Node node, PeerSettings settings, Loop loop, Connector connector, ThreadFactory lookUps) {
        this.lookUps = lookUps;
        this.node = node;
        this.settings = settings;
        this.loop = loop;
        this.connector = connector;
    }

    String name() {
        return node.name();
    }

    /** Has the node run the request. */
    CompletionStage<Reply> run(Request request) {
        Pending pending = new Pending(request, settings.timeout());
        switch (state) {
            case State.Ready(OutLink link) -> link.request(pending);
            case State.Resolving(Attempt attempt) -> attempt.add(pending);
            case State.Connecting(Attempt attempt) -> attempt.add(pending);
            case State.Proving(Attempt attempt, OutLink _) -> attempt.add(pending);
            case State.Idle _ -> begin(Duration.ZERO).add(pending);
            case State.BackingOff off -> {
                if (off.isLookingUp() || System.nanoTime() - off.untilNanos() < 0) {
                    pending.unreachable(off.why());
                } else {
                    begin(off.pause()).add(pending);
                }
            }
        }
        return pending.reply();
    }

    /** The node has another address now, unless the table says where it is: what is asked from now on goes there. */
    void moved() {
        if (node.port() != 0) {
            return;
        }
        switch (state) {
            case State.Ready(OutLink link) -> link.leave();
            case State.Idle _, State.Resolving _, State.Connecting _, State.Proving _, State.BackingOff _ -> {}
        }
    }

    private Attempt begin(Duration pauseBefore) {
        Attempt attempt = new Attempt(pauseBefore);
        state = new State.Resolving(attempt);
        loop.after(settings.timeout(), () -> failed(attempt, "did not answer within " + text(settings.timeout())));
        lookUp(attempt, settings.addressOf(node));
        return attempt;
    }

    /** A look-up of a name can take long, and there is no way to end it: it has a thread of its own, one at a time. */
    private void lookUp(Attempt attempt, InetSocketAddress address) {
        try {
            Thread thread = lookUps.newThread(() -> {
                InetSocketAddress found = new InetSocketAddress(address.getHostString(), address.getPort());
                loop.execute(() -> resolved(attempt, found, "its host does not resolve"));
            });
            thread.setName("kv-resolve " + name());
            thread.start();
        } catch (OutOfMemoryError noThread) {
            loop.execute(() -> resolved(attempt, address, noThread.getMessage()));
        }
    }

    /**
     * The look-up of an attempt is over.
     *
     * @param address unresolved if it found none
     * @param why it found none, if so
     */
    private void resolved(Attempt of, InetSocketAddress address, String why) {
        switch (state) {
            case State.Resolving(Attempt attempt)
            when attempt == of -> {
                state = new State.Connecting(attempt);
                if (address.isUnresolved()) {
                    failed(attempt, "cannot be found: " + why);
                } else {
                    connector.connect(
                            address,
                            socket -> new OutLink(socket, this, link -> opened(attempt, link), settings),
                            fault -> failed(attempt, reason(fault)));
                }
            }
            case State.BackingOff off
            when off.failed() == of ->
                state = new State.BackingOff(of, false, off.pause(), off.untilNanos(), off.why());
            case State.Idle _,
                    State.Resolving _,
                    State.Connecting _,
                    State.Proving _,
                    State.Ready _,
                    State.BackingOff _ -> {}
        }
    }

    private static String reason(Throwable fault) {
        return fault instanceof ConnectException
                ? "cannot be connected to: " + fault.getMessage()
                : "cannot be connected to: " + fault;
    }

    /** The socket of an attempt is open. */
    private void opened(Attempt of, OutLink link) {
        switch (state) {
            case State.Connecting(Attempt attempt)
            when attempt == of -> {
                state = new State.Proving(attempt, link);
                link.prove();
            }
            case State.Idle _,
                    State.Resolving _,
                    State.Connecting _,
                    State.Proving _,
                    State.Ready _,
                    State.BackingOff _ -> link.giveUp();
        }
    }

    /** Both nodes have proved themselves. */
    void proven(OutLink by) {
        switch (state) {
            case State.Proving(Attempt attempt, OutLink link)
            when link == by -> {
                state = new State.Ready(link);
                LOG.info("connected to {} at {}", name(), link.remote());
                attempt.takeAll().forEach(link::request);
            }
            case State.Idle _,
                    State.Resolving _,
                    State.Connecting _,
                    State.Proving _,
                    State.Ready _,
                    State.BackingOff _ -> by.giveUp();
        }
    }

    /** One of the nodes does not take the other for what it should be. */
    void refused(OutLink by, String why) {
        switch (state) {
            case State.Proving(Attempt attempt, OutLink link) when link == by -> failed(attempt, why);
            case State.Idle _,
                    State.Resolving _,
                    State.Connecting _,
                    State.Proving _,
                    State.Ready _,
                    State.BackingOff _ -> by.giveUp();
        }
    }

    /** The link takes no more requests. */
    void leaves(OutLink leaving) {
        switch (state) {
            case State.Ready(OutLink link) when link == leaving -> state = new State.Idle();
            case State.Idle _,
                    State.Resolving _,
                    State.Connecting _,
                    State.Proving _,
                    State.Ready _,
                    State.BackingOff _ -> {}
        }
    }

    /** The link is closed. */
    void closed(OutLink closed) {
        switch (state) {
            case State.Ready(OutLink link) when link == closed -> state = new State.Idle();
            case State.Proving(Attempt attempt, OutLink link)
            when link == closed -> failed(attempt, "closed the connection before it was set up");
            case State.Idle _,
                    State.Resolving _,
                    State.Connecting _,
                    State.Proving _,
                    State.Ready _,
                    State.BackingOff _ -> {}
        }
    }

    /** An attempt has come to nothing, or its time is over. */
    private void failed(Attempt of, String why) {
        switch (state) {
            case State.Resolving(Attempt attempt) when attempt == of -> backOff(attempt, true, why);
            case State.Connecting(Attempt attempt) when attempt == of -> backOff(attempt, false, why);
            case State.Proving(Attempt attempt, OutLink link)
            when attempt == of -> {
                backOff(attempt, false, why);
                link.giveUp();
            }
            case State.Idle _,
                    State.Resolving _,
                    State.Connecting _,
                    State.Proving _,
                    State.Ready _,
                    State.BackingOff _ -> {}
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
        attempt.takeAll().forEach(pending -> pending.unreachable(failure));
    }

    /** Logs it, unless it has just logged something of the kind. */
    void warn(Supplier<String> line) {
        failures.report(line);
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
