package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.server.resp.RespCommand.Handler;
import java.util.List;

/** The subcommands of {@code OBJECT}: what Redis would tell of a name by its size. */
final class ObjectCommands {
    private static final String TRAITS = "readonly ~nondeterministic_output";

    /** The longest value that Redis stores in one piece with its head. */
    private static final int EMBEDDED_MAX_BYTES = 44;

    /** The largest hash that Redis stores as a list, by its default. */
    private static final int LIST_MAX_KEYS = 512;

    private ObjectCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                row(
                        "object|encoding key<RO>",
                        TRAITS + " no_multi",
                        "Shows the encoding that Redis would choose by the size of a key",
                        (request, session) -> new Question.One(
                                new Command.Batch(
                                        request.at(2),
                                        List.of(
                                                new Command.KindOf(request.at(2)),
                                                new Command.Size(request.at(2)),
                                                new Command.GetRange(request.at(2), 0, EMBEDDED_MAX_BYTES))),
                                ObjectCommands::encoding)),
                row("object|refcount key<RO>", TRAITS, "Returns 1", ofPresent((out, reply) -> out.number(1))),
                row(
                        "object|freq key<RO>",
                        TRAITS,
                        "Is refused: no use is recorded",
                        ofPresent((out, reply) -> out.error(notTracked("not selected, access frequency")))),
                row(
                        "object|idletime key<RO>",
                        TRAITS,
                        "Is refused: no use is recorded",
                        ofPresent((out, reply) -> out.error(notTracked("selected, idle time")))));
    }

    private static RespCommand row(String syntax, String traits, String summary, Handler handler) {
        return RespCommand.of("generic", syntax, traits, summary, handler);
    }

    private static void encoding(RespWriter out, Reply reply) {
        List<Reply> replies = ((Reply.Many) reply).replies();
        if (!(replies.getFirst() instanceof Reply.OfKind)) {
            out.nil();
        } else if (replies.get(1) instanceof Reply.Amount(long keys)) {
            out.bulk(keys <= LIST_MAX_KEYS ? "listpack" : "hashtable");
        } else if (replies.get(2) instanceof Reply.Value(Bytes value)) {
            boolean isInteger = value.wholeNumber().isPresent();
            out.bulk(isInteger ? "int" : value.size() <= EMBEDDED_MAX_BYTES ? "embstr" : "raw");
        } else {
            out.error((Reply.Failed) replies.get(2));
        }
    }

    private static Handler ofPresent(Question.Answer answer) {
        return (request, session) -> new Question.One(new Command.KindOf(request.at(2)), (out, reply) -> {
            if (reply instanceof Reply.OfKind) {
                answer.write(out, reply);
            } else {
                out.nil();
            }
        });
    }

    private static String notTracked(String what) {
        return "ERR An LFU maxmemory policy is " + what
                + " not tracked. Please note that when switching between policies"
                + " at runtime LRU and LFU data will take some time to adjust.";
    }
}
