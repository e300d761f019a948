package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Condition;
import dev.kv.router.Expiry;
import dev.kv.router.Held;
import dev.kv.router.LongDouble;
import dev.kv.router.Reply;
import dev.kv.server.resp.RespCommand.Handler;
import java.math.BigDecimal;
import java.util.List;
import java.util.Optional;

/** The commands on values, which are strings of Redis. */
final class ValueCommands {
    private static final String NUMBER = "write denyoom fast";

    private ValueCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                row(
                        "set key<RW,access,update,variable_flags> value [condition:(NX | XX | IFEQ comparison-value)] [GET]"
                                + " [expiration:(" + TimeForm.SYNTAX + " | KEEPTTL)]",
                        "write denyoom",
                        "Sets a value",
                        (request, session) -> set(request)),
                row(
                        "get key<RO,access>",
                        "readonly fast",
                        "Reads a value",
                        (request, session) -> new Question.One(new Command.GetValue(request.at(1)), Answers::value)),
                row(
                        "getex key<RW,access,update> [expiration:(" + TimeForm.SYNTAX + " | PERSIST)]",
                        "write fast",
                        "Reads a value and sets when it expires",
                        (request, session) -> getAndExpire(request)),
                row(
                        "getdel key<RW,access,delete>",
                        "write fast",
                        "Reads a value and deletes it",
                        (request, session) -> new Question.One(new Command.TakeValue(request.at(1)), Answers::value)),
                row(
                        "getset key<RW,access,update> value",
                        "write denyoom fast",
                        "Sets a value and returns the one before",
                        (request, session) -> new Question.One(
                                new Command.SetValue(request.at(1), request.at(2), Condition.ALWAYS, true),
                                Answers::value)),
                row(
                        "setnx key<OW,insert> value",
                        "write denyoom fast",
                        "Sets a value if the key does not exist",
                        (request, session) -> new Question.One(
                                new Command.SetValue(request.at(1), request.at(2), Condition.ABSENT, false),
                                (out, reply) -> out.number(reply instanceof Reply.Ok ? 1 : 0))),
                row(
                        "setex key<OW,update> seconds:integer value",
                        "write denyoom",
                        "Sets a value and its time to live in seconds",
                        (request, session) -> setUntil(request, TimeForm.EX, "setex")),
                row(
                        "psetex key<OW,update> milliseconds:integer value",
                        "write denyoom",
                        "Sets a value and its time to live in milliseconds",
                        (request, session) -> setUntil(request, TimeForm.PX, "psetex")),
                row(
                        "mget key<RO,access> ...",
                        "readonly fast ~request_policy:multi_shard",
                        "Reads values",
                        ValueCommands::getEach),
                row(
                        "mset key_value:(key<OW,update> value) ...",
                        "write denyoom ~request_policy:multi_shard ~response_policy:all_succeeded",
                        "Sets values",
                        (request, session) -> setEach(request)),
                row(
                        "msetnx key_value:(key<OW,insert> value) ...",
                        "write denyoom no_multi ~request_policy:multi_shard ~response_policy:agg_min",
                        "Sets values if none of the keys exists",
                        (request, session) -> new Question.One(
                                new Command.SetAbsentValues(pairs(request, "msetnx")), Answers::number)),
                row("incr key<RW,access,update>", NUMBER, "Adds 1", (request, session) -> add(request, 1)),
                row("decr key<RW,access,update>", NUMBER, "Subtracts 1", (request, session) -> add(request, -1)),
                row(
                        "incrby key<RW,access,update> increment:integer",
                        NUMBER,
                        "Adds to an integer",
                        (request, session) -> add(request, request.whole(2))),
                row(
                        "decrby key<RW,access,update> decrement:integer",
                        NUMBER,
                        "Subtracts from an integer",
                        (request, session) -> subtract(request)),
                row(
                        "incrbyfloat key<RW,access,update> increment:double",
                        NUMBER,
                        "Adds to a decimal number",
                        (request, session) -> addDecimal(request)),
                row(
                        "append key<RW,insert> value",
                        NUMBER,
                        "Appends to a value",
                        (request, session) -> new Question.One(
                                new Command.WriteRange(request.at(1), Command.WriteRange.END, request.at(2)),
                                Answers::number)),
                row(
                        "strlen key<RO>",
                        "readonly fast",
                        "Shows the length of a value",
                        (request, session) ->
                                new Question.One(new Command.MeasureValue(request.at(1)), Answers::number)),
                row(
                        "getrange key<RO,access> start:integer end:integer",
                        "readonly",
                        "Reads a part of a value",
                        (request, session) -> range(request)),
                row(
                        "substr key<RO,access> start:integer end:integer",
                        "readonly",
                        "Reads a part of a value",
                        (request, session) -> range(request)),
                row(
                        "setrange key<RW,update> offset:integer value",
                        "write denyoom",
                        "Writes over a part of a value",
                        (request, session) -> write(request)),
                row(
                        "delex key<RW,access,delete> [IFEQ comparison-value]",
                        "write fast",
                        "Deletes a key if it has this value",
                        (request, session) -> dropIf(request)),
                row(
                        "delifeq key<RW,access,delete> value",
                        "write fast",
                        "Deletes a key if it has this value",
                        (request, session) -> dropEqual(request.at(1), request.at(2))));
    }

    private static RespCommand row(String syntax, String traits, String summary, Handler handler) {
        return RespCommand.of("string", syntax, traits, summary, handler);
    }

    private static Question set(RespRequest request) {
        SetOptions options = SetOptions.of(request);
        Command.SetValue set =
                new Command.SetValue(request.at(1), request.at(2), options.condition(), options.returnsOld());
        return new Question.One(
                options.expiry()
                        .<Command>map(expiry -> new Command.SetValueUntil(set, expiry))
                        .orElse(set),
                ValueCommands::stored);
    }

    private static Question setUntil(RespRequest request, TimeForm form, String name) {
        return new Question.One(
                new Command.SetValueUntil(
                        new Command.SetValue(request.at(1), request.at(3), Condition.ALWAYS, false),
                        form.ofValue(request.at(2), name)),
                ValueCommands::stored);
    }

    /** As in Redis, the time is looked at only if the key holds a value. */
    private static Question getAndExpire(RespRequest request) {
        ExpiryOption option = new ExpiryOption("persist", Expiry.NONE);
        for (int i = 2; i < request.count(); ) {
            int taken = option.take(
                    request.at(i), i + 1 < request.count() ? Optional.of(request.at(i + 1)) : Optional.empty());
            if (taken == 0) {
                throw RespError.syntax();
            }
            i += taken;
        }
        Bytes name = request.at(1);
        try {
            return new Question.One(
                    option.expiry("getex")
                            .<Command>map(expiry -> new Command.GetValueAndExpire(name, expiry))
                            .orElseGet(() -> new Command.GetValue(name)),
                    Answers::value);
        } catch (RespError e) {
            return new Question.One(new Command.MeasureValue(name), (out, reply) -> {
                if (reply instanceof Reply.Absent) {
                    out.nil();
                } else {
                    out.error(e.getMessage());
                }
            });
        }
    }

    /** The reply of {@code SET}: nil if the condition did not hold, or the value before. */
    private static void stored(RespWriter out, Reply reply) {
        if (reply instanceof Reply.Ok) {
            out.ok();
        } else {
            Answers.value(out, reply);
        }
    }

    private static Question getEach(RespRequest request, RespSession session) {
        List<Bytes> names = List.copyOf(request.from(1));
        long maxBytes = session.door().node().limits().replyMaxBytes();
        return new Question.Each(
                new LazyCommands(names.size(), i -> new Command.GetValue(names.get(i))),
                () -> new EachAnswer.Values(names.size(), maxBytes),
                Answers::each);
    }

    private static Question setEach(RespRequest request) {
        List<Bytes> pairs = List.copyOf(pairs(request, "mset"));
        return new Question.Each(
                new LazyCommands(
                        pairs.size() / 2,
                        i -> new Command.SetValue(pairs.get(2 * i), pairs.get(2 * i + 1), Condition.ALWAYS, false)),
                () -> new EachAnswer.Count(Reply.Ok.class::isInstance),
                (out, reply) -> out.ok());
    }

    private static List<Bytes> pairs(RespRequest request, String name) {
        if (request.count() % 2 == 0) {
            throw RespError.arity(name);
        }
        return request.from(1);
    }

    private static Question add(RespRequest request, long amount) {
        return new Question.One(new Command.AddToValue(request.at(1), amount), Answers::number);
    }

    private static Question subtract(RespRequest request) {
        long amount = request.whole(2);
        if (amount == Long.MIN_VALUE) {
            throw new RespError("ERR decrement would overflow");
        }
        return add(request, -amount);
    }

    /** As in Redis, the type and the value of the key are checked before the argument. */
    private static Question addDecimal(RespRequest request) {
        Bytes name = request.at(1);
        Optional<BigDecimal> amount = LongDouble.parse(request.at(2));
        if (amount.isPresent()) {
            return new Question.One(new Command.AddDecimalToValue(name, amount.get()), Answers::value);
        }
        boolean isInfinite = LongDouble.isInfinity(request.at(2));
        return new Question.One(new Command.GetValue(name), (out, reply) -> {
            boolean isNumber =
                    reply instanceof Reply.Absent || (reply instanceof Reply.Value(Bytes old) && isNumber(old));
            Held.releaseIn(reply);
            if (isInfinite && isNumber) {
                out.error(new Reply.Failed(Reply.Reason.SUM_NOT_FINITE));
            } else {
                out.error(RespError.notAFloat().getMessage());
            }
        });
    }

    private static boolean isNumber(Bytes text) {
        return LongDouble.isInfinity(text) || LongDouble.parse(text).isPresent();
    }

    private static Question range(RespRequest request) {
        return new Question.One(
                new Command.GetRange(request.at(1), request.whole(2), request.whole(3)), Answers::value);
    }

    private static Question write(RespRequest request) {
        long offset = request.whole(2);
        if (offset < 0) {
            throw new RespError("ERR offset is out of range");
        }
        return new Question.One(new Command.WriteRange(request.at(1), offset, request.at(3)), Answers::number);
    }

    private static Question dropIf(RespRequest request) {
        if (request.count() == 2) {
            return new Question.One(new Command.Drop(request.at(1)), Answers::number);
        }
        if (request.count() != 4) {
            throw RespError.arity("delex");
        }
        if (!Keyword.is(request.at(2), "ifeq")) {
            throw RespError.syntax();
        }
        return dropEqual(request.at(1), request.at(3));
    }

    private static Question dropEqual(Bytes name, Bytes value) {
        return new Question.One(new Command.DropEqual(name, value), Answers::number);
    }
}
