package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.router.Store;
import dev.kv.storage.engine.Lanes.Lane;
import dev.kv.storage.engine.Lanes.Parked;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.log.NoRoomYet;
import dev.kv.storage.log.ReadFailure;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Chooses the thread that runs a command. A command that touches little runs at once, on the calling thread. A large one runs on a thread
 * of its own: what it reads is frozen first, and a bucket that it changes is locked for other commands, which wait in a {@linkplain
 * Lanes lane}. So commands of one thread on one bucket run in their order, and a large command delays only those on the bucket that it
 * changes. A write that comes while the disk is behind waits for it first ({@link AfterDisk}).
 */
public final class Execution implements Store {
    private static final Logger LOG = LoggerFactory.getLogger(Execution.class);

    private static final String STOPS = "this node stops";

    /** So long a thread runs the commands of a lane before it takes other large commands that wait. No key: some of the largest turns. */
    private static final long LANE_TURN_NANOS = 10_000_000;

    /** A shorter reply to a command from another node is not counted (kv.router.replies-max). */
    private static final int UNCOUNTED_BYTES = 64 * 1024;

    private final Commands commands;
    private final BiFunction<Command, Reply, CompletionStage<Reply>> acknowledging;
    private final Lanes lanes;

    /** Large commands that run or wait for a thread. */
    private final WaitLimits.Queue large;

    /** Commands that wait in lanes, and large reads that came from there, until they end. */
    private final WaitLimits.Queue parked;

    private final LargeThreads threads;
    private final Handover handover;
    private final AfterDisk afterDisk;

    /** Counts the turns of commands on these threads, and the ends of commands: a node that asks is told that this one goes on. */
    private final LongAdder turns = new LongAdder();

    private final Duration deleteWait;
    private volatile boolean isClosed;

    /**
     * The section {@code kv.storage.large}, and {@code kv.storage.delete-wait}.
     *
     * @param turn what a command may touch on the calling thread
     * @param waitingMax how many large commands run or wait for a thread at most
     * @param parkedMax how many commands wait for buckets at most
     * @param parkedMaxBytes bytes of memory that all of these commands take at most
     * @param deleteWait how long a delete waits on a full disk until compaction has made room
     * @param replyWait how long a thread that ran a large read waits until the caller's thread has taken the reply
     */
    public record Limits(
            Turn.Limits turn,
            int threads,
            int waitingMax,
            int parkedMax,
            long parkedMaxBytes,
            Duration deleteWait,
            Duration replyWait) {}

    /**
     * @param acknowledging completes with the reply when it may be sent
     */
    public Execution(
            Commands commands,
            Buckets buckets,
            BiFunction<Command, Reply, CompletionStage<Reply>> acknowledging,
            Limits limits) {
        this.commands = commands;
        this.acknowledging = acknowledging;
        WaitLimits waits = new WaitLimits(limits.parkedMaxBytes());
        this.parked = waits.queue(limits.parkedMax());
        this.lanes = new Lanes(buckets.table(), parked);
        this.large = waits.queue(limits.waitingMax());
        this.threads = new LargeThreads(limits.threads());
        this.handover = new Handover(limits.replyWait());
        this.afterDisk = new AfterDisk(
                buckets.table().log().tail(),
                threads,
                turns,
                handover,
                (command, takenMillis) -> isClosed ? refused(STOPS) : place(command, takenMillis));
        this.deleteWait = limits.deleteWait();
    }

    @Override
    public CompletionStage<Reply> run(Command command, long takenMillis) {
        return afterDisk.isDue(command) ? afterDisk.run(command, takenMillis) : place(command, takenMillis);
    }

    /** Runs a command on this thread, or gives it its place among those that other threads run. */
    private CompletionStage<Reply> place(Command command, long takenMillis) {
        while (true) {
            Lane busy;
            try {
                return now(command, takenMillis);
            } catch (Turn.TooMuch more) {
                try {
                    return elsewhere(command, takenMillis);
                } catch (Lanes.Busy e) {
                    busy = e.lane();
                } catch (RuntimeException | InternalError e) {
                    return failed(e);
                }
            } catch (NoRoomYet e) {
                return whenRoom(command, takenMillis);
            } catch (Lanes.Busy e) {
                busy = e.lane();
            }
            Optional<CompletionStage<Reply>> answer = parked(busy, command, takenMillis);
            if (answer.isPresent()) {
                return answer.get();
            }
        }
    }

