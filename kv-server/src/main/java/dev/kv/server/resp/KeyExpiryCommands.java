package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Expiry;
import dev.kv.router.Reply;
import dev.kv.server.resp.RespCommand.Handler;
import java.util.List;

/** The commands on the time at which a key of Redis, a name, expires. */
final class KeyExpiryCommands {
    private KeyExpiryCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                expire("expire", "seconds:integer", TimeForm.EX, "Sets the time to live of a key in seconds"),
                expire(
                        "pexpire",
                        "milliseconds:integer",
                        TimeForm.PX,
                        "Sets the time to live of a key in milliseconds"),
                expire(
                        "expireat",
                        "unix-time-seconds:unix-time",
                        TimeForm.EXAT,
                        "Sets when a key expires, in seconds since 1970"),
                expire(
                        "pexpireat",
                        "unix-time-milliseconds:unix-time",
                        TimeForm.PXAT,
                        "Sets when a key expires, in milliseconds since 1970"),
                tell("ttl", " ~nondeterministic_output", TimeForm.EX, "Shows the time to live of a key in seconds"),
                tell(
                        "pttl",
                        " ~nondeterministic_output",
                        TimeForm.PX,
                        "Shows the time to live of a key in milliseconds"),
                tell("expiretime", "", TimeForm.EXAT, "Shows when a key expires, in seconds since 1970"),
                tell("pexpiretime", "", TimeForm.PXAT, "Shows when a key expires, in milliseconds since 1970"),
                row(
                        "persist key<RW,update>",
                        "write fast",
                        "Has a key expire no more",
                        (request, session) -> new Question.One(
                                new Command.Expire(request.at(1), Expiry.NONE, Expiry.Condition.IF_ANY),
                                Answers::number)));
    }

    private static RespCommand row(String syntax, String traits, String summary, Handler handler) {
        return RespCommand.of("generic", syntax, traits, summary, handler);
    }

    private static RespCommand expire(String name, String time, TimeForm form, String summary) {
        return row(
                name + " key<RW,update> " + time + " [condition:(NX | XX | GT | LT)]",
                "write fast",
                summary,
                (request, session) -> {
                    Expiry.Condition condition = condition(request);
                    return new Question.One(
                            new Command.Expire(request.at(1), form.ofName(request.at(2), name), condition),
                            Answers::number);
                });
    }

    private static RespCommand tell(String name, String tips, TimeForm form, String summary) {
        return row(
                name + " key<RO,access>",
                "readonly fast" + tips,
                summary,
                (request, session) -> new Question.One(
                        new Command.ExpiryOf(request.at(1)),
                        (out, reply) -> out.number(
                                reply instanceof Reply.Amount(long expiry) && expiry >= 0
                                        ? form.ofName(expiry)
                                        : ((Reply.Amount) reply).value())));
    }

    /** As in Redis, XX may be there with GT or LT. */
    private static Expiry.Condition condition(RespRequest request) {
        boolean nx = false;
        boolean xx = false;
        boolean gt = false;
        boolean lt = false;
        for (Bytes option : request.from(3)) {
            if (Keyword.is(option, "nx")) {
                nx = true;
            } else if (Keyword.is(option, "xx")) {
                xx = true;
            } else if (Keyword.is(option, "gt")) {
                gt = true;
            } else if (Keyword.is(option, "lt")) {
                lt = true;
            } else {
                throw new RespError("ERR Unsupported option " + RespError.shown(option));
            }
        }
        if (nx && (xx || gt || lt)) {
            throw new RespError("ERR NX and XX, GT or LT options at the same time are not compatible");
        }
        if (gt && lt) {
            throw new RespError("ERR GT and LT options at the same time are not compatible");
        }
        if (nx) {
            return Expiry.Condition.IF_NONE;
        }
        if (gt) {
            return Expiry.Condition.IF_LATER;
        }
        if (lt) {
            return xx ? Expiry.Condition.IF_SOONER : Expiry.Condition.IF_SOONER_OR_NONE;
        }
        return xx ? Expiry.Condition.IF_ANY : Expiry.Condition.ALWAYS;
    }
}
