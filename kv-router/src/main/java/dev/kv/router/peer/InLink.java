package dev.kv.router.peer;

import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.router.Request;
import dev.kv.router.dispatch.Router;
import dev.kv.router.net.Greeting;
import dev.kv.router.net.OpenSocket;
import dev.kv.router.net.Report;
import dev.kv.router.peer.codec.MalformedMessage;
import dev.kv.router.peer.codec.Received;
import dev.kv.router.peer.codec.RequestCodec;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The called side of a link: another node asks, this node answers. It is over 400 lines, as each event of a link decides about the same
 * requests.
 */
final class InLink extends Link {
    private static final Logger LOG = LoggerFactory.getLogger(InLink.class);

    private final PeerSettings settings;
    private final Router router;
    private final Report refusals;
    private final CalledHandshake handshake;

    /** The replies that are not ready, by number. */
    private final IntMap<CompletableFuture<Reply>> underWay = new IntMap<>();

    /** Requests that wait until more of the output is sent. */
    private final StreamTurns turns = new StreamTurns(this, (request, number) -> admit(number, request), this::readOn);

    /** Requests that wait to be run. */
    private final Admission admission;

    /** The memory for long requests, of which none is taken while many wait for a slow disk. */
    private final LateClaims lateClaims;

    private final OutgoingReplies replies;

    /** Requests that another thread makes of bytes, and those behind them. */
    private final Preparation preparation = new Preparation(this);

    /** When a part of a long request came last, by {@link System#nanoTime}. */
    private long receivedNanos;

    private boolean isReceivingWatched;

    /** What the reply needs of a request. */
    private record ReplyTo(int number, int stream, Duration timeLeft) {}

    /**
     * @param refusals where refused nodes are reported
     */
    InLink(OpenSocket socket, PeerSettings settings, Router router, Report refusals) {
        super(socket, REQUEST, settings.unsentMaxBytes(), settings);
        this.settings = settings;
        this.router = router;
        this.refusals = refusals;
        this.handshake = new CalledHandshake(this, socket, settings, refusals);
        this.admission = new Admission(
                this,
                settings.replies(),
                Math.min(settings.messageMaxBytes(), settings.replies().bytes()),
                settings.waitingMaxBytes(),
                (request, number) -> run(number, request));
        this.lateClaims = new LateClaims(
                admission::mayTakeLong,
                (bytes, whenGranted) -> settings.room().claim(bytes, Room.Claimant.alone(), loop(), whenGranted));
        this.replies = new OutgoingReplies(this, admission::hold, this::readOn);
    }

    @Override
    protected void closed() {
        super.closed();
        turns.close();
        admission.close();
        replies.close();
        preparation.close();
        List<CompletableFuture<Reply>> abandoned = underWay.values();
        underWay.clear();
        abandoned.forEach(reply -> reply.cancel(false));
    }

    /** Asks the caller to finish: it gets the answers that it waits for, and closes. */
    void goAway() {
        if (isTrusted()) {
            sendFrame(GOAWAY, new byte[0]);
        } else {
            close();
        }
    }

    @Override
    void handshake(byte kind, ByteBuffer content) throws MalformedMessage {
        handshake.received(kind, content);
    }

    @Override
    void noFrame(ByteBuffer input) {
        Greeting greeting = Greeting.of(input);
        warn(() -> "refused " + remote() + ": it speaks " + greeting.protocol()
                + ", but this port is for other nodes (kv.router.port); clients connect to kv.server.port");
        send(greeting.refusal("this port is for other nodes of kv (kv.router.port); clients connect to the port"
                + " kv.server.port, 4040 by default"));
        closeAfterSent();
    }

    /** Tells the caller why it is refused, and closes the link. */
    void refuse(byte[] why) {
        sendFrame(REFUSED, why);
        closeAfterSent();
    }

    /** Closes the link. */
    void giveUp() {
        close();
    }

    @Override
    protected boolean mayRead() {
        // What waits for credit must not keep the credit from being read.
        long unsent = unsent() + (givesCredit() ? 0 : outbox().waitingBytes());
        return underWay.size() + replies.beingEncoded() < settings.inFlightMax()
                && unsent < settings.unsentMaxBytes()
                && turns.bytes() < settings.waitingMaxBytes();
    }

    @Override
    protected void sent() {
        super.sent();
        admission.goOn();
        turns.goOn();
    }

    @Override
    protected boolean hasMoreToSend() {
        return super.hasMoreToSend() || admission.isReady() || turns.areReady();
    }