    private CompletionStage<Reply> now(Command command, long takenMillis) {
        Reply reply;
        try {
            reply = commands.run(command, takenMillis);
        } catch (Turn.TooMuch | Lanes.Busy | NoRoomYet later) {
            throw later;
        } catch (RuntimeException | InternalError e) {
            return failed(e);
        }
        return acknowledging.apply(command, reply);
    }

    /**
     * @param answer ends a read when it is cancelled
     */
    private CompletionStage<Reply> ran(Command command, Large large, LongReply.UnderWay answer) {
        Reply reply;
        try (large) {
            reply = large.run().apply(() -> {
                answer.hadTurn();
                turns.increment();
                return answer.isDone() || isClosed;
            });
        } catch (Turn.Cancelled e) {
            return refused(STOPS);
        } catch (NoRoomYet later) {
            throw later;
        } catch (RuntimeException | InternalError e) {
            return failed(e);
        }
        return acknowledging.apply(command, reply);
    }

    private static CompletionStage<Reply> failed(Throwable e) {
        return switch (e) {
            case Damaged damage -> CompletableFuture.completedFuture(ReadFailure.reply(damage));
            case InternalError sigbus -> CompletableFuture.completedFuture(ReadFailure.reply(sigbus));
            default -> CompletableFuture.failedFuture(e);
        };
    }

    private static CompletionStage<Reply> refused(String message) {
        return CompletableFuture.completedFuture(new Reply.Failed(Word.ERR, message));
    }

    /** The answer to a command that is not run at once. */
    private LongReply.UnderWay answer() {
        return new LongReply.UnderWay(turns::sum);
    }

    /** Prepares a large command, and has another thread run it. */
    private CompletionStage<Reply> elsewhere(Command command, long takenMillis) {
        LongReply.UnderWay answer = answer();
        return isElsewhere(
                        new Parked(command, takenMillis, Lanes.bytes(command), answer, CommandThread.current()), large)
                ? answer
                : tooManyLarge();
    }

    private static CompletionStage<Reply> tooManyLarge() {
        return refused("too many large requests are under way (kv.storage.large.waiting-max and parked-max-bytes):"
                + " try again later");
    }

    /**
     * Prepares a large command, and has another thread run it: a read when its caller has memory for the reply.
     *
     * @param counted counts it until it has run
     * @return false if too many are under way
     */
    private boolean isElsewhere(Parked command, WaitLimits.Queue counted) {
        if (!counted.take(command.bytes())) {
            return false;
        }
        Large prepared;
        try {
            prepared = commands.large(command.command(), command.takenMillis());
        } catch (RuntimeException | Error e) {
            counted.give(command.bytes());
            throw e;
        }
        Runnable run = () -> threads.run(() -> {
            runLarge(command, prepared);
            turns.increment();
            counted.give(command.bytes());
        });
        if (prepared.lane().isEmpty() && LongReply.mayFollow(command.command())) {
            command.answer().begin(run);
        } else {
            run.run();
        }
        return true;
    }

    private void runLarge(Parked parked, Large prepared) {
        prepared.lane().ifPresent(Lane::enter);
        if (!isUnawaited(parked)) {
            CompletionStage<Reply> reply = reply(parked, () -> ran(parked.command(), prepared, parked.answer()));
            CompletableFuture<Void> taken = handover.give(parked.answer(), parked.caller(), reply);
            if (prepared.lane().isEmpty()) {
                handover.awaitTaken(taken);
            }
        }
        prepared.close();
        prepared.lane().ifPresent(this::runParked);
    }

    /** Whether a command is a read whose client is gone: it is not run. */
    private static boolean isUnawaited(Parked parked) {
        return parked.command().isRead() && parked.answer().isDone();
    }

    /** Has a delete for which a full disk has no room wait in the lane of its bucket. */
    private CompletionStage<Reply> whenRoom(Command command, long takenMillis) {
        LongReply.UnderWay answer = answer();
        Parked parked = new Parked(command, takenMillis, Lanes.bytes(command), answer, CommandThread.current());
        Lanes.Opening opening = lanes.parkOrOpen(command.bucket(), parked);
        opening.opened()
                .ifPresent(lane -> threads.runWithRoom(() -> {
                    lane.enter();
                    runParked(new ArrayDeque<>(List.of(lane)), false);
                }));
        return opening.place() == Lanes.Place.REFUSED ? tooManyWait() : answer;
    }

