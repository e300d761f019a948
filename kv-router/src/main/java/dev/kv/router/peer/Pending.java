package dev.kv.router.peer;

import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Failed;
import dev.kv.router.Reply.Word;
import dev.kv.router.Request;
import dev.kv.router.net.Loop;
import dev.kv.router.peer.codec.CommandCodec;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/** A request that waits for another node: first for a link to it, then for its reply. On one loop only. */
final class Pending extends Unanswered.Place {
    /** What a node that was asked by another keeps of that one's time, so that its answer comes before the other gives up. */
    private static final double SHARE_OF_TIME_LEFT = 0.95;

    private static final long UNKNOWN = -1;

    private static final long NANOS_PER_MILLI = 1_000_000;

    private final Request request;
    private final Duration timeout;
    private final Unanswered unanswered;

    /** The question that it is a part of; empty if it is answered by itself. */
    private final Optional<Parts> parts;

    private final Awaited reply = new Awaited();
    private long deadlineNanos;
    private long sizeBytes = UNKNOWN;

    /** What a link sends it as; null until it was put into bytes, and if it was sent at once. */
    private Outbox.Message message;

    private boolean isSent;

    /** Whether its reply does not fit into the answer that it is a part of, beside the others. */
    private boolean isMoreThanAllHold;

    private int number;

    /** Whether its reply counts among those that are expected on its link. */
    private boolean isCounted;

    /** Has it counted no longer among those that wait at other nodes; empty until its node has told that it waits. */
    private Optional<Runnable> elsewhere = Optional.empty();

    /** Is told when nobody awaits the reply any more; empty until a link sends the request. */
    private Optional<Consumer<Pending>> whenAbandoned = Optional.empty();

