package dev.kv.storage;

import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.router.Store;
import dev.kv.storage.Lanes.Lane;
import dev.kv.storage.Lanes.Parked;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs each command in its turn: at once, on the thread that calls, if it touches little; else on a thread for large commands, while
 * the caller goes on. What a large one reads is as it was in its turn, and a bucket that it changes is its own until all of that is
 * in force: who comes for it meanwhile waits in a {@linkplain Lanes lane}. So commands on one bucket that come from one thread run in
 * their order, and a large one keeps nobody waiting but who comes for a bucket that it changes.
 */
final class Execution implements Store {
    private static final Logger LOG = LoggerFactory.getLogger(Execution.class);

    private final Commands commands;
    private final Buckets buckets;
    private final BiFunction<Command, Reply, CompletionStage<Reply>> acknowledging;
    private final Lanes lanes;
    private final Semaphore places;
    private final ExecutorService threads;
    private volatile boolean isClosed;

    /**
     * The section {@code kv.storage.large}.
     *
     * @param turn what a command may touch that is no large one
     * @param waitingMax how many large commands run and wait for a thread at most
     * @param parkedMax how many commands wait for buckets at most
     * @param parkedMaxBytes what those hold at most
     */
    record Limits(Turn.Limits turn, int threads, int waitingMax, int parkedMax, long parkedMaxBytes) {
        static final Limits USUAL = new Limits(new Turn.Limits(1_000, 1L << 20), 1, 256, 10_000, 64L << 20);
    }

    /**
     * @param acknowledging when the reply to a command that was run may be told
     */
    Execution(
            Commands commands,
            Buckets buckets,
            BiFunction<Command, Reply, CompletionStage<Reply>> acknowledging,
            Limits limits) {
        this.commands = commands;
        this.buckets = buckets;
        this.acknowledging = acknowledging;
        this.lanes = new Lanes(limits.parkedMax(), limits.parkedMaxBytes());
        this.places = new Semaphore(limits.waitingMax());
        this.threads = Executors.newFixedThreadPool(
                limits.threads(),
                Thread.ofPlatform().name("kv-large-", 0).daemon().factory());
    }

    @Override
    public CompletionStage<Reply> run(Command command) {
        while (true) {
            Lane busy;
            try {
                return now(command);
            } catch (Turn.TooMuch more) {
                try {
                    return elsewhere(command);
                } catch (Lanes.Busy e) {
                    busy = e.lane();
                }
            } catch (Lanes.Busy e) {
                busy = e.lane();
            }
            Optional<CompletionStage<Reply>> answer = parked(busy, command);
            if (answer.isPresent()) {
                return answer.get();
            }
        }
    }

    private CompletionStage<Reply> now(Command command) {
        Reply reply;
        try {
            reply = commands.run(command);
        } catch (Turn.TooMuch | Lanes.Busy later) {
            throw later;
        } catch (RuntimeException | InternalError e) {
            return failed(e);
        }
        return acknowledging.apply(command, reply);
    }

    private CompletionStage<Reply> ran(Command command, Large large) {
        Reply reply;
        try {
            reply = large.run().get();
        } catch (RuntimeException | InternalError e) {
            return failed(e);
        }
        return acknowledging.apply(command, reply);
    }

    private static CompletionStage<Reply> failed(Throwable e) {
        return switch (e) {
            case Damaged damage -> CompletableFuture.completedFuture(OpenStorage.told(damage));
            case InternalError sigbus -> CompletableFuture.completedFuture(OpenStorage.told(sigbus));
            default -> CompletableFuture.failedFuture(e);
        };
    }

    private static CompletionStage<Reply> refused(String message) {
        return CompletableFuture.completedFuture(new Reply.Failed(Word.ERR, message));
    }

    /** Begins a large command in its turn, and has it run by another thread. */
    private CompletionStage<Reply> elsewhere(Command command) {
        if (!places.tryAcquire()) {
            return refused("too many large requests are under way (kv.storage.large.waiting-max): try again later");
        }
        Large large;
        try {
            large = commands.large(command);
        } catch (RuntimeException | Error e) {
            places.release();
            throw e;
        }
        CompletableFuture<Reply> answer = new CompletableFuture<>();
        Optional<CommandThread> caller = CommandThread.current();
        threads.execute(() -> {
            try {
                run(command, large, answer, caller);
            } finally {
                places.release();
            }
        });
        return answer;
    }

    private void run(Command command, Large large, CompletableFuture<Reply> answer, Optional<CommandThread> caller) {
        large.lane().ifPresent(Lane::enter);
        try (large) {
            answer(answer, caller, isClosed ? refused("this node stops") : ran(command, large));
        }
        large.lane().ifPresent(this::runParked);
    }

    /** Runs what waits in a lane, and in lanes that are entered with it, until nothing does. */
    private void runParked(Lane lane) {
        Deque<Lane> own = new ArrayDeque<>(List.of(lane));
        while (!own.isEmpty()) {
            if (buckets.end(lanes, own.peek())) {
                own.remove();
                continue;
            }
            Lanes.Next next = lanes.next(own.peek());
            next.entered().ifPresent(own::add);
            if (next.command().isEmpty()) {
                own.remove();
            } else {
                runParked(next.command().get());
            }
        }
    }

    private void runParked(Parked parked) {
        CompletionStage<Reply> reply;
        try {
            reply = isClosed ? refused("this node stops") : runOwn(parked.command());
        } catch (RuntimeException | Error fault) {
            reply = CompletableFuture.failedFuture(fault);
        }
        answer(parked.answer(), parked.caller(), reply);
    }

    /** Runs a command on a bucket that is this thread's own. */
    private CompletionStage<Reply> runOwn(Command command) {
        try {
            return now(command);
        } catch (Turn.TooMuch more) {
            try (Large large = commands.large(command)) {
                return ran(command, large);
            }
        }
    }

    private static void answer(
            CompletableFuture<Reply> answer, Optional<CommandThread> caller, CompletionStage<Reply> reply) {
        var _ = reply.whenComplete((value, fault) -> {
            Runnable complete = () -> {
                if (fault == null) {
                    answer.complete(value);
                } else {
                    answer.completeExceptionally(fault);
                }
            };
            caller.ifPresentOrElse(there -> there.execute(complete), complete);
        });
    }

    /** The answer to a command that waits in a lane; empty if the lane has ended. */
    private Optional<CompletionStage<Reply>> parked(Lane lane, Command command) {
        CompletableFuture<Reply> answer = new CompletableFuture<>();
        Parked parked = new Parked(command, Lanes.bytes(command), answer, CommandThread.current());
        Lanes.Place place =
                command instanceof Command.Rename rename && !rename.bucket().equals(rename.to())
                        ? buckets.park(lanes, rename.bucket(), rename.to(), parked)
                        : lanes.park(lane, parked);
        return switch (place) {
            case WAITS -> Optional.of(answer);
            case ENDED -> Optional.empty();
            case REFUSED ->
                Optional.of(refused("too many requests wait behind large changes (kv.storage.large.parked-max and"
                        + " parked-max-bytes): try again later"));
        };
    }

    /** Ends the threads; what has not begun is answered with an error. */
    void close(Duration limit) {
        isClosed = true;
        threads.shutdown();
        try {
            if (!threads.awaitTermination(limit.toNanos(), TimeUnit.NANOSECONDS)) {
                LOG.warn("a large request was still under way");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
