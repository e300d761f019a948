package dev.kv.router.peer;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.net.OpenSocket;
import dev.kv.router.peer.codec.Encoded;
import dev.kv.router.peer.codec.MalformedMessage;
import dev.kv.router.peer.codec.MessageWriter;
import dev.kv.router.peer.codec.Received;
import dev.kv.router.peer.codec.ReplyCodec;
import dev.kv.router.peer.codec.RequestCodec;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * The calling side of a link: this node asks, another answers. It is over 400 lines, as each event of a link decides about the same requests
 * in flight.
 */
final class OutLink extends Link {
    private static final String UNASKED = "a reply to a request that was not sent";

    /** The deadline of a request and the silence that began with it end almost together: so much less counts as silence, too. */
    private static final Duration SILENCE_SLACK = Duration.ofMillis(10);

    private final Peer peer;
    private final Consumer<OutLink> whenOpened;
    private final PeerSettings settings;
    private final CallingHandshake handshake;

    /** The requests in flight, by number. A cancelled one stays until its reply or a CANCEL has come. */
    private final IntMap<Pending> pending = new IntMap<>();

    private final Optional<Consumer<Pending>> whenAbandoned = Optional.of(this::abandoned);
    private final Deadlines deadlines = new Deadlines(loop(), pending::values, this::expired);

    /** Requests that wait until less of the output is unsent, and less is expected of those in flight. */
    private final ReplyTurns turns = new ReplyTurns(this, this::encode);

    /** Requests that are put into bytes by another thread, and those behind them. */
    private final Preparation preparation = new Preparation(this);

    /** The bytes of these. */
    private long encodedBytes;

    private int lastNumber;

    /**
     * When the other node was last heard, or took a part of a large request, by {@link System#nanoTime}. What the socket takes
     * says nothing of it: the kernel takes small requests for a node that hangs.
     */
    private long activeNanos;

    private boolean silenceWatched;
    private boolean leaving;
    private String end;

    /**
     * @param whenOpened decides what becomes of the link: {@link #prove} or {@link #giveUp}
     */
    OutLink(OpenSocket socket, Peer peer, Consumer<OutLink> whenOpened, PeerSettings settings) {
        super(socket, REPLY, Long.MAX_VALUE, settings);
        this.peer = peer;
        this.whenOpened = whenOpened;
        this.settings = settings;
        this.handshake = new CallingHandshake(this, peer, settings);
        this.end = peer.name() + " closed the connection";
    }

    @Override
    protected void opened() {
        whenOpened.accept(this);
    }

    /** Has both nodes prove themselves; the peer hears of the outcome. */
    void prove() {
        handshake.begin();
    }

    @Override
    protected void closed() {
        super.closed();
        turns.close();
        preparation.close();
        peer.closed(this);
        List<Pending> left = pending.values();
        pending.clear();
        for (Pending request : left) {
            if (request.isSent()) {
                request.uncertain(end);
            } else {
                request.unreachable(end);
            }
        }
    }

    @Override
    protected void sent() {
        super.sent();
        turns.goOn();
    }

    @Override
    protected boolean hasMoreToSend() {
        return super.hasMoreToSend() || turns.areReady();
    }

    @Override
    void handshake(byte kind, ByteBuffer content) throws MalformedMessage {
        handshake.received(kind, content);
    }

    @Override
    void noFrame(ByteBuffer input) {
        handshake.noNode(input);
    }

    /** Closes the link. */
    void giveUp() {
        close();
    }

    /** Whether the other node knows {@link Command.Each}. */
    boolean takesEach() {
        return handshake.has(Handshake.EACH);
    }

    /** Sends the request, unless more waits on this link than may. */
    void request(Pending request) {
        if (request.isAnswered()) {
            return;
        }
        if (isClosed()) {
            request.unreachable(end);
            return;
        }
        if (pending.size() >= settings.inFlightMax()) {
            request.unreachable(
                    peer.name() + " has " + pending.size() + " requests to answer (kv.router.in-flight-max)");
            return;
        }
        if (isTooMuch(request)) {
            request.unreachable(peer.name() + " takes requests too slowly (kv.router.unsent-max)");
            return;
        }
        if (pending.size() >= settings.inFlightMax() / 2) {
            request.crowded();
        }
        while (pending.has(++lastNumber)) {
            // A number that has come round while its request still waits.
        }
        if (pending.isEmpty()) {
            activeNanos = loop().nanos();
        }
        request.sentAs(lastNumber, whenAbandoned);
        pending.put(lastNumber, request);
        deadlines.watch(request);
        watchSilence();
        if (!turns.take(request)) {
            tellWhileWaiting(request.timeout());
        }
    }

