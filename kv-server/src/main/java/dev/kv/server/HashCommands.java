package dev.kv.server;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.Part;
import dev.kv.router.LongDouble;
import dev.kv.router.Reply;
import dev.kv.server.RespCommand.Handler;
import dev.kv.server.RespCommand.Keys;
import java.math.BigDecimal;
import java.util.List;

/** The commands on the fields of a hash: the keys of one bucket. */
final class HashCommands {
    private static final Bytes ANYTHING = Bytes.of("*");
    private static final long PAGE = 10;

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
                        "Sets a field that is not there yet",
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
                        "Adds to a whole number",
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
                        "Tells whether a field is there",
                        (request, session) -> new Question.One(
                                new Command.Measure(request.at(1), request.at(2)),
                                (out, reply) -> out.number(reply instanceof Reply.Amount ? 1 : 0))),
                read(
                        "hstrlen",
                        3,
                        true,
                        "Tells the length of a value",
                        (request, session) ->
                                new Question.One(new Command.Measure(request.at(1), request.at(2)), Answers::number)),
                read(
                        "hlen",
                        2,
                        true,
                        "Tells the number of fields",
                        (request, session) -> new Question.One(new Command.Size(request.at(1)), Answers::number)),
                read("hrandfield", -2, false, "Reads fields by chance", (request, session) -> sample(request)),
                read("hscan", -3, false, "Reads fields page by page", (request, session) -> scan(request)));
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
        if (request.count() > 4 || (withValues && !Words.are(request.at(3), "withvalues"))) {
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
        ScanOptions options = ScanOptions.of(request, 2);
        return new Question.One(
                new Command.Scan(request.at(1), options.cursor, options.match, options.count, options.part),
                Answers::page);
    }

    /** What stands behind the cursor of a scan. */
    static final class ScanOptions {
        private long cursor;
        private Bytes match = ANYTHING;
        private long count = PAGE;
        private Part part = Part.PAIRS;
        private Bytes type = Bytes.EMPTY;

        /**
         * Reads them.
         *
         * @param at where the cursor stands: in second place those of a hash, in first place those of all buckets
         */
        static ScanOptions of(RespRequest request, int at) {
            ScanOptions options = new ScanOptions();
            options.cursor = request.at(at).wholeNumber().orElse(-1);
            if (options.cursor < 0) {
                throw new RespError("ERR invalid cursor");
            }
            boolean ofHash = at == 2;
            for (int i = at + 1; i < request.count(); i += 2) {
                Bytes word = request.at(i);
                if (ofHash && Words.are(word, "novalues")) {
                    options.part = Part.KEYS;
                    i--;
                } else if (i + 1 == request.count()) {
                    throw RespError.syntax();
                } else if (Words.are(word, "match")) {
                    options.match = request.at(i + 1);
                } else if (Words.are(word, "count")) {
                    options.count = whole(request.at(i + 1));
                } else if (!ofHash && Words.are(word, "type")) {
                    options.type = request.at(i + 1);
                } else {
                    throw RespError.syntax();
                }
                if (options.count < 1) {
                    throw RespError.syntax();
                }
            }
            return options;
        }

        long cursor() {
            return cursor;
        }

        Bytes match() {
            return match;
        }

        long count() {
            return count;
        }

        /** The type that is asked for; empty for any. */
        Bytes type() {
            return type;
        }
    }
}
