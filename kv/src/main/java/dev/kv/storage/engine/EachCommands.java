package dev.kv.storage.engine;

import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.storage.log.NoRoomYet;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.LongAdder;

/**
 * Runs the commands of a {@link Command.Each} on the calling thread, each by itself, and acknowledges them together. One that touches much,
 * or has to wait for its bucket, gets a place as a command alone does, and the others do not wait for it. Any thread.
 */
final class EachCommands {
    private final Commands commands;
    private final Runs runs;
    private final LongAdder turns;
    private final Store place;

    /**
     * @param turns counts the turns of large commands
     * @param place has another thread run a command, or has it wait for its bucket
     */
    EachCommands(Commands commands, Runs runs, LongAdder turns, Store place) {
        this.commands = commands;
        this.runs = runs;
        this.turns = turns;
        this.place = place;
    }

    /** A reply that comes later than the others, and its number. */
    private record Later(int number, CompletableFuture<Reply> reply) {}

    CompletionStage<Reply> run(Command.Each each, long takenMillis) {
        Reply[] replies = new Reply[each.commands().size()];
        List<Later> later = new ArrayList<>(0);
        for (int i = 0; i < replies.length; i++) {
            Command command = each.commands().get(i);
            replies[i] = Reply.ABSENT;
            try {
                replies[i] = commands.run(command, takenMillis);
            } catch (Turn.TooMuch | Lanes.Busy | NoRoomYet e) {
                later.add(new Later(i, place.run(command, takenMillis).toCompletableFuture()));
            } catch (RuntimeException | InternalError e) {
                later.add(new Later(i, Runs.failed(e).toCompletableFuture()));
            }
        }
        CompletionStage<Reply> ready = runs.acknowledged(each, new Reply.Many(List.of(replies)));
        return later.isEmpty() ? ready : whole(each, replies, ready.toCompletableFuture(), later);
    }

    /** The reply to all commands, when those that run later have run. */
    private LongReply.UnderWay whole(
            Command.Each each, Reply[] replies, CompletableFuture<Reply> ready, List<Later> later) {
        LongReply.UnderWay whole = new LongReply.UnderWay(
                turns::sum, CompletableFuture.completedFuture(null), bytes(each, replies, later.size()));
        List<CompletableFuture<Reply>> parts = new ArrayList<>(List.of(ready));
        later.forEach(one -> parts.add(one.reply()));
        var _ = CompletableFuture.allOf(parts.toArray(CompletableFuture<?>[]::new))
                .whenComplete((_, fault) -> {
                    for (Later one : later) {
                        if (!one.reply().isCompletedExceptionally()) {
                            replies[one.number()] = one.reply().join();
                        }
                    }
                    Reply all = new Reply.Many(List.of(replies));
                    boolean isHanded = false;
                    if (fault != null) {
                        whole.completeExceptionally(fault);
                    } else if (ready.join() instanceof Reply.Failed failed) {
                        whole.complete(failed);
                    } else {
                        isHanded = whole.complete(all);
                    }
                    if (!isHanded) {
                        Held.releaseIn(all);
                    }
                });
        var _ = whole.whenComplete((_, _) -> {
            if (whole.isCancelled()) {
                later.forEach(one -> one.reply().cancel(false));
            }
        });
        return whole;
    }

    /** What the reply takes at most. */
    private static long bytes(Command.Each each, Reply[] replies, int later) {
        long ready = 0;
        for (Reply reply : replies) {
            ready += LongReply.bytes(reply);
        }
        return LongReply.mayFollow(each) ? ready + (long) later * Fields.LARGE_MIN_BYTES : ready;
    }
}
