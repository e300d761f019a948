package dev.kv.storage.engine;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.storage.engine.Lanes.Lane;
import dev.kv.storage.engine.Lanes.Parked;
import dev.kv.storage.log.NoRoomYet;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BiFunction;

/**
 * Chooses the thread that runs a command. A command that touches little runs at once, on the calling thread. A large one runs on a thread
 * of its own: what it reads is frozen first, and a bucket that it changes is locked for other commands, which wait in a {@linkplain
 * Lanes lane}. So commands of one thread on one bucket run in their order, and a large command delays only those on the bucket that it
 * changes. A write that comes while the disk is behind waits for it first ({@link AfterDisk}).
 */
public final class Execution implements Store {
    private final Commands commands;
    private final Runs runs;
    private final Lanes lanes;
    private final LaneRuns laneRuns;

    /** Large commands that run or wait for a thread. */
    private final WaitLimits.Queue large;

    /** Commands that wait in lanes, and large reads that came from there, until they end. */
    private final WaitLimits.Queue parked;

    private final LargeThreads threads;
    private final Handover handover;
    private final AfterDisk afterDisk;
    private final EachCommands eachCommands;

    /** Counts the turns of commands on these threads, and the ends of commands: a node that asks is told that this one goes on. */
    private final LongAdder turns = new LongAdder();

    /**
     * The section {@code kv.storage.large}, and {@code kv.storage.delete-wait}.
     *
     * @param turn what a command may touch on the calling thread
     * @param waitingMax how many large commands run or wait for a thread at most
     * @param parkedMax how many commands wait for buckets at most
     * @param parkedMaxBytes bytes of memory that all of these commands take at most
     * @param deleteWait how long a delete waits on a full disk until compaction has made room
     * @param replyWait how long a thread that ran a large read waits until the caller's thread has taken the reply
     * @param laneTurn how long a thread runs the commands of a lane before it takes other large commands that wait
     */
    public record Limits(
            Turn.Limits turn,
            int threads,
            int waitingMax,
            int parkedMax,
            long parkedMaxBytes,
            Duration deleteWait,
            Duration replyWait,
            Duration laneTurn) {
        /** No key: some of the largest turns. */
        private static final Duration LANE_TURN = Duration.ofMillis(10);

        /** With the usual turn of a lane. */
        public Limits(
                Turn.Limits turn,
                int threads,
                int waitingMax,
                int parkedMax,
                long parkedMaxBytes,
                Duration deleteWait,
                Duration replyWait) {
            this(turn, threads, waitingMax, parkedMax, parkedMaxBytes, deleteWait, replyWait, LANE_TURN);
        }
    }

    /**
     * @param acknowledging completes with the reply when it may be sent
     */
    public Execution(
            Commands commands,
            Buckets buckets,
            BiFunction<Command, Reply, CompletionStage<Reply>> acknowledging,
            Limits limits) {
        this.commands = commands;
        this.runs = new Runs(commands, acknowledging, turns);
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
                (command, takenMillis) -> runs.isClosed() ? Runs.stopped() : place(command, takenMillis));
        this.eachCommands = new EachCommands(commands, runs, turns, this::placeOne);
        this.laneRuns = new LaneRuns(runs, lanes, threads, handover, turns, limits, read -> isElsewhere(read, parked));
    }

    @Override
    public CompletionStage<Reply> run(Command command, long takenMillis) {
        return afterDisk.isDue(command) ? afterDisk.run(command, takenMillis) : place(command, takenMillis);
    }

    /** Runs a command on this thread, or gives it its place among those that other threads run. */
    private CompletionStage<Reply> place(Command command, long takenMillis) {
        return command instanceof Command.Each each
                ? eachCommands.run(each, takenMillis)
                : placeOne(command, takenMillis);
    }

    private CompletionStage<Reply> placeOne(Command command, long takenMillis) {
        while (true) {
            Lane busy;
            try {
                return runs.now(command, takenMillis);
            } catch (Turn.TooMuch more) {
                try {
                    return elsewhere(command, takenMillis);
                } catch (Lanes.Busy e) {
                    busy = e.lane();
                } catch (RuntimeException | InternalError e) {
                    return Runs.failed(e);
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
        return Runs.refused("too many large requests are under way (kv.storage.large.waiting-max and parked-max-bytes):"
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
        if (!parked.isUnawaited()) {
            CompletionStage<Reply> reply =
                    laneRuns.reply(parked, () -> runs.large(parked.command(), prepared, parked.answer()));
            CompletableFuture<Void> taken = handover.give(parked.answer(), parked.caller(), reply);
            if (prepared.lane().isEmpty()) {
                handover.awaitTaken(taken);
            }
        }
        prepared.close();
        prepared.lane().ifPresent(laneRuns::run);
    }

    /** Has a delete for which a full disk has no room wait in the lanes of its names. */
    private CompletionStage<Reply> whenRoom(Command command, long takenMillis) {
        LongReply.UnderWay answer = answer();
        Parked parked = new Parked(command, takenMillis, Lanes.bytes(command), answer, CommandThread.current());
        Lanes.Opening opening = lanes.parkOrOpen(Commands.namesOf(command), parked);
        opening.opened()
                .ifPresent(lane -> threads.runWithRoom(() -> {
                    lane.enter();
                    laneRuns.runToEnd(lane);
                }));
        return opening.place() == Lanes.Place.REFUSED ? tooManyWait() : answer;
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

    /** The reply to a command that would have to wait in a lane. */
    static CompletionStage<Reply> tooManyWait() {
        return Runs.refused(
                "too many requests wait behind large changes (kv.storage.large.parked-max and parked-max-bytes):"
                        + " try again later");
    }

    /** Ends the threads. Commands that have not begun are answered with an error. */
    public void close(Duration limit) {
        runs.close();
        handover.close();
        threads.close(limit);
    }
}
