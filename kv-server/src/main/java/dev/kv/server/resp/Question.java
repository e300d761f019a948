package dev.kv.server.resp;

import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.Predicate;

/** What a request of RESP comes down to once its arguments were found right. */
public sealed interface Question {
    /** A command on one bucket. */
    record One(Command command, Answer answer) implements Question {}

    /**
     * A command on each of several buckets, answered by the number of those that it counts.
     *
     * @param commands not empty
     */
    record Each(List<? extends Command> commands, Predicate<Reply> counts) implements Question {}

    /** Something that takes more than one step. */
    record Steps(Function<Store, CompletionStage<Reply>> steps, Answer answer) implements Question {}

    /** Something that this node answers at once. */
    @FunctionalInterface
    non-sealed interface Here extends Question {
        void write(RespWriter out);
    }

    /** How a reply that is no failure is written. */
    @FunctionalInterface
    interface Answer {
        void write(RespWriter out, Reply reply);
    }
}
