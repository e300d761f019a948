package dev.kv.storage.engine;

import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.storage.log.Tail;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.LongAdder;

/**
 * Has writes wait while the disk is behind, in their order, on a thread of their own, before they lock anything. Each client has at most one
 * write that waits here, since its caller holds it back ({@link LongReply.UnderWay#holdsBack}). Any thread.
 */
final class AfterDisk {
    private final Tail tail;
    private final LargeThreads threads;
    private final LongAdder turns;
    private final Handover handover;
    private final Store place;

    /**
     * @param turns counts each write that has waited
     * @param place runs a command, or gives it its place before those that come later
     */
    AfterDisk(Tail tail, LargeThreads threads, LongAdder turns, Handover handover, Store place) {
        this.tail = tail;
        this.threads = threads;
        this.turns = turns;
        this.handover = handover;
        this.place = place;
    }

    /** Whether a command has to wait. */
    boolean isDue(Command command) {
        return tail.isBehind() && !command.isRead();
    }

    /** Runs a write when the disk is no longer behind and, if it may have a long reply, when its caller has memory for that. */
    CompletionStage<Reply> run(Command command, long takenMillis) {
        CompletableFuture<Void> placed = new CompletableFuture<>();
        LongReply.UnderWay answer = new LongReply.UnderWay(turns::sum, placed);
        Optional<CommandThread> caller = CommandThread.current();
        Runnable run = () -> place(command, takenMillis, answer, caller, placed);
        threads.runAfterDisk(() -> {
            tail.awaitDisk();
            if (LongReply.mayFollow(command)) {
                answer.begin(run);
            } else {
                run.run();
            }
        });
        return answer;
    }

    private void place(
            Command command,
            long takenMillis,
            LongReply.UnderWay answer,
            Optional<CommandThread> caller,
            CompletableFuture<Void> placed) {
        CompletionStage<Reply> reply;
        try {
            reply = place.run(command, takenMillis);
        } catch (RuntimeException | Error fault) {
            reply = CompletableFuture.failedFuture(fault);
        }
        turns.increment();
        Runnable release = () -> placed.complete(null);
        caller.ifPresentOrElse(there -> there.execute(release), release);
        var _ = handover.give(answer, caller, reply);
    }
}
