package dev.kv.server.resp;

import dev.kv.server.resp.RespCommand.Handler;
import dev.kv.server.resp.RespCommand.Keys;
import java.util.List;

/** The commands that begin and end a {@link Transaction}. */
final class TransactionCommands {
    private TransactionCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                row("multi", 1, "Begins a transaction", TransactionCommands::multi),
                row("exec", 1, "Runs a transaction", TransactionCommands::exec),
                row("discard", 1, "Drops a transaction", TransactionCommands::discard),
                row("watch", -2, "Is refused", (request, session) -> {
                    throw new RespError("ERR WATCH is not supported: use MULTI and EXEC on one bucket, or HSETNX");
                }),
                row("unwatch", 1, "Does nothing", (request, session) -> (Question.Here) RespWriter::ok));
    }

    private static RespCommand row(String name, int arity, String summary, Handler handler) {
        List<String> flags = List.of("noscript", "loading", "stale", "fast");
        return new RespCommand(name, arity, flags, Keys.NONE, "transactions", summary, handler);
    }

    private static Question multi(RespRequest request, RespSession session) {
        if (session.transaction().isPresent()) {
            throw new RespError("ERR MULTI calls can not be nested");
        }
        session.beginTransaction();
        return (Question.Here) RespWriter::ok;
    }

    private static Question exec(RespRequest request, RespSession session) {
        Transaction transaction = session.transaction().orElseThrow(() -> new RespError("ERR EXEC without MULTI"));
        try {
            return transaction.execute();
        } finally {
            session.endTransaction();
        }
    }

    private static Question discard(RespRequest request, RespSession session) {
        if (session.transaction().isEmpty()) {
            throw new RespError("ERR DISCARD without MULTI");
        }
        session.endTransaction();
        return (Question.Here) RespWriter::ok;
    }
}
