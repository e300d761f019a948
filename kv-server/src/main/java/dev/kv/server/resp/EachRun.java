package dev.kv.server.resp;

import dev.kv.router.Command;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Budget;
import dev.kv.server.reply.ReplyWindow;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.function.Consumer;

/**
 * The commands of a {@link Question.Each} while they are run, some of them as one {@link Command.Each}: a bounded number in a turn, and a
 * bounded number that are not answered, as for a client that pipelines them. So one request neither holds up other clients nor fills the
 * link to another node. Replies that are kept until the last one is there are charged. On the loop of the client.
 */
public final class EachRun {
    /** Commands of one request that run in one turn. No key: kv.router.io-turn-max bounds all turns together. */
    private static final int COMMANDS_IN_TURN = 512;

    /** Commands that run as one: the storage runs them without a pause, and returns at most 64 KiB for each that is not held. */
    private static final int COMMANDS_AT_ONCE = 128;

    /** Names and values of commands that run as one, so that these are a short message to another node; a longer command runs alone. */
    private static final int WORD_BYTES_AT_ONCE = 32 * 1024;

    /** What a command of a request takes until it is answered, beside its words: itself, its future and its reply, roughly. */
    private static final int COMMAND_BYTES = 100;

    /** Replies that are ready at once are charged when they take this much, or when others are not ready. */
    private static final int CHARGED_MIN_BYTES = 64 * 1024;

    private final Store store;
    private final List<? extends Command> commands;

    /** All commands of a request have one time. */
    private final long takenMillis = System.currentTimeMillis();

    private final ReplyWindow window;
    private final Budget budget;
    private final Reply.Failed noMemory;
    private final Consumer<EachRun> goOn;
    private final EachAnswer answer;
    private final CompletableFuture<Reply> end = new CompletableFuture<>();

    /** The number of commands that run; fewer than all once the answer is stopped. */
    private int count;

    private int begun;
    private int answered;
    private long charged;
    private boolean isWaiting;

    /** Whether the last command that was begun {@linkplain LongReply.HoldingBack#holdsBack holds back}. */
    private boolean isHeldBack;

    /**
     * @param window bounds the number of commands that are not answered; all requests of the client share it
     * @param budget the memory for replies that are kept
     * @param noMemory the reply if that is spent
     * @param goOn is run when {@link #next} has returned false, and more may run, or {@link #letsOthersFollow} has become true
     */
    public EachRun(
            Store store,
            Question.Each each,
            ReplyWindow window,
            Budget budget,
            Reply.Failed noMemory,
            Consumer<EachRun> goOn) {
        this.store = store;
        this.commands = each.commands();
        this.count = commands.size();
        this.window = window;
        this.budget = budget;
        this.noMemory = noMemory;
        this.goOn = goOn;
        this.answer = each.gathering().get();
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
        int turnEnd = begun + COMMANDS_IN_TURN;
        while (begun < Math.min(count, turnEnd) && !isHeldBack && begun - answered < window.size()) {
            runSome(Math.min(count, turnEnd));
        }
        if (!end.isDone()) {
            charge();
            endIfAnswered();
        }
        isWaiting = !isBegun() && (isHeldBack || begun - answered >= window.size());
        return !isBegun() && !isWaiting;
    }

    private boolean isBegun() {
        return begun == count;
    }

    /** Nobody awaits the answer any more: lets go of the replies, and of those that still come. */
    public void abandon() {
        answer.stop(noMemory);
        charge();
    }

    /** Whether the next request of the client may be run: all commands were begun, and the last one does not hold back. */
    public boolean letsOthersFollow() {
        return isBegun() && !isHeldBack;
    }

    private void runSome(int before) {
        int first = begun;
        Command some = Command.Each.of(some(before));
        if (LongReply.mayFollow(some) && budget.isSpent()) {
            answer.stop(noMemory);
            begun = first;
            count = first;
            return;
        }
        int size = begun - first;
        CompletionStage<Reply> reply = store.run(some, takenMillis);
        long waiting = reply instanceof LongReply.UnderWay command ? command.replyBytes() : 0;
        budget.charge(waiting);
        if (reply instanceof LongReply.HoldingBack command && command.holdsBack()) {
            isHeldBack = true;
            command.whenPlaced(() -> {
                isHeldBack = false;
                // The answer to the command does not make it go on once more.
                isWaiting = false;
                goOn.accept(this);
            });
        } else if (reply instanceof CompletableFuture<Reply> ready && ready.state() == Future.State.SUCCESS) {
            add(first, size, ready.resultNow(), _ -> {});
            if (answer.bytes() - charged >= CHARGED_MIN_BYTES) {
                charge();
            }
            answered(size);
            return;
        }
        window.asked(some);
        var _ = reply.whenComplete((ready, fault) -> {
            budget.give(waiting);
            if (fault == null) {
                add(first, size, ready, window::came);
                charge();
                answered(size);
            } else {
                abandon();
                end.completeExceptionally(fault);
            }
        });
    }

    /** The next commands, which run as one, up to the one before this number. */
    private List<Command> some(int before) {
        int end = Math.min(before, begun + Math.min(COMMANDS_AT_ONCE, window.size() - (begun - answered)));
        List<Command> some = new ArrayList<>(end - begun);
        long bytes = 0;
        while (begun < end) {
            Command command = commands.get(begun);
            bytes += wordBytes(command);
            if (bytes > WORD_BYTES_AT_ONCE && !some.isEmpty()) {
                break;
            }
            some.add(command);
            begun++;
        }
        return some;
    }

    private static int wordBytes(Command command) {
        return command.bucket().size()
                + (command instanceof Command.SetValue set ? set.value().size() : 0);
    }

    /**
     * Adds the reply to commands that ran as one.
     *
     * @param came is told of the reply to each
     */
    private void add(int first, int size, Reply reply, Consumer<Reply> came) {
        List<Reply> replies = size == 1 ? List.of(reply) : Reply.Many.ofEach(size, reply);
        for (int i = 0; i < size; i++) {
            came.accept(replies.get(i));
            answer.add(first + i, replies.get(i));
        }
    }

    private void answered(int commands) {
        answered += commands;
        endIfAnswered();
        boolean goesOn = isWaiting && !isHeldBack && (isBegun() || begun - answered <= window.size() / 2);
        isWaiting &= !goesOn;
        if (goesOn) {
            goOn.accept(this);
        }
    }

    private void endIfAnswered() {
        if (answer.isStopped()) {
            count = begun;
        }
        if (answered == count) {
            budget.give(charged);
            charged = 0;
            end.complete(answer.reply());
        }
    }

    private void charge() {
        long more = answer.bytes() - charged;
        if (more > 0 && !budget.take(more)) {
            answer.stop(noMemory);
            more = -charged;
        }
        if (more < 0) {
            budget.give(-more);
        }
        charged += more;
    }

    /** Is complete when all commands are answered. */
    public CompletableFuture<Reply> end() {
        return end;
    }
}
