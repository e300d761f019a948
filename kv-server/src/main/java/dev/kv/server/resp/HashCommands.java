package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Part;
import dev.kv.router.LongDouble;
import dev.kv.router.Reply;
import dev.kv.server.resp.RespCommand.Handler;
import java.math.BigDecimal;
import java.util.List;

/** The commands on the fields of a hash: the keys of one bucket. */
final class HashCommands {
    private HashCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                row(
                        "hset key<RW,update> field_value:(field value) ...",
                        "write denyoom fast",
                        "Sets fields",
                        (request, session) -> new Question.One(set(request, "hset"), Answers::number)),
                row(
                        "hsetnx key<RW,insert> field value",
                        "write denyoom fast",
                        "Sets a field that does not exist",
                        (request, session) -> new Question.One(
                                new Command.SetAll(request.at(1), List.of(request.at(2), request.at(3)), true),
                                Answers::number)),
                row(
                        "hmset key<RW,update> field_value:(field value) ...",
                        "write denyoom fast",
                        "Sets fields",
                        (request, session) -> new Question.One(set(request, "hmset"), (out, reply) -> out.ok())),
                row(
                        "hdel key<RW,delete> field ...",
                        "write fast",
                        "Deletes fields",
                        (request, session) -> new Question.One(
                                new Command.DeleteAll(request.at(1), request.from(2)), Answers::number)),
                row(
                        "hincrby key<RW,access,update> field increment:integer",
                        "write denyoom fast",
                        "Adds to an integer",
                        (request, session) -> new Question.One(
                                new Command.Add(request.at(1), request.at(2), request.whole(3)), Answers::number)),
                row(
                        "hincrbyfloat key<RW,access,update> field increment:double",
                        "write denyoom fast",
                        "Adds to a decimal number",
                        (request, session) -> new Question.One(
                                new Command.AddDecimal(request.at(1), request.at(2), decimal(request.at(3))),
                                Answers::value)),
                row(
                        "hget key<RO,access> field",
                        "readonly fast",
                        "Reads a field",
                        (request, session) ->
                                new Question.One(new Command.Get(request.at(1), request.at(2)), Answers::value)),
                row(
                        "hmget key<RO,access> field ...",
                        "readonly fast +2",
                        "Reads fields",
                        (request, session) ->
                                new Question.One(new Command.GetAll(request.at(1), request.from(2)), Answers::each)),
                row(
                        "hgetall key<RO,access>",
                        "readonly ~nondeterministic_output_order",
                        "Reads all fields and values",
                        (request, session) ->
                                new Question.One(new Command.Content(request.at(1), Part.PAIRS), Answers::map)),
                row(
                        "hkeys key<RO,access>",
                        "readonly ~nondeterministic_output_order",
                        "Reads all fields",
                        (request, session) ->
                                new Question.One(new Command.Content(request.at(1), Part.KEYS), Answers::values)),
                row(
                        "hvals key<RO,access>",
                        "readonly ~nondeterministic_output_order",
                        "Reads all values",
                        (request, session) ->
                                new Question.One(new Command.Content(request.at(1), Part.VALUES), Answers::values)),
                row(
                        "hexists key<RO> field",
                        "readonly fast",
                        "Shows whether a field exists",
                        (request, session) -> new Question.One(
                                new Command.Measure(request.at(1), request.at(2)),
                                (out, reply) -> out.number(reply instanceof Reply.Amount ? 1 : 0))),
                row(
                        "hstrlen key<RO> field",
                        "readonly fast",
                        "Shows the length of a value",
                        (request, session) ->
                                new Question.One(new Command.Measure(request.at(1), request.at(2)), Answers::number)),
                row(
                        "hlen key<RO>",
                        "readonly fast",
                        "Counts the fields",
                        (request, session) -> new Question.One(new Command.Size(request.at(1)), Answers::number)),
                row(
                        "hrandfield key<RO,access> [options:(count:integer [WITHVALUES])]",
                        "readonly ~nondeterministic_output",
                        "Returns random fields",
                        (request, session) -> sample(request)),
                row(
                        "hscan key<RO,access> cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [NOVALUES]",
                        "readonly ~nondeterministic_output",
                        "Iterates over fields and values",
                        (request, session) -> scan(request)));
    }

    private static RespCommand row(String syntax, String traits, String summary, Handler handler) {
        return RespCommand.of("hash", syntax, traits, summary, handler);
    }

    private static Command set(RespRequest request, String name) {
        if (request.count() % 2 != 0) {
            throw RespError.arity(name);
        }
        return new Command.SetAll(request.at(1), request.from(2), false);
    }

    private static BigDecimal decimal(Bytes text) {
        if (LongDouble.isInfinity(text)) {
            throw new RespError("ERR value is NaN or Infinity");
        }
        return LongDouble.parse(text).orElseThrow(RespError::notAFloat);
    }

    private static Question sample(RespRequest request) {
        if (request.count() == 2) {
            return new Question.One(new Command.Sample(request.at(1), 1, Part.KEYS), Answers::first);
        }
        long count = request.whole(2);
        boolean withValues = request.count() > 3;
        if (request.count() > 4 || (withValues && !Keyword.is(request.at(3), "withvalues"))) {
            throw RespError.syntax();
        }
        if (count == Long.MIN_VALUE || (withValues && Math.abs(count) > Long.MAX_VALUE / 2)) {
            throw new RespError("ERR value is out of range");
        }
        return new Question.One(
                new Command.Sample(request.at(1), count, withValues ? Part.PAIRS : Part.KEYS),
                withValues ? Answers::pairs : Answers::values);
    }

    /** As in Redis, the cursor is checked first, and the options only if the hash exists. */
    private static Question scan(RespRequest request) {
        long cursor = ScanOptions.cursor(request.at(2));
        ScanOptions options;
        try {
            options = ScanOptions.ofHash(request);
        } catch (RespError e) {
            return new Question.One(new Command.Size(request.at(1)), (out, reply) -> {
                if (reply instanceof Reply.Amount(long keys) && keys > 0) {
                    out.error(e.getMessage());
                } else {
                    out.array(2).bulk("0").array(0);
                }
            });
        }
        return new Question.One(
                new Command.Scan(request.at(1), cursor, options.match(), options.count(), options.part()),
                Answers::page);
    }
}
