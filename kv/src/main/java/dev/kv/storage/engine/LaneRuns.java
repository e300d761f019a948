package dev.kv.storage.engine;

import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.storage.engine.Lanes.Lane;
import dev.kv.storage.engine.Lanes.Parked;
import dev.kv.storage.log.NoRoomYet;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs the commands that wait in {@link Lanes}, each on the thread that has entered its lane. */
final class LaneRuns {
    private static final Logger LOG = LoggerFactory.getLogger(LaneRuns.class);

    /** A shorter reply to a command from another node is not counted (kv.router.replies-max). */
    private static final int UNCOUNTED_BYTES = 64 * 1024;

    private final Runs runs;
    private final Lanes lanes;
    private final LargeThreads threads;
    private final Handover handover;
    private final LongAdder turns;
    private final Duration deleteWait;
    private final long turnNanos;
    private final Predicate<Parked> elsewhere;

    /**
     * @param turns counts the commands that were run, and waits for room on the disk
     * @param elsewhere freezes a large read now, and has another thread run it; returns false if too many are under way
     */
    LaneRuns(
            Runs runs,
            Lanes lanes,
            LargeThreads threads,
            Handover handover,
            LongAdder turns,
            Execution.Limits limits,
            Predicate<Parked> elsewhere) {
        this.runs = runs;
        this.lanes = lanes;
        this.threads = threads;
        this.handover = handover;
        this.turns = turns;
        this.deleteWait = limits.deleteWait();
        this.turnNanos = limits.laneTurn().toNanos();
        this.elsewhere = elsewhere;
    }

    /** The reply to a command on a bucket whose lane this thread has entered. Any failure becomes a reply. */
    CompletionStage<Reply> reply(Parked parked, Supplier<CompletionStage<Reply>> first) {
        long start = System.nanoTime();
        Supplier<CompletionStage<Reply>> attempt = first;
        while (true) {
            if (runs.isClosed()) {
                return Runs.stopped();
            }
            try {
                return attempt.get();
            } catch (NoRoomYet e) {
                if (System.nanoTime() - start > deleteWait.toNanos()
                        || !e.awaitRoom(deleteWait, () -> hadTurn(parked))) {
                    return CompletableFuture.completedFuture(e.reply());
                }
                attempt = () -> runOwn(parked);
            } catch (RuntimeException | Error fault) {
                return CompletableFuture.failedFuture(fault);
            }
        }
    }

    /** Who awaits the command, or one that waits behind it, sees that it goes on. */
    private void hadTurn(Parked parked) {
        parked.answer().hadTurn();
        turns.increment();
    }

    /** Runs the commands that wait in a lane, and in lanes that it enters for them, until all are empty; in turns with other large commands. */
    void run(Lane lane) {
        run(new ArrayDeque<>(List.of(lane)), true);
    }

    /** The same without turns: by a thread that runs no other large commands. */
    void runToEnd(Lane lane) {
        run(new ArrayDeque<>(List.of(lane)), false);
    }

    /**
     * @param yields whether this is a thread for large commands: else it goes on to the end
     */
    private void run(Deque<Lane> own, boolean yields) {
        long beganNanos = System.nanoTime();
        while (!own.isEmpty()) {
            if (lanes.end(own.peek())) {
                own.remove();
                continue;
            }
            if (yields && !runs.isClosed() && threads.areAwaited() && System.nanoTime() - beganNanos > turnNanos) {
                own.forEach(Lane::leave);
                threads.run(() -> {
                    own.forEach(Lane::enter);
                    run(own, true);
                });
                return;
            }
            Lanes.Next next = lanes.next(own.peek());
            own.addAll(next.entered());
            if (next.command().isEmpty()) {
                own.remove();
            } else {
                run(next.command().get());
            }
        }
    }

    private void run(Parked parked) {
        turns.increment();
        if (parked.isUnawaited()) {
            return;
        }
        Optional<CompletionStage<Reply>> reply =
                parked.command().isRead() ? readParked(parked) : Optional.of(reply(parked, () -> runOwn(parked)));
        reply.ifPresent(ready -> {
            var _ = handover.give(parked.answer(), parked.caller(), ready);
        });
    }

    /**
     * The reply to a read in a lane. Empty if it is a large one, or has a reply for which its caller is to have memory first: it is frozen now
     * and runs elsewhere, and the lane goes on.
     */
    private Optional<CompletionStage<Reply>> readParked(Parked read) {
        try {
            CompletionStage<Reply> reply = runs.now(read.command(), read.takenMillis());
            boolean isOneTurn = read.command() instanceof Command.Several;
            if (isOneTurn || !LongReply.mayFollow(read.command()) || takesLittle(reply)) {
                return Optional.of(reply);
            }
        } catch (Turn.TooMuch more) {
            LOG.trace("a large read in a lane", more);
        } catch (RuntimeException | Error fault) {
            return Optional.of(Runs.failed(fault));
        }
        try {
            return elsewhere.test(read) ? Optional.empty() : Optional.of(Execution.tooManyWait());
        } catch (RuntimeException | Error fault) {
            return Optional.of(Runs.failed(fault));
        }
    }

    /** Whether nobody counts the memory of a reply: then many of them may be there at once. Else it is dropped. */
    private static boolean takesLittle(CompletionStage<Reply> read) {
        CompletableFuture<Reply> reply = read.toCompletableFuture();
        if (!reply.isDone() || reply.isCompletedExceptionally() || LongReply.bytes(reply.join()) <= UNCOUNTED_BYTES) {
            return true;
        }
        Held.releaseIn(reply.join());
        return false;
    }

    /** Runs a command on a bucket whose lane this thread has entered. */
    private CompletionStage<Reply> runOwn(Parked parked) {
        Command command = parked.command();
        try {
            return runs.now(command, parked.takenMillis());
        } catch (Turn.TooMuch more) {
            return runs.large(command, parked.takenMillis(), parked.answer());
        }
    }
}
