package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.LongReply;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Budget;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * The queued requests of a client between {@code MULTI} and {@code EXEC}. Their commands run as one, on names that one node
 * keeps.
 */
final class Transaction {
    private static final Set<String> RUN_AT_ONCE = Set.of("multi", "exec", "discard", "watch", "quit", "reset");

    /**
     * The flag of a command that is not queued: among others where the reply may be long for a short request, as this node makes all
     * replies of a transaction in one go.
     */
    private static final String NOT_QUEUED = "no_multi";

    /**
     * Requests, and commands. No key of the configuration: EXEC goes through all of them several times on the I/O loop, and others wait
     * for these milliseconds.
     */
    static final int COMMANDS_MAX = 1 << 16;

    private final Budget budget;
    private final List<RespCommand> rows = new ArrayList<>();
    private final List<Question> questions = new ArrayList<>();
    private final List<Command> commands = new ArrayList<>();

    /** Those of the commands; at most two. */
    private final Set<Bytes> buckets = new HashSet<>();

    private long bytes;
    private boolean spoiled;

    /**
     * @param budget the memory for requests that wait
     */
    Transaction(Budget budget) {
        this.budget = budget;
    }

    /** Whether the command is not queued between {@code MULTI} and {@code EXEC}. */
    static boolean runsAtOnce(RespCommand row) {
        return RUN_AT_ONCE.contains(row.name());
    }

    /** Whether it is the command that runs a transaction. */
    static boolean isExec(RespCommand row) {
        return row.name().equals("exec");
    }

    /** The error of an {@code EXEC} that is refused. */
    static RespError aborted(RespError why) {
        String reason = why.getMessage();
        return new RespError("EXECABORT Transaction discarded because of: "
                + (reason.startsWith("ERR ") ? reason.substring("ERR ".length()) : reason));
    }

    /** The number of queued requests. */
    int requests() {
        return questions.size();
    }

    /** The memory of the queued requests. */
    long bytes() {
        return bytes;
    }

    /** A request was refused: {@code EXEC} will not run the transaction. */
    void spoil() {
        spoiled = true;
    }

    /** Gives back the memory of the queued requests. */
    void close() {
        budget.give(bytes);
        bytes = 0;
    }

    /** Queues the request until {@code EXEC}. */
    Question queue(RespCommand row, RespRequest request, RespSession session) {
        if (row.hasFlag(NOT_QUEUED)) {
            throw notInside();
        }
        if (!budget.take(request.heldBytes())) {
            throw new RespError("ERR the transaction is too large (kv.server.buffer-max): send less before EXEC");
        }
        bytes += request.heldBytes();
        Question question;
        try {
            question = row.handler().ask(request, session);
        } catch (RespError e) {
            if (session.isQuitting()) {
                throw e;
            }
            // As in Redis, wrong arguments are an error in the reply of EXEC.
            question = (Question.Here) out -> out.error(e.getMessage());
        }
        List<? extends Command> added = commands(question);
        if (question instanceof Question.Steps || added.stream().anyMatch(Transaction::isNotForBatches)) {
            throw notInside();
        }
        if (questions.size() == COMMANDS_MAX || commands.size() + added.size() > COMMANDS_MAX) {
            throw new RespError(
                    "ERR the transaction is too long: EXEC runs at most " + COMMANDS_MAX + " commands, send several");
        }
        rows.add(row);
        questions.add(question);
        for (Command command : added) {
            commands.add(command);
            if (buckets.size() < 2) {
                buckets.add(command.bucket());
            }
        }
        return (Question.Here) out -> out.simple("QUEUED");
    }

    private static RespError notInside() {
        return new RespError("ERR Command not allowed inside a transaction");
    }

    private static boolean isNotForBatches(Command command) {
        return !(command instanceof Command.Read || command instanceof Command.Write);
    }

    private static List<? extends Command> commands(Question question) {
        return switch (question) {
            case Question.One one -> List.of(one.command());
            case Question.Each each -> each.commands();
            case Question.Steps _, Question.Here _, Question.InTurns _ -> List.of();
        };
    }

    /**
     * All requests as one question, unless what is watched has changed.
     *
     * @throws RespError if the transaction cannot run
     */
    Question execute(RespSession session) {
        if (spoiled) {
            throw new RespError("EXECABORT Transaction discarded because of previous errors.");
        }
        rows.forEach(session.counts()::call);
        Statistics statistics = session.door().statistics();
        CompletableFuture<Optional<List<Command.Watched>>> watched =
                session.watching().watched();
        if (watched.isDone()) {
            return watched.join().map(names -> execute(names, statistics)).orElseGet(() ->
                    (Question.Here) RespWriter::nilArray);
        }
        return new Question.Steps(
                store -> executeWhen(watched, store), (out, reply) -> write(out, reply, statistics), bytes);
    }

    private Question execute(List<Command.Watched> watched, Statistics statistics) {
        if (watched.isEmpty() && commands.isEmpty()) {
            return (Question.Here) out -> write(out, List.of(), statistics);
        }
        return new Question.One(command(watched), (out, reply) -> write(out, reply, statistics), bytes);
    }

    /** On one bucket alone it is a command that nodes of any release know. */
    private Command command(List<Command.Watched> watched) {
        return watched.isEmpty() && buckets.size() == 1
                ? new Command.Batch(buckets.iterator().next(), commands)
                : new Command.Together(watched, commands);
    }

    /** Runs the transaction when the nodes have answered a WATCH that was sent just before; later requests of the client wait. */
    private CompletionStage<Reply> executeWhen(
            CompletableFuture<Optional<List<Command.Watched>>> watched, Store store) {
        CompletableFuture<Void> placed = new CompletableFuture<>();
        LongReply.UnderWay exec = new LongReply.UnderWay(() -> 0, placed);
        var _ = watched.thenAccept(names -> {
            CompletionStage<Reply> run = run(names, store);
            if (run instanceof LongReply.UnderWay underWay) {
                underWay.whenPlaced(() -> placed.complete(null));
            } else {
                placed.complete(null);
            }
            run.whenComplete((reply, fault) -> {
                if (fault == null) {
                    exec.complete(reply);
                } else {
                    exec.completeExceptionally(fault);
                }
            });
        });
        return exec;
    }

    /** The reply; a fault is one, too: nobody else hears of it. */
    private CompletionStage<Reply> run(Optional<List<Command.Watched>> watched, Store store) {
        try {
            return watched.isEmpty()
                    ? CompletableFuture.completedFuture(Reply.ABSENT)
                    : store.run(command(watched.get()));
        } catch (RuntimeException | Error fault) {
            return CompletableFuture.failedFuture(fault);
        }
    }

    private void write(RespWriter out, Reply reply, Statistics statistics) {
        if (reply instanceof Reply.Many(List<Reply> replies)) {
            write(out, replies, statistics);
        } else {
            out.nilArray();
        }
    }

    private void write(RespWriter out, List<Reply> replies, Statistics statistics) {
        out.array(questions.size());
        int next = 0;
        for (int i = 0; i < questions.size(); i++) {
            int count = commands(questions.get(i)).size();
            Answers.write(out, questions.get(i), replies.subList(next, next + count));
            statistics.wrote(rows.get(i), out);
            next += count;
        }
    }
}
