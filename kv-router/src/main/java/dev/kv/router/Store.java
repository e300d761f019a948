package dev.kv.router;

import java.util.concurrent.CompletionStage;

/**
 * Something that runs commands: the buckets on this node, another node, or a router choosing between them.
 *
 * <p>A command that fails in a way a client should hear of is answered with a {@link Reply.Failed}; a stage that completes
 * exceptionally is a fault of this node.
 *
 * <p>Calls never block. Commands on one bucket given to one {@code Store} by one thread run in the order of the calls; their
 * replies may become ready in another order. Who calls from an I/O loop is answered on that loop. The exception are stages that {@linkplain
 * LongReply.UnderWay#holdsBack hold back}.
 *
 * <p>A caller that no longer awaits a reply may cancel the future of the stage. A read that has not begun is then not run. Whoever
 * completes the stage later releases what the reply {@linkplain Held holds}.
 */
@FunctionalInterface
public interface Store {
    /**
     * Runs a command.
     *
     * @param takenMillis when the first node took it, in milliseconds since 1970: what it does depends on no other clock
     */
    CompletionStage<Reply> run(Command command, long takenMillis);

    /** Runs a command that this node takes now. */
    default CompletionStage<Reply> run(Command command) {
        return run(command, System.currentTimeMillis());
    }
}
