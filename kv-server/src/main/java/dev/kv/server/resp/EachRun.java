package dev.kv.server.resp;

import dev.kv.router.Command;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;

/**
 * The commands of a {@link Question.Each} while they are run: a bounded number in a turn, and a bounded number that are not answered, as for
 * a client that pipelines them. So one request neither holds up other clients nor fills the link to another node. On the loop of the
 * client.
 */
public final class EachRun {
    /** Commands of one request that run in one turn. No key: kv.router.io-turn-max bounds all turns together. */
    private static final int COMMANDS_IN_TURN = 512;

    /** What a command of a request takes until it is answered, beside its words: itself, its future and its reply, roughly. */
    private static final int COMMAND_BYTES = 100;

    private final Store store;
    private final List<? extends Command> commands;
    private final int unansweredMax;
    private final Consumer<EachRun> goOn;
    private final EachAnswer answer;
    private final CompletableFuture<Reply> end = new CompletableFuture<>();
    private int begun;
    private int answered;
    private boolean isWaiting;

    private boolean hasHeldBack;

    /**
     * @param unansweredMax the largest number of commands that are not answered
     * @param goOn is run when {@link #next} has returned false before the last command, and more may run
     */
    public EachRun(Store store, Question.Each each, int unansweredMax, Consumer<EachRun> goOn) {
        this.store = store;
        this.commands = each.commands();
        this.unansweredMax = unansweredMax;
        this.goOn = goOn;
        this.answer = new EachAnswer(each.counts());
    }

    /**
     * The memory that a request takes until it is answered.
     *
     * @param wordBytes what its words take
     */
    public static long bytes(Question.Each each, long wordBytes) {
        return wordBytes + (long) COMMAND_BYTES * each.commands().size();
    }

    /** Runs the next commands; returns whether more may run in the next turn. */
    public boolean next() {
        int turnEnd = Math.min(commands.size(), begun + COMMANDS_IN_TURN);
        while (begun < turnEnd && begun - answered < unansweredMax) {
            run(begun++);
        }
        isWaiting = !isBegun() && begun - answered >= unansweredMax;
        return !isBegun() && !isWaiting;
    }

    private boolean isBegun() {
        return begun == commands.size();
    }

    /** Whether the next request of the client may be run: all commands were begun, and none that {@linkplain LongReply.UnderWay holds back} waits. */
    public boolean letsOthersFollow() {
        return isBegun() && (!hasHeldBack || end.isDone());
    }

    /** Whether a command has held back: then no other request of the client follows before the end. */
    public boolean hasHeldBack() {
        return hasHeldBack;
    }

    private void run(int number) {
        CompletionStage<Reply> answered = store.run(commands.get(number));
        hasHeldBack |= answered instanceof LongReply.UnderWay command && command.holdsBack();
        var _ = answered.whenComplete((reply, fault) -> {
            if (fault == null) {
                answered(number, reply);
            } else {
                end.completeExceptionally(fault);
            }
        });
    }

    private void answered(int number, Reply reply) {
        answer.add(number, reply);
        answered++;
        if (answered == commands.size()) {
            end.complete(Reply.OK);
        } else if (isWaiting && begun - answered <= unansweredMax / 2) {
            isWaiting = false;
            goOn.accept(this);
        }
    }

    /** Is complete when all commands are answered. */
    public CompletableFuture<Reply> end() {
        return end;
    }

    /** Writes the answer, after {@link #end}. */
    public RespWriter written(RespWriter out) {
        answer.write(out);
        return out;
    }
}
