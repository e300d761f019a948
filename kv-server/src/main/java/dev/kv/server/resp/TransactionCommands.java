package dev.kv.server.resp;

import dev.kv.router.Bytes;
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
                row(
                        "watch key<RO> ...",
                        "noscript loading stale fast allow_busy",
                        "Has EXEC run nothing if a key changes",
                        TransactionCommands::watch),
                row(
                        "unwatch",
                        "noscript loading stale fast allow_busy",
                        "Forgets the watched keys",
                        TransactionCommands::unwatch));
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
            return transaction.execute(session);
        } finally {
            session.endTransaction();
        }
    }

    private static Question watch(RespRequest request, RespSession session) {
        if (session.transaction().isPresent()) {
            throw new RespError("ERR WATCH inside MULTI is not allowed");
        }
        List<Bytes> names = List.copyOf(request.from(1));
        session.watching().take(names);
        return new Question.Steps(store -> session.watching().watch(names, store), (out, reply) -> out.ok());
    }

    /** In a transaction it has nothing to forget: EXEC has done so. */
    private static Question unwatch(RespRequest request, RespSession session) {
        if (session.transaction().isEmpty()) {
            session.unwatch();
        }
        return (Question.Here) RespWriter::ok;
    }

    private static Question discard(RespRequest request, RespSession session) {
        if (session.transaction().isEmpty()) {
            throw new RespError("ERR DISCARD without MULTI");
        }
        session.endTransaction();
        return (Question.Here) RespWriter::ok;
    }
}
