package dev.kv.server.resp;

import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.Supplier;

/** What a request of RESP asks for, after its arguments were checked. */
public sealed interface Question {
    /**
     * A command on one bucket.
     *
     * @param queuedBytes what its parts took while they were queued in a transaction, and take until it is answered
     */
    record One(Command command, Answer answer, long queuedBytes) implements Question {
        One(Command command, Answer answer) {
            this(command, answer, 0);
        }
    }

    /**
     * A command on each of several names.
     *
     * @param commands not empty
     * @param gathering begins to make one reply of those to the commands
     */
    record Each(List<? extends Command> commands, Supplier<EachAnswer> gathering, Answer answer) implements Question {}

    /**
     * Several commands, of which a later one depends on the reply of an earlier one.
     *
     * @param queuedBytes as for {@link One}
     */
    record Steps(Function<Store, CompletionStage<Reply>> steps, Answer answer, long queuedBytes) implements Question {
        Steps(Function<Store, CompletionStage<Reply>> steps, Answer answer) {
            this(steps, answer, 0);
        }
    }

    /** A question that this node answers at once, without a command. */
    @FunctionalInterface
    non-sealed interface Here extends Question {
        void write(RespWriter out);
    }

    /** A question that this node answers in several turns, without a command. */
    non-sealed interface InTurns extends Question {
        /** Does a part of the work, of about 100 us; returns whether more is left. */
        boolean next();

        /** Writes the answer when no work is left. */
        void write(RespWriter out);
    }

    /** Writes a reply that is no failure. */
    @FunctionalInterface
    interface Answer {
        void write(RespWriter out, Reply reply);
    }
}
