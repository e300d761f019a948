package dev.kv.router.peer;

import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Failed;
import dev.kv.router.Reply.Word;
import dev.kv.router.Request;
import dev.kv.router.peer.codec.CommandCodec;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;

/** A request that waits for another node: first for a link to it, then for its reply. On one loop only. */
final class Pending extends Unanswered.Place {
    /** What a node that was asked by another keeps of that one's time, so that its answer comes before the other gives up. */
    private static final double SHARE_OF_TIME_LEFT = 0.95;

    private final Request request;
    private final Duration timeout;
    private final long sinceNanos = System.nanoTime();
    private final Unanswered unanswered;
    private final Awaited reply = new Awaited();
    private long deadlineNanos;

    /** What a link sends it as. */
    private Outbox.Message message;

    private int number;

    /** Is told when nobody awaits the reply any more; empty until a link sends the request. */
    private Optional<Consumer<Pending>> whenAbandoned = Optional.empty();

    /** The reply for those who wait: one of them that cancels it waits no longer. */
    final class Awaited extends CompletableFuture<Reply> {
        /** Gives back the memory of the reply, which was received as a long message; empty if there is none, or somebody took this. */
        private Optional<Runnable> memory = Optional.empty();

        /** Leaves the memory of the reply to who passes the reply on. Only while the reply is being handed on. */
        Optional<Runnable> takeMemory() {
            Optional<Runnable> taken = memory;
            memory = Optional.empty();
            return taken;
        }

        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            boolean isAbandoned = super.cancel(mayInterruptIfRunning);
            if (isAbandoned) {
                unanswered.remove(Pending.this);
                whenAbandoned.ifPresent(told -> told.accept(Pending.this));
            }
            return isAbandoned;
        }

        @Override
        public <U> CompletableFuture<U> newIncompleteFuture() {
            return new CompletableFuture<>();
        }
    }

    /**
     * @param unanswered the requests of this loop: this one is among them until it is answered
     */
    Pending(Request request, Duration timeout, Unanswered unanswered) {
        this.request = request;
        this.unanswered = unanswered;
        this.timeout = timeout(request.timeLeft(), timeout);
        this.deadlineNanos = sinceNanos + this.timeout.toNanos();
    }

    private static Duration timeout(Duration timeLeft, Duration timeout) {
        if (timeLeft.equals(Request.UNLIMITED)) {
            return timeout;
        }
        Duration shorter = timeLeft.compareTo(timeout) < 0 ? timeLeft : timeout;
        return Duration.ofNanos((long) (shorter.toNanos() * SHARE_OF_TIME_LEFT));
    }

    @Override
    int client() {
        return request.stream();
    }

    Request request() {
        return request;
    }

    /** The bytes of its command on the wire. */
    long sizeBytes() {
        return CommandCodec.sizeOf(request.command());
    }

    /** How long it waits without progress. */
    Duration timeout() {
        return timeout;
    }

    /** When it began, by {@link System#nanoTime}. */
    long sinceNanos() {
        return sinceNanos;
    }

    /** How much of that is left. */
    Duration timeLeft() {
        return Duration.ofNanos(Math.max(0, deadlineNanos - System.nanoTime()));
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

    /**
     * A link sends it as this message.
     *
     * @param whenAbandoned is told when nobody awaits the reply any more
     */
    void sendAs(int number, Outbox.Message message, Consumer<Pending> whenAbandoned) {
        this.number = number;
        this.message = message;
        this.whenAbandoned = Optional.of(whenAbandoned);
    }

    int number() {
        return number;
    }

    Outbox.Message message() {
        return message;
    }

    CompletionStage<Reply> reply() {
        return reply;
    }

    boolean isAnswered() {
        return reply.isDone();
    }

    /** Answers the request, unless that was done before. */
    void answer(Reply with) {
        unanswered.remove(this);
        if (!reply.complete(with)) {
            Held.releaseIn(with);
        }
    }

    /**
     * The same with a reply whose memory is charged.
     *
     * @param release gives the memory back: is run here, unless who gets the reply takes it over
     */
    void answer(Reply with, Runnable release) {
        reply.memory = Optional.of(release);
        try {
            answer(with);
        } finally {
            reply.takeMemory().ifPresent(Runnable::run);
        }
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
