package dev.kv.storage.engine;

import dev.kv.router.CommandThread;
import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hands the replies of commands that other threads have run to the threads of their callers. Any thread. */
final class Handover {
    private static final Logger LOG = LoggerFactory.getLogger(Handover.class);

    /** How often a thread that waits looks whether the storage stops. */
    private static final long LOOK_MILLIS = 1_000;

    private final Duration replyWait;
    private volatile boolean isClosed;

    /**
     * @param replyWait how long {@link #awaitTaken} waits at most
     */
    Handover(Duration replyWait) {
        this.replyWait = replyWait;
    }

    /** Completes the answer on the caller's thread. The result completes afterwards. */
    CompletableFuture<Void> give(
            LongReply.UnderWay answer, Optional<CommandThread> caller, CompletionStage<Reply> reply) {
        CompletableFuture<Void> taken = new CompletableFuture<>();
        var _ = reply.whenComplete((value, fault) -> {
            Runnable complete = () -> {
                try {
                    if (fault != null) {
                        answer.completeExceptionally(fault);
                    } else if (!answer.complete(value)) {
                        Held.releaseIn(value);
                    }
                } finally {
                    taken.complete(null);
                }
            };
            caller.ifPresentOrElse(there -> there.execute(complete), complete);
        });
        return taken;
    }

    /**
     * Waits until the caller has a reply, and with it the memory of that reply in its own bounds: a thread for large reads holds no more
     * than one reply. A caller that takes longer than {@code kv.storage.large.reply-wait} is not waited for.
     */
    void awaitTaken(CompletableFuture<Void> taken) {
        long end = System.nanoTime() + replyWait.toNanos();
        for (long left = replyWait.toNanos(); left > 0 && !isClosed; left = end - System.nanoTime()) {
            try {
                taken.get(Math.min(left, TimeUnit.MILLISECONDS.toNanos(LOOK_MILLIS)), TimeUnit.NANOSECONDS);
                return;
            } catch (TimeoutException e) {
                LOG.debug("a reply to a large read is not taken yet", e);
            } catch (ExecutionException e) {
                throw new IllegalStateException(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    /** The storage stops: nobody waits any longer. */
    void close() {
        isClosed = true;
    }
}