    /** The reply to a command on a bucket whose lane this thread has entered. Any failure becomes a reply. */
    private CompletionStage<Reply> reply(Parked parked, Supplier<CompletionStage<Reply>> first) {
        long start = System.nanoTime();
        Supplier<CompletionStage<Reply>> attempt = first;
        while (true) {
            if (isClosed) {
                return refused(STOPS);
            }
            try {
                return attempt.get();
            } catch (NoRoomYet e) {
                if (System.nanoTime() - start > deleteWait.toNanos() || !e.awaitRoom(deleteWait)) {
                    return CompletableFuture.completedFuture(e.reply());
                }
                attempt = () -> runOwn(parked);
            } catch (RuntimeException | Error fault) {
                return CompletableFuture.failedFuture(fault);
            }
        }
    }

    /** Runs the commands that wait in a lane, and in lanes that it enters for them, until all are empty; in turns with other large commands. */
    private void runParked(Lane lane) {
        runParked(new ArrayDeque<>(List.of(lane)), true);
    }

    /**
     * @param yields whether this is a thread for large commands: else it goes on to the end
     */
    private void runParked(Deque<Lane> own, boolean yields) {
        long beganNanos = System.nanoTime();
        while (!own.isEmpty()) {
            if (lanes.end(own.peek())) {
                own.remove();
                continue;
            }
            if (yields && !isClosed && threads.areAwaited() && System.nanoTime() - beganNanos > LANE_TURN_NANOS) {
                own.forEach(Lane::leave);
                threads.run(() -> {
                    own.forEach(Lane::enter);
                    runParked(own, true);
                });
                return;
            }
            Lanes.Next next = lanes.next(own.peek());
            own.addAll(next.entered());
            if (next.command().isEmpty()) {
                own.remove();
            } else {
                runParked(next.command().get());
            }
        }
    }

    private void runParked(Parked parked) {
        turns.increment();
        if (isUnawaited(parked)) {
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
            CompletionStage<Reply> reply = now(read.command(), read.takenMillis());
            boolean isOneTurn = read.command() instanceof Command.Several;
            if (isOneTurn || !LongReply.mayFollow(read.command()) || takesLittle(reply)) {
                return Optional.of(reply);
            }
        } catch (Turn.TooMuch more) {
            LOG.trace("a large read in a lane", more);
        } catch (RuntimeException | Error fault) {
            return Optional.of(failed(fault));
        }
        try {
            return isElsewhere(read, parked) ? Optional.empty() : Optional.of(tooManyWait());
        } catch (RuntimeException | Error fault) {
            return Optional.of(failed(fault));
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
            return now(command, parked.takenMillis());
        } catch (Turn.TooMuch more) {
            try {
                return ran(command, commands.large(command, parked.takenMillis()), parked.answer());
            } catch (Damaged | InternalError e) {
                return failed(e);
            }
        }
    }

    /** The answer to a command that waits in a lane; empty if the lane has ended. */
    private Optional<CompletionStage<Reply>> parked(Lane lane, Command command, long takenMillis) {
        LongReply.UnderWay answer = answer();
        Parked parked = new Parked(command, takenMillis, Lanes.bytes(command), answer, CommandThread.current());
        List<Bytes> names = Commands.namesOf(command);
        Lanes.Place place = names.size() == 1 ? lanes.park(lane, parked) : lanes.parkInAll(names, parked);
        return switch (place) {
            case WAITS -> Optional.of(answer);
            case ENDED -> Optional.empty();
            case REFUSED -> Optional.of(tooManyWait());
        };
    }

    private static CompletionStage<Reply> tooManyWait() {
        return refused("too many requests wait behind large changes (kv.storage.large.parked-max and parked-max-bytes):"
                + " try again later");
    }

    /** Ends the threads. Commands that have not begun are answered with an error. */
    public void close(Duration limit) {
        isClosed = true;
        handover.close();
        threads.close(limit);
    }
}