    @Override
    void message(int number, Received body, Room.Place memory) throws MalformedMessage {
        if (body.isLong()) {
            refuseIfUnderWay(number);
            preparation.elsewhere(
                    RequestCodec.streamOf(body),
                    number,
                    () -> decode(number, body),
                    asked -> take(number, asked),
                    memory::release);
            tellWhileWaiting(settings.timeout());
            return;
        }
        RequestCodec.Asked asked = decode(number, body);
        memory.release();
        refuseIfUnderWay(number);
        if (asked instanceof RequestCodec.Asked.Known(Request request) && preparation.isBusy(request.stream())) {
            preparation.behind(request.stream(), number, () -> take(number, asked));
        } else {
            take(number, asked);
        }
    }

    private RequestCodec.Asked decode(int number, Received body) throws MalformedMessage {
        return RequestCodec.decode(body, version(), () -> progress(number));
    }

    private void refuseIfUnderWay(int number) throws MalformedMessage {
        if (underWay.has(number)
                || turns.has(number)
                || admission.has(number)
                || replies.has(number)
                || preparation.has(number)) {
            throw new MalformedMessage("the number of a request that is under way");
        }
    }

    private void take(int number, RequestCodec.Asked asked) {
        switch (asked) {
            case RequestCodec.Asked.Unknown(int command) -> replies.sendUnsupported(number, command);
            case RequestCodec.Asked.Known(Request request) -> {
                if (inFlight() >= settings.inFlightMax()) {
                    replies.send(
                            number,
                            new Reply.Failed(
                                    Word.UNREACHABLE,
                                    settings.self() + " has " + inFlight() + " requests of " + handshake.caller()
                                            + " to answer (kv.router.in-flight-max); the request was not run"));
                } else if (turns.areBusy()) {
                    turns.add(number, request);
                    tellWhileWaiting(request.timeLeft());
                } else {
                    admit(number, request);
                }
            }
        }
    }

    private void admit(int number, Request request) {
        if (!admission.mayTake(request)) {
            replies.send(
                    number,
                    new Reply.Failed(
                            Word.UNREACHABLE,
                            settings.self() + " has too many requests of " + handshake.caller()
                                    + " that wait for a slow disk, or for memory for their replies"
                                    + " (kv.router.unsent-max, replies-max); the request was not run"));
        } else if (!admission.admit(number, request)) {
            tellWhileWaiting(request.timeLeft());
        }
    }

    /** The requests that are not answered, and the long replies that are not sent. */
    private int inFlight() {
        return preparation.size() + turns.size() + admission.size() + underWay.size() + replies.size();
    }

    /** A caller has at most as many requests in flight, and so offers no more. */
    @Override
    void announced(int number) throws MalformedMessage {
        if (inbox().size() >= settings.inFlightMax()) {
            throw new MalformedMessage(
                    "more than " + settings.inFlightMax() + " long requests at a time (kv.router.in-flight-max)");
        }
    }

    @Override
    void tooLong(int number) {
        replies.send(
                number,
                new Reply.Failed(
                        Word.TOOLARGE,
                        settings.self()
                                + " has no room for this request (kv.router.value-max, kv.router.assembly-max)"));
    }

    private void run(int number, Request request) {
        CompletableFuture<Reply> reply =
                router.run(request.onStream(streamOf(request))).toCompletableFuture();
        // The request itself is not kept: while a write waits for the disk, nobody else needs it.
        ReplyTo asked = new ReplyTo(number, request.stream(), request.timeLeft());
        if (reply.isDone()) {
            answer(asked, resultOf(reply), Optional.empty());
            return;
        }
        underWay.put(number, reply);
        Runnable charged = () -> {};
        if (reply instanceof LongReply.UnderWay command) {
            charged = admission.expect(number, request.command(), command);
            if (command.holdsBack()) {
                admission.holdBack(request, command, lateClaims::goOn);
            }
            tellWhileWaiting(request.timeLeft());
        }
        Runnable release = charged;
        var _ = reply.whenComplete((result, _) -> {
            if (underWay.remove(number, reply)) {
                guarded("a reply", () -> answerPassedOn(asked, reply));
                readOn();
            } else if (result != null) {
                Held.releaseIn(result);
            }
            release.run();
        });
    }

