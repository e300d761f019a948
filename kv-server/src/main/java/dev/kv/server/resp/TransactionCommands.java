package dev.kv.server.resp;

import dev.kv.server.resp.RespCommand.Handler;
import java.util.List;

/** The commands that begin and end a {@link Transaction}. */
final class TransactionCommands {
    private TransactionCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                row(
                        "multi",
                        "noscript loading stale fast allow_busy",
                        "Begins a transaction",
                        TransactionCommands::multi),
                row("exec", "noscript loading stale skip_slowlog", "Runs a transaction", TransactionCommands::exec),
                row(
                        "discard",
                        "noscript loading stale fast allow_busy",
                        "Drops a transaction",
                        TransactionCommands::discard),
                row("watch key<RO> ...", "noscript loading stale fast allow_busy", "Is refused", (request, session) -> {
                    throw new RespError("ERR WATCH is not supported: use MULTI and EXEC on one bucket, or HSETNX");
                }),
                row("unwatch", "noscript loading stale fast allow_busy", "Does nothing", (request, session) ->
                        (Question.Here) RespWriter::ok));
    }

    private static RespCommand row(String syntax, String traits, String summary, Handler handler) {
        return RespCommand.of("transactions", syntax, traits, summary, handler);
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
            return transaction.execute(session.counts(), session.door().statistics());
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
