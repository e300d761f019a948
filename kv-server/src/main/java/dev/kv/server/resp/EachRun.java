package dev.kv.server.resp;

import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** The commands of a {@link Question.Each} while they are run, a bounded number at a time. On the loop of the client. */
public final class EachRun {
    /** Commands of one request that run before other clients get their turn. */
    private static final int COMMANDS_IN_TURN = 512;

    /** What a command of a request takes until the reply is written, beside its words: itself, its future and its reply, roughly. */
    private static final int COMMAND_BYTES = 100;

    private final Store store;
    private final List<? extends Command> commands;
    private final List<CompletableFuture<Reply>> replies = new ArrayList<>();
    private final CompletableFuture<Reply> all = new CompletableFuture<>();

    public EachRun(Store store, List<? extends Command> commands) {
        this.store = store;
        this.commands = commands;
    }

    /**
     * The memory that a request takes until it is answered.
     *
     * @param wordBytes what its words take
     */
    public static long bytes(Question.Each each, long wordBytes) {
        return wordBytes + (long) COMMAND_BYTES * each.commands().size();
    }

    /** Runs the next commands; returns whether more are left. */
    public boolean next() {
        int end = Math.min(commands.size(), replies.size() + COMMANDS_IN_TURN);
        for (Command command : commands.subList(replies.size(), end)) {
            replies.add(store.run(command).toCompletableFuture());
        }
        if (end < commands.size()) {
            return true;
        }
        completeWhenAllHaveCome();
        return false;
    }

    private void completeWhenAllHaveCome() {
        var _ = CompletableFuture.allOf(replies.toArray(CompletableFuture<?>[]::new))
                .whenComplete((done, fault) -> {
                    if (fault == null) {
                        all.complete(new Reply.Many(
                                replies.stream().map(CompletableFuture::join).toList()));
                    } else {
                        all.completeExceptionally(fault);
                    }
                });
    }

    /** A {@link Reply.Many} of the replies, in the order of the commands. */
    public CompletableFuture<Reply> replies() {
        return all;
    }
}