    private Reply resultOf(CompletableFuture<Reply> done) {
        try {
            return done.join();
        } catch (CompletionException | CancellationException fault) {
            LOG.error("fault in a request of {}", handshake.caller(), fault);
            return new Reply.Failed(
                    Word.ERR, settings.self() + " failed at this request, see its log; it may have run");
        }
    }

    /** The stream of a request on this node. Streams of two links can get the same number: then their requests wait for one another. */
    private int streamOf(Request request) {
        return 31 * System.identityHashCode(this) + request.stream();
    }

    private void answerPassedOn(ReplyTo asked, CompletableFuture<Reply> reply) {
        Optional<Runnable> memory =
                reply instanceof LongReply.Charged passedOn ? passedOn.takeMemory() : Optional.empty();
        boolean isTaken = false;
        try {
            answer(asked, resultOf(reply), memory);
            isTaken = true;
        } finally {
            if (!isTaken) {
                memory.ifPresent(Runnable::run);
            }
        }
    }

    /**
     * @param memory gives back the memory of a reply that another node sent: it stays charged until the reply has been passed on
     */
    private void answer(ReplyTo asked, Reply reply, Optional<Runnable> memory) {
        if (isClosed()) {
            Held.releaseIn(reply);
            memory.ifPresent(Runnable::run);
            return;
        }
        replies.send(asked.stream, asked.number, reply, memory);
        if (replies.has(asked.number)) {
            tellWhileWaiting(asked.timeLeft);
        }
    }

    private void progress(int number) {
        if (!isClosed()) {
            sendNotice(PROGRESS, number);
        }
    }

    @Override
    void notice(byte kind, int number) throws MalformedMessage {
        if (kind != CANCEL) {
            throw unknown(kind);
        }
        boolean isDropped = inbox().forget(number);
        if (!givesCredit()) {
            return;
        }
        if (isDropped
                || preparation.forget(number)
                || turns.forget(number)
                || admission.cancel(number)
                || abandon(number)
                || replies.forget(number)) {
            sendNotice(CANCEL, number);
        }
    }

    /** Nobody awaits the reply any more; tells whether it was under way. */
    private boolean abandon(int number) {
        CompletableFuture<Reply> reply = underWay.remove(number);
        if (reply == null) {
            return false;
        }
        reply.cancel(false);
        readOn();
        return true;
    }

    @Override
    boolean takes(int number, long length) {
        return true;
    }

    /** A request is run as soon as it has come: its memory waits for no other node, and for no other request of its client. */
    @Override
    Room.Place claim(int number, long bytes, Runnable whenGranted) {
        return lateClaims.claim(bytes, whenGranted);
    }

    @Override
    void waits(int number) {
        tellWhileWaiting(settings.timeout());
    }

    @Override
    boolean tellWaiting() {
        List<Integer> waiting = Stream.of(
                        inbox().waiting(), preparation.waiting(), turns.moved(), admission.waiting(), replies.waiting())
                .flatMap(List::stream)
                .toList();
        waiting.forEach(this::progress);
        return tellUnderWay() || !waiting.isEmpty() || turns.size() + admission.size() > 0;
    }

    /** The same for those that wait for a thread or run on one, if it has done something for them since; whether there are any. */
    private boolean tellUnderWay() {
        boolean areAny = false;
        for (int number : underWay.keys()) {
            if (underWay.get(number) instanceof LongReply.UnderWay command) {
                areAny = true;
                if (command.hasMoved()) {
                    progress(number);
                }
            }
        }
        return areAny;
    }

    @Override
    void granted(int number) {
        moved(number);
    }

    @Override
    void warn(Supplier<String> line) {
        refusals.report(line);
    }

    /** A caller that stops half-way must not keep the memory for the rest of its request. */
    @Override
    void moved(int number) {
        receivedNanos = System.nanoTime();
        if (!isReceivingWatched) {
            isReceivingWatched = true;
            loop().after(settings.timeout(), () -> guarded("a request", this::checkReceiving));
        }
    }

    private void checkReceiving() {
        isReceivingWatched = false;
        if (isClosed() || !inbox().isReceiving()) {
            return;
        }
        Duration left = settings.timeout().minusNanos(System.nanoTime() - receivedNanos);
        if (left.isNegative() || left.isZero()) {
            warn(() -> "closed the connection of " + handshake.caller() + " at " + remote()
                    + ": no part of a request came for " + Peer.text(settings.timeout()) + " (kv.router.timeout)");
            close();
        } else {
            isReceivingWatched = true;
            loop().after(left, () -> guarded("a request", this::checkReceiving));
        }
    }
}
