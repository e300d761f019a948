package dev.kv.server;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The requests of a client between {@code MULTI} and {@code EXEC}. What they ask of a bucket runs as one batch, so there is
 * only one bucket.
 */
final class Transaction {
    private static final Set<String> RUN_AT_ONCE = Set.of("multi", "exec", "discard", "watch", "quit", "reset");

    /** As many as one request has arguments. */
    private static final int REQUESTS_MAX = RespRequest.ARGUMENTS_MAX;

    private static final int SHOWN_BUCKETS_MAX = 8;
    private static final int SHOWN_NAME_BYTES = 256;

    private final List<Question> questions = new ArrayList<>();
    private long bytes;
    private boolean spoiled;

    /** Whether the command runs between {@code MULTI} and {@code EXEC}, too. */
    static boolean runsAtOnce(RespCommand row) {
        return RUN_AT_ONCE.contains(row.name());
    }

    /** A request was refused: the transaction will not run. */
    void spoil() {
        spoiled = true;
    }

    /** Keeps what the request asks for until {@code EXEC}. */
    Question queue(RespCommand row, RespRequest request, RespSession session) {
        bytes += request.heldBytes();
        if (questions.size() == REQUESTS_MAX || bytes > session.door().transactionMaxBytes()) {
            throw new RespError("ERR the transaction is too large (kv.server.buffer-max): send less before EXEC");
        }
        Question question;
        try {
            question = row.handler().ask(request, session);
        } catch (RespError e) {
            // As in Redis, arguments are looked at when the transaction runs.
            question = (Question.Here) out -> out.error(e.getMessage());
        }
        if (question instanceof Question.Steps || commands(question).stream().anyMatch(Transaction::isNotForBatches)) {
            throw new RespError("ERR Command not allowed inside a transaction");
        }
        questions.add(question);
        return (Question.Here) out -> out.simple("QUEUED");
    }

    private static boolean isNotForBatches(Command command) {
        return !(command instanceof Command.Read || command instanceof Command.Write);
    }

    private static List<? extends Command> commands(Question question) {
        return switch (question) {
            case Question.One one -> List.of(one.command());
            case Question.Each each -> each.commands();
            case Question.Steps _, Question.Here _ -> List.of();
        };
    }

    /**
     * All of it as one question.
     *
     * @throws RespError if it cannot run
     */
    Question execute() {
        if (spoiled) {
            throw new RespError("EXECABORT Transaction discarded because of previous errors.");
        }
        List<Command> commands = new ArrayList<>();
        questions.forEach(question -> commands.addAll(commands(question)));
        Set<Bytes> buckets = new LinkedHashSet<>();
        commands.forEach(command -> buckets.add(command.bucket()));
        if (buckets.size() > 1) {
            throw new RespError(
                    "EXECABORT Transaction discarded because it is on several buckets, which nodes keep apart: "
                            + names(buckets));
        }
        if (buckets.isEmpty()) {
            return (Question.Here) out -> write(out, List.of());
        }
        return new Question.One(
                new Command.Batch(buckets.iterator().next(), commands),
                (out, reply) -> write(out, ((Reply.Many) reply).replies()));
    }

    private static String names(Set<Bytes> buckets) {
        List<String> names = buckets.stream()
                .limit(SHOWN_BUCKETS_MAX)
                .map(bucket -> '"' + bucket.printable(SHOWN_NAME_BYTES) + '"')
                .toList();
        return String.join(", ", names) + (buckets.size() > SHOWN_BUCKETS_MAX ? ", ..." : "");
    }

    private void write(RespWriter out, List<Reply> replies) {
        out.array(questions.size());
        int next = 0;
        for (Question question : questions) {
            int count = commands(question).size();
            RespAnswer.write(out, question, replies.subList(next, next + count));
            next += count;
        }
    }
}