    /** Whether too much is unsent for the request. What waits for credit keeps nothing from being sent but long requests, and those of its stream. */
    private boolean isTooMuch(Pending request) {
        long waiting = outbox().waitingBytes() + encodedBytes;
        long unsent = unsent() + turns.bytes();
        if (unsent + waiting < settings.unsentMaxBytes()) {
            return false;
        }
        int stream = request.request().stream();
        return unsent >= settings.unsentMaxBytes()
                || outbox().has(stream)
                || preparation.isBusy(stream)
                || request.sizeBytes() > Outbox.CHUNK_MAX_BYTES;
    }

    /** Puts the request into bytes, and sends it after those before it in its stream. */
    private void encode(Pending request) {
        int stream = request.request().stream();
        int number = request.number();
        boolean isLong =
                request.request().command() instanceof Command.Unbounded && request.sizeBytes() > Encoded.LARGE_BYTES;
        if (isLong) {
            long bytes = request.sizeBytes();
            long timeLeftMillis = request.timeLeftMillis(loop().nanos());
            encodedBytes += bytes;
            preparation.elsewhere(
                    stream,
                    number,
                    () -> RequestCodec.encode(request.request(), version(), timeLeftMillis),
                    body -> send(request, body),
                    () -> encodedBytes -= bytes);
        } else if (preparation.isBusy(stream)) {
            preparation.behind(stream, number, () -> sendNow(request));
        } else {
            sendNow(request);
        }
    }

    private void sendNow(Pending request) {
        MessageWriter message =
                RequestCodec.write(begin(), request.request(), version(), request.timeLeftMillis(loop().nanos()));
        if (isShort() && !outbox().has(request.request().stream())) {
            sendShort(REQUEST, request.number());
            request.sent();
        } else {
            send(request, message.encoded());
        }
    }

    private void send(Pending request, Encoded body) {
        int number = request.number();
        request.sendAs(
                new Outbox.Message(REQUEST, number, request.request().stream(), body, () -> moved(number), () -> {}));
        outbox().send(request.message());
    }

    private void expired(Pending request) {
        if (request.isSent()) {
            // A node that hangs is both late and silent: what comes next must not be sent to it on this link.
            endIfSilent();
            request.uncertain(peer.name() + " did not answer within " + Peer.text(request.timeout()));
        } else {
            request.unreachable(peer.name() + " did not take the request within " + Peer.text(request.timeout()));
        }
        abandoned(request);
    }

    /**
     * Nobody awaits the reply any more: no more of the request is sent, and the other node is told. Since version 2 its number is
     * free when that node has answered the CANCEL.
     */
    private void abandoned(Pending request) {
        if (pending.get(request.number()) != request) {
            return;
        }
        if (request.isSent()) {
            if (givesCredit()) {
                sendNotice(CANCEL, request.number());
            }
            return;
        }
        boolean isHeardOf = !turns.forget(request.number())
                && !preparation.forget(request.number())
                && outbox().withdraw(request.message());
        if (isHeardOf) {
            sendNotice(CANCEL, request.number());
        }
        if (!isHeardOf || !givesCredit()) {
            pending.remove(request.number());
            turns.end(request);
        }
        closeIfDone();
    }

    private void watchSilence() {
        if (!silenceWatched) {
            silenceWatched = true;
            loop().after(settings.timeout(), () -> guarded("a request", this::checkSilence));
        }
    }

    private void checkSilence() {
        silenceWatched = false;
        if (isClosed() || pending.isEmpty()) {
            return;
        }
        if (pending.keys().stream().allMatch(number -> inbox().isWaiting(number) || isUnsent(number))) {
            // It is this node that has no room for what the other one has to say, or has not put into bytes what it is
            // to be sent.
            activeNanos = System.nanoTime();
        }
        if (!endIfSilent()) {
            silenceWatched = true;
            loop().after(silenceLeft(), () -> guarded("a request", this::checkSilence));
        }
    }

    /** Takes no more requests, and closes when those on the way are answered. */
    void leave() {
        leaving = true;
        peer.leaves(this);
        closeIfDone();
    }

    private Duration silenceLeft() {
        return settings.timeout().minusNanos(System.nanoTime() - activeNanos);
    }

    /** Closes the link if the other node has been silent for so long; tells whether it has. */
    private boolean endIfSilent() {
        boolean isSilent = silenceLeft().compareTo(SILENCE_SLACK) < 0;
        if (isSilent && !isClosed()) {
            end = peer.name() + " was silent for " + Peer.text(settings.timeout());
            close();
        }
        return isSilent;
    }

    private void closeIfDone() {
        if (leaving && pending.isEmpty()) {
            closeAfterSent();
        }
    }

