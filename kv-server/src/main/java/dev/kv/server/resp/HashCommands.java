package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Part;
import dev.kv.router.LongDouble;
import dev.kv.router.Reply;
import dev.kv.server.resp.RespCommand.Handler;
import dev.kv.server.resp.RespCommand.Keys;
import java.math.BigDecimal;
import java.util.List;

/** The commands on the fields of a hash: the keys of one bucket. */
final class HashCommands {
    private HashCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                write(
                        "hset",
                        -4,
                        true,
                        "Sets fields",
                        (request, session) -> new Question.One(set(request, "hset"), Answers::number)),
                write(
                        "hsetnx",
                        4,
                        true,
                        "Sets a field that does not exist",
                        (request, session) -> new Question.One(
                                new Command.SetAll(request.at(1), List.of(request.at(2), request.at(3)), true),
                                Answers::number)),
                write(
                        "hmset",
                        -4,
                        true,
                        "Sets fields",
                        (request, session) -> new Question.One(set(request, "hmset"), (out, reply) -> out.ok())),
                write(
                        "hdel",
                        -3,
                        true,
                        "Deletes fields",
                        (request, session) -> new Question.One(
                                new Command.DeleteAll(request.at(1), request.from(2)), Answers::number)),
                write(
                        "hincrby",
                        4,
                        true,
                        "Adds to an integer",
                        (request, session) -> new Question.One(
                                new Command.Add(request.at(1), request.at(2), whole(request.at(3))), Answers::number)),
                write(
                        "hincrbyfloat",
                        4,
                        true,
                        "Adds to a decimal number",
                        (request, session) -> new Question.One(
                                new Command.AddDecimal(request.at(1), request.at(2), decimal(request.at(3))),
                                Answers::value)),
                read(
                        "hget",
                        3,
                        true,
                        "Reads a field",
                        (request, session) ->
                                new Question.One(new Command.Get(request.at(1), request.at(2)), Answers::value)),
                read(
                        "hmget",
                        -3,
                        true,
                        "Reads fields",
                        (request, session) ->
                                new Question.One(new Command.GetAll(request.at(1), request.from(2)), Answers::each)),
                read(
                        "hgetall",
                        2,
                        false,
                        "Reads all fields and values",
                        (request, session) ->
                                new Question.One(new Command.Content(request.at(1), Part.PAIRS), Answers::map)),
                read(
                        "hkeys",
                        2,
                        false,
                        "Reads all fields",
                        (request, session) ->
                                new Question.One(new Command.Content(request.at(1), Part.KEYS), Answers::values)),
                read(
                        "hvals",
                        2,
                        false,
                        "Reads all values",
                        (request, session) ->
                                new Question.One(new Command.Content(request.at(1), Part.VALUES), Answers::values)),
                read(
                        "hexists",
                        3,
                        true,
                        "Shows whether a field exists",
                        (request, session) -> new Question.One(
                                new Command.Measure(request.at(1), request.at(2)),
                                (out, reply) -> out.number(reply instanceof Reply.Amount ? 1 : 0))),
                read(
                        "hstrlen",
                        3,
                        true,
                        "Shows the length of a value",
                        (request, session) ->
                                new Question.One(new Command.Measure(request.at(1), request.at(2)), Answers::number)),
                read(
                        "hlen",
                        2,
                        true,
                        "Counts the fields",
                        (request, session) -> new Question.One(new Command.Size(request.at(1)), Answers::number)),
                read("hrandfield", -2, false, "Returns random fields", (request, session) -> sample(request)),
                read("hscan", -3, false, "Iterates over fields and values", (request, session) -> scan(request)));
    }

    private static RespCommand write(String name, int arity, boolean fast, String summary, Handler handler) {
        List<String> flags = fast ? List.of("write", "denyoom", "fast") : List.of("write", "denyoom");
        return new RespCommand(name, arity, flags, Keys.FIRST, "hash", summary, handler);
    }

    private static RespCommand read(String name, int arity, boolean fast, String summary, Handler handler) {
        List<String> flags = fast ? List.of("readonly", "fast") : List.of("readonly");
        return new RespCommand(name, arity, flags, Keys.FIRST, "hash", summary, handler);
    }

    private static Command set(RespRequest request, String name) {
        if (request.count() % 2 != 0) {
            throw RespError.arity(name);
        }
        return new Command.SetAll(request.at(1), request.from(2), false);
    }

    private static long whole(Bytes text) {
        return text.wholeNumber().orElseThrow(RespError::notAnInteger);
    }

    private static BigDecimal decimal(Bytes text) {
        if (LongDouble.isInfinity(text)) {
            throw new RespError("ERR value is NaN or Infinity");
        }
        return LongDouble.parse(text).orElseThrow(() -> new RespError("ERR value is not a valid float"));
    }

    private static Question sample(RespRequest request) {
        if (request.count() == 2) {
            return new Question.One(new Command.Sample(request.at(1), 1, Part.KEYS), Answers::first);
        }
        long count = whole(request.at(2));
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

    private static Question scan(RespRequest request) {
        ScanOptions options = ScanOptions.ofHash(request);
        return new Question.One(
                new Command.Scan(request.at(1), options.cursor(), options.match(), options.count(), options.part()),
                Answers::page);
    }
}
