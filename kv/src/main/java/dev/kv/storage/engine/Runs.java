package dev.kv.storage.engine;

import dev.kv.router.Command;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.log.NoRoomYet;
import dev.kv.storage.log.ReadFailure;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BiFunction;

/** Runs commands on the calling thread. Their replies complete when they may be sent. Any thread. */
final class Runs {
    /** The memory of a shorter reply that waits for the disk is not counted. */
    private static final int UNCOUNTED_BYTES = 4 * 1024;

    private final Commands commands;
    private final BiFunction<Command, Reply, CompletionStage<Reply>> acknowledging;
    private final LongAdder turns;
    private volatile boolean isClosed;

    /**
     * @param acknowledging completes with the reply when it may be sent
     * @param turns counts the turns of large commands
     */
    Runs(Commands commands, BiFunction<Command, Reply, CompletionStage<Reply>> acknowledging, LongAdder turns) {
        this.commands = commands;
        this.acknowledging = acknowledging;
        this.turns = turns;
    }

    /**
     * Runs a command that touches little.
     *
     * @throws Turn.TooMuch if it touches more
     * @throws Lanes.Busy if a large change of its bucket is under way
     * @throws NoRoomYet if it has to wait for room on the disk
     */
    CompletionStage<Reply> now(Command command, long takenMillis) {
        Reply reply;
        try {
            reply = commands.run(command, takenMillis);
        } catch (Turn.TooMuch | Lanes.Busy | NoRoomYet later) {
            throw later;
        } catch (RuntimeException | InternalError e) {
            return failed(e);
        }
        return acknowledged(command, reply);
    }

    /** The reply to a command that was run, when it may be sent. */
    CompletionStage<Reply> acknowledged(Command command, Reply reply) {
        CompletionStage<Reply> acknowledged = acknowledging.apply(command, reply);
        return acknowledged.toCompletableFuture().isDone()
                ? acknowledged
                : waiting(acknowledged, LongReply.bytes(reply));
    }

    private static CompletionStage<Reply> waiting(CompletionStage<Reply> acknowledged, long replyBytes) {
        return replyBytes <= UNCOUNTED_BYTES ? acknowledged : LongReply.UnderWay.ready(acknowledged, replyBytes);
    }

    /**
     * Runs a large command, and closes it.
     *
     * @param answer ends a read when it is cancelled: what changes something is done whether its client is there or not
     * @throws NoRoomYet if it has to wait for room on the disk
     */
    CompletionStage<Reply> large(Command command, Large large, LongReply.UnderWay answer) {
        Reply reply;
        try (large) {
            reply = large.run().apply(() -> {
                answer.hadTurn();
                turns.increment();
                return isClosed || (answer.isDone() && large.lane().isEmpty());
            });
        } catch (Turn.Cancelled e) {
            return stopped();
        } catch (NoRoomYet later) {
            throw later;
        } catch (RuntimeException | InternalError e) {
            return failed(e);
        }
        return acknowledging.apply(command, reply);
    }

    /** The same after {@linkplain Commands#large preparing} it. */
    CompletionStage<Reply> large(Command command, long takenMillis, LongReply.UnderWay answer) {
        try {
            return large(command, commands.large(command, takenMillis), answer);
        } catch (Damaged | InternalError e) {
            return failed(e);
        }
    }

    /** The reply to a command that failed. */
    static CompletionStage<Reply> failed(Throwable e) {
        return switch (e) {
            case Damaged damage -> CompletableFuture.completedFuture(ReadFailure.reply(damage));
            case InternalError sigbus -> CompletableFuture.completedFuture(ReadFailure.reply(sigbus));
            default -> CompletableFuture.failedFuture(e);
        };
    }

    static CompletionStage<Reply> refused(String message) {
        return CompletableFuture.completedFuture(new Reply.Failed(Word.ERR, message));
    }

    /** The reply to a command that does not run, since the node stops. */
    static CompletionStage<Reply> stopped() {
        return refused("this node stops");
    }

    boolean isClosed() {
        return isClosed;
    }

    /** The node stops: large reads and copies end. */
    void close() {
        isClosed = true;
    }
}