    @Override
    void message(int number, Received body, Room.Place memory) throws MalformedMessage {
        activeNanos = loop().nanos();
        if (body.isLong()) {
            moved(number);
            loop().elsewhere(
                            () -> ReplyCodec.decode(body, peer.name()),
                            reply -> guarded("a reply", () -> decoded(number, reply, body, memory)),
                            failure -> undecoded(failure, memory));
        } else {
            received(number, ReplyCodec.decode(body, peer.name()), body, memory);
        }
    }

    private void decoded(int number, Reply reply, Received body, Room.Place memory) {
        if (isClosed()) {
            memory.release();
            return;
        }
        if (!pending.has(number)) {
            undecoded(new MalformedMessage(UNASKED), memory);
            return;
        }
        try {
            received(number, reply, body, memory);
        } catch (MalformedMessage e) {
            malformed(e.getMessage());
        }
    }

    private void undecoded(Throwable failure, Room.Place memory) {
        memory.release();
        if (failure instanceof MalformedMessage) {
            malformed(failure.getMessage());
        } else {
            fault("a reply", failure);
        }
    }

    private void received(int number, Reply reply, Received body, Room.Place memory) throws MalformedMessage {
        Pending request = answered(number);
        turns.came(request, reply);
        if (reply instanceof Reply.Value(Bytes value) && !body.tail().isEmpty()) {
            request.answer(new Reply.LargeValue(new ReceivedValue(value, memory)));
        } else if (givesCredit() && body.isLasting()) {
            request.answer(reply, memory::release);
        } else {
            // It takes none, or its memory was taken as it came: who keeps that while others wait could wait for those.
            memory.release();
            request.answer(reply);
        }
        closeIfDone();
    }

    /** The request of this number, to which the reply has come, or no reply will come any more. */
    private Pending answered(int number) throws MalformedMessage {
        Pending request = isUnsent(number) ? null : pending.remove(number);
        if (request == null) {
            throw new MalformedMessage(UNASKED);
        }
        if (!request.isSent()) {
            // A node that has no room for a request says so before it has come.
            outbox().withdraw(request.message());
        }
        return request;
    }

    /** Whether nothing of the request of this number was offered or sent. */
    private boolean isUnsent(int number) {
        return turns.has(number) || preparation.has(number);
    }

    @Override
    void announced(int number) throws MalformedMessage {
        if (!pending.has(number) || isUnsent(number)) {
            throw new MalformedMessage(UNASKED);
        }
    }

    @Override
    void tooLong(int number) throws MalformedMessage {
        activeNanos = System.nanoTime();
        Pending request = givesCredit() ? pending.get(number) : answered(number);
        if (request == null) {
            throw new MalformedMessage(UNASKED);
        }
        turns.end(request);
        request.tooLong(
                peer.name() + " replied with more than fits here (kv.router.reply-max, kv.router.assembly-max)");
        if (givesCredit()) {
            sendNotice(CANCEL, number);
        }
        closeIfDone();
    }

    @Override
    void notice(byte kind, int number) throws MalformedMessage {
        activeNanos = System.nanoTime();
        switch (kind) {
            case PROGRESS ->
                Optional.ofNullable(pending.get(number)).ifPresent(request -> {
                    turns.end(request);
                    request.waitsElsewhere(settings.room());
                });
            case GOAWAY -> leave();
            case CANCEL -> {
                inbox().forget(number);
                Pending request = answered(number);
                turns.end(request);
                request.uncertain(peer.name() + " gave up its reply half-way");
                closeIfDone();
            }
            default -> throw unknown(kind);
        }
    }

    @Override
    boolean takes(int number, long length) {
        Pending request = pending.get(number);
        turns.end(request);
        return request.takes(length);
    }

    @Override
    Room.Place claim(int number, long bytes, Runnable whenGranted) {
        return pending.get(number).claim(settings.room(), bytes, loop(), whenGranted);
    }

    @Override
    void waits(int number) {
        activeNanos = System.nanoTime();
        Pending request = pending.get(number);
        if (request != null) {
            tellWhileWaiting(request.timeout());
        }
    }

    @Override
    boolean tellWaiting() {
        List<Integer> waiting = Stream.concat(inbox().waiting().stream(), turns.moved().stream())
                .toList();
        for (int number : waiting) {
            Pending request = pending.get(number);
            if (request != null) {
                request.moved();
            }
        }
        return !waiting.isEmpty() || turns.size() > 0;
    }

    @Override
    void granted(int number) {
        moved(number);
    }

    @Override
    void warn(Supplier<String> line) {
        peer.warn(line);
    }

    @Override
    void moved(int number) {
        activeNanos = System.nanoTime();
        Pending request = pending.get(number);
        if (request != null) {
            request.moved();
        }
    }
}