    /** The reply for those who wait: one of them that cancels it waits no longer. */
    private final class Awaited extends LongReply.Charged {
        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            boolean isAbandoned = super.cancel(mayInterruptIfRunning);
            if (isAbandoned) {
                ended();
                whenAbandoned.ifPresent(told -> told.accept(Pending.this));
            }
            return isAbandoned;
        }
    }

    /**
     * @param unanswered the requests of this loop: this one is among them until it is answered
     * @param parts the question that it is a part of, and that is among them in its place
     * @param nowNanos the time by {@link System#nanoTime}
     */
    Pending(Request request, Duration timeout, Unanswered unanswered, Optional<Parts> parts, long nowNanos) {
        this.request = request;
        this.unanswered = unanswered;
        this.parts = parts;
        this.timeout = timeout(request.timeLeft(), timeout);
        this.deadlineNanos = nowNanos + this.timeout.toNanos();
    }

    private static Duration timeout(Duration timeLeft, Duration timeout) {
        if (timeLeft.equals(Request.UNLIMITED)) {
            return timeout;
        }
        Duration shorter = timeLeft.compareTo(timeout) < 0 ? timeLeft : timeout;
        return Duration.ofNanos((long) (shorter.toNanos() * SHARE_OF_TIME_LEFT));
    }

    /** It is asked now. */
    void begins() {
        if (parts.isPresent()) {
            parts.get().add(this);
        } else {
            unanswered.add(this);
        }
    }

    /** It is answered, or nobody awaits the reply any more. Has no effect the second time. */
    void ended() {
        elsewhere.ifPresent(Runnable::run);
        if (parts.isPresent()) {
            parts.get().ended(this);
        } else {
            unanswered.remove(this);
        }
    }

    @Override
    int client() {
        return request.stream();
    }

    @Override
    int nodesToClient() {
        // The last of the path is this node.
        return request.path().size() - 1;
    }

    Request request() {
        return request;
    }

    /** The bytes of its command on the wire. */
    long sizeBytes() {
        if (sizeBytes == UNKNOWN) {
            sizeBytes = CommandCodec.sizeOf(request.command());
        }
        return sizeBytes;
    }

    /** How long it waits without progress. */
    Duration timeout() {
        return timeout;
    }

    /** How much of that is left, in milliseconds. */
    long timeLeftMillis(long nowNanos) {
        return Math.max(0, deadlineNanos - nowNanos) / NANOS_PER_MILLI;
    }

    /** When it has waited long enough, by {@link System#nanoTime}. */
    long deadlineNanos() {
        return deadlineNanos;
    }

    /** A part of the request or of its reply has moved on: the waiting starts again, here and at the nodes before. */
    void moved() {
        deadlineNanos = System.nanoTime() + timeout.toNanos();
        request.progress().run();
    }

    /** Its node tells that it works on it, or has no memory for its reply. */
    void waitsElsewhere(Room room) {
        if (elsewhere.isEmpty() && !isAnswered()) {
            elsewhere = Optional.of(room.elsewhere(nodesToClient(), client()));
        }
        moved();
    }

    /**
     * A link sends it under this number.
     *
     * @param whenAbandoned is told when nobody awaits the reply any more
     */
    void sentAs(int number, Optional<Consumer<Pending>> whenAbandoned) {
        this.number = number;
        this.whenAbandoned = whenAbandoned;
    }

    void counts(boolean whether) {
        isCounted = whether;
    }

    boolean isCounted() {
        return isCounted;
    }

    /** So many requests are in flight or wait that each client adds one at a time. */
    void crowded() {
        reply.crowded();
    }

    /** It was put into bytes. */
    void sendAs(Outbox.Message message) {
        this.message = message;
    }

    /** It was handed to the socket at once. */
    void sent() {
        isSent = true;
    }

    /** Whether all of it was handed to the socket. */
    boolean isSent() {
        return isSent || (message != null && message.isSent());
    }

    int number() {
        return number;
    }

    Outbox.Message message() {
        return message;
    }

    CompletableFuture<Reply> reply() {
        return reply;
    }

    boolean isAnswered() {
        return reply.isDone();
    }

    /** Answers the request, unless that was done before. */
    void answer(Reply with) {
        ended();
        if (!reply.complete(with)) {
            Held.releaseIn(with);
        }
    }

    /**
     * The same with a reply whose memory is charged.
     *
     * @param release gives the memory back: is run here, unless who gets the reply takes the charge over
     */
    void answer(Reply with, Runnable release) {
        ended();
        if (!reply.complete(with, release)) {
            Held.releaseIn(with);
        }
    }

    /**
     * Claims memory for the reply, which the other node has offered.
     *
     * @param whenGranted is run on the loop
     */
    Room.Place claim(Room room, long bytes, Loop loop, Runnable whenGranted) {
        elsewhere.ifPresent(Runnable::run);
        return parts.isPresent()
                ? parts.get().claim(this, bytes, whenGranted)
                : unanswered.claim(this, room, bytes, loop, whenGranted);
    }

    /** Counts in a reply of this length that is offered; returns whether it fits into the answer that it is a part of. */
    boolean takes(long length) {
        isMoreThanAllHold = parts.isPresent() && !parts.get().takes(length);
        return !isMoreThanAllHold;
    }

    /** The reply does not fit, or the answer that it is a part of. */
    void tooLong(String why) {
        answer(
                switch (request.command()) {
                    case Command.Survey _ -> new Failed(Reply.Reason.NAMES_TOO_LARGE);
                    case Command _ when isMoreThanAllHold -> new Failed(Reply.Reason.CONTENT_TOO_LARGE);
                    case Command _ -> new Failed(Word.TOOLARGE, why);
                });
    }

    /** The other node did not get the request. */
    void unreachable(String why) {
        answer(new Failed(Word.UNREACHABLE, why + "; the request was not run"));
    }

    /** The other node got the request. */
    void uncertain(String why) {
        answer(new Failed(Word.UNCERTAIN, why + "; the request may have run"));
    }
}
