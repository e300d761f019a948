package dev.kv.server.resp;

import dev.kv.router.Command;
import dev.kv.router.Reply;
import java.util.List;

/** {@code MEMORY}: what a key takes. */
final class MemoryCommands {
    private MemoryCommands() {}

    static List<RespCommand> rows() {
        return List.of(RespCommand.of(
                "server",
                "memory|usage key<RO> [SAMPLES count:integer]",
                "readonly no_multi",
                "Estimates the bytes that a key takes, on the disk and in memory",
                (request, session) -> usage(request)));
    }

    private static Question usage(RespRequest request) {
        for (int i = 3; i < request.count(); i += 2) {
            if (!Keyword.is(request.at(i), "samples") || i + 1 == request.count()) {
                throw RespError.syntax();
            }
            if (request.whole(i + 1) < 0) {
                throw RespError.syntax();
            }
        }
        return new Question.One(new Command.Weigh(request.at(2)), (out, reply) -> {
            if (reply instanceof Reply.Absent) {
                out.nil();
            } else {
                Answers.number(out, reply);
            }
        });
    }
}
