package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Command.KeysCondition;
import dev.kv.router.Expiry;
import dev.kv.router.Reply;
import dev.kv.server.resp.RespCommand.Handler;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.LongUnaryOperator;

/** The commands on the time at which fields of a hash, keys of a bucket, expire, and those that read and delete fields at once. */
final class FieldExpiryCommands {
    private static final String FIELDS = " FIELDS numfields:integer field ...";

    private FieldExpiryCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                expire("hexpire", "seconds:integer", TimeForm.EX, "Sets the time to live of fields in seconds"),
                expire(
                        "hpexpire",
                        "milliseconds:integer",
                        TimeForm.PX,
                        "Sets the time to live of fields in milliseconds"),
                expire(
                        "hexpireat",
                        "unix-time-seconds:unix-time",
                        TimeForm.EXAT,
                        "Sets when fields expire, in seconds since 1970"),
                expire(
                        "hpexpireat",
                        "unix-time-milliseconds:unix-time",
                        TimeForm.PXAT,
                        "Sets when fields expire, in milliseconds since 1970"),
                tell("httl", " ~nondeterministic_output", TimeForm.EX, "Shows the time to live of fields in seconds"),
                tell(
                        "hpttl",
                        " ~nondeterministic_output",
                        TimeForm.PX,
                        "Shows the time to live of fields in milliseconds"),
                tell("hexpiretime", "", TimeForm.EXAT, "Shows when fields expire, in seconds since 1970"),
                tell("hpexpiretime", "", TimeForm.PXAT, "Shows when fields expire, in milliseconds since 1970"),
                row(
                        "hpersist key<RW,update>" + FIELDS,
                        "write fast",
                        "Has fields expire no more",
                        onFields((name, fields) -> new Question.One(
                                new Command.ExpireKeys(name, fields, Expiry.NONE, Expiry.Condition.IF_ANY),
                                (out, reply) -> numbers(out, reply, done -> done == 0 ? -1 : done)))),
                row(
                        "hgetdel key<RW,access,delete>" + FIELDS,
                        "write fast",
                        "Reads fields and deletes them",
                        onFields((name, fields) -> new Question.One(new Command.TakeAll(name, fields), Answers::each))),
                row(
                        "hgetex key<RW,access,update> [expiration:(" + TimeForm.SYNTAX + " | PERSIST)]" + FIELDS,
                        "write fast",
                        "Reads fields and sets when they expire",
                        (request, session) -> getAndExpire(request)),
                row(
                        "hsetex key<RW,update> [condition:(FNX | FXX)] [expiration:(" + TimeForm.SYNTAX + " | KEEPTTL)]"
                                + " FIELDS numfields:integer field_value:(field value) ...",
                        "write denyoom fast",
                        "Sets fields and when they expire",
                        (request, session) -> setUntil(request)));
    }

    private static RespCommand row(String syntax, String traits, String summary, Handler handler) {
        return RespCommand.of("hash", syntax, traits, summary, handler);
    }

    private static RespCommand expire(String name, String time, TimeForm form, String summary) {
        return row(
                name + " key<RW,update> " + time + " [condition:(NX | XX | GT | LT)]" + FIELDS,
                "write denyoom fast",
                summary,
                afterType(request -> {
                    Expiry expiry = form.ofField(request.at(2), name);
                    Optional<Expiry.Condition> condition = condition(request.at(3));
                    List<Bytes> fields = fields(
                            request, condition.isPresent() ? 4 : 3, "Parameter `numFields` should be greater than 0");
                    return new Question.One(
                            new Command.ExpireKeys(
                                    request.at(1), fields, expiry, condition.orElse(Expiry.Condition.ALWAYS)),
                            (out, reply) -> numbers(out, reply, LongUnaryOperator.identity()));
                }));
    }

    private static Optional<Expiry.Condition> condition(Bytes word) {
        if (Keyword.is(word, "nx")) {
            return Optional.of(Expiry.Condition.IF_NONE);
        }
        if (Keyword.is(word, "xx")) {
            return Optional.of(Expiry.Condition.IF_ANY);
        }
        if (Keyword.is(word, "gt")) {
            return Optional.of(Expiry.Condition.IF_LATER);
        }
        return Keyword.is(word, "lt") ? Optional.of(Expiry.Condition.IF_SOONER_OR_NONE) : Optional.empty();
    }

    private static RespCommand tell(String name, String tips, TimeForm form, String summary) {
        return row(
                name + " key<RO,access>" + FIELDS,
                "readonly fast" + tips,
                summary,
                onFields((bucket, fields) -> new Question.One(
                        new Command.ExpiriesOfKeys(bucket, fields),
                        (out, reply) -> numbers(out, reply, expiry -> expiry < 0 ? expiry : form.ofField(expiry)))));
    }

    /** A command whose fields stand behind its key. */
    private static Handler onFields(BiFunction<Bytes, List<Bytes>, Question> question) {
        return afterType(request ->
                question.apply(request.at(1), fields(request, 2, "Number of fields must be a positive integer")));
    }

    private interface Arguments {
        Question read(RespRequest request);
    }

    /** As in Redis, the type of the key is checked before the arguments. */
    private static Handler afterType(Arguments arguments) {
        return (request, session) -> {
            try {
                return arguments.read(request);
            } catch (RespError e) {
                return new Question.One(new Command.Size(request.at(1)), (out, reply) -> out.error(e.getMessage()));
            }
        };
    }

    /**
     * The fields behind {@code FIELDS} and their number.
     *
     * @param at where {@code FIELDS} stands
     * @param wrongNumber the error if the number is none
     */
    private static List<Bytes> fields(RespRequest request, int at, String wrongNumber) {
        if (!Keyword.is(request.at(at), "fields")) {
            throw new RespError("ERR Mandatory argument FIELDS is missing or not at the right position");
        }
        long number = at + 1 < request.count() ? positive(request.at(at + 1)) : 0;
        if (number == 0) {
            throw new RespError("ERR " + wrongNumber);
        }
        if (number != request.count() - at - 2) {
            throw new RespError("ERR The `numfields` parameter must match the number of arguments");
        }
        return request.from(at + 2);
    }

    /** The number, or 0 if it is none above that. */
    private static long positive(Bytes text) {
        return Math.max(0, text.wholeNumber().orElse(0L));
    }

    private static void numbers(RespWriter out, Reply reply, LongUnaryOperator shown) {
        List<Reply> replies = ((Reply.Many) reply).replies();
        out.array(replies.size());
        for (Reply one : replies) {
            out.number(shown.applyAsLong(((Reply.Amount) one).value()));
        }
    }

    private static Question getAndExpire(RespRequest request) {
        Options options = Options.of(request, 1, "persist", Expiry.NONE);
        Command command = options.expiry
                .<Command>map(expiry -> new Command.GetAllAndExpire(request.at(1), options.fields, expiry))
                .orElseGet(() -> new Command.GetAll(request.at(1), options.fields));
        return new Question.One(command, Answers::each);
    }

    private static Question setUntil(RespRequest request) {
        Options options = Options.of(request, 2, "keepttl", Expiry.KEPT);
        return new Question.One(
                new Command.SetAllUntil(
                        request.at(1), options.fields, options.condition, options.expiry.orElse(Expiry.NONE)),
                Answers::number);
    }

    /** What stands between the key and {@code FIELDS}, and the fields, of {@code HGETEX} and {@code HSETEX}. */
    private static final class Options {
        private Optional<Expiry> expiry = Optional.empty();
        private KeysCondition condition = KeysCondition.ALWAYS;
        private List<Bytes> fields = List.of();

        /**
         * @param step 2 if a value stands behind each field; then there can be a condition
         * @param plainWord the option without a time, in lower case
         * @param plain what that one says
         */
        static Options of(RespRequest request, int step, String plainWord, Expiry plain) {
            Options options = new Options();
            String command = step == 1 ? "hgetex" : "hsetex";
            for (int i = 2; i < request.count(); i++) {
                Bytes word = request.at(i);
                Optional<TimeForm> form = TimeForm.of(word);
                if (Keyword.is(word, "fields")) {
                    options.fields = numbered(request, i, step, command);
                    return options;
                }
                if (form.isPresent() || Keyword.is(word, plainWord)) {
                    if (options.expiry.isPresent()) {
                        throw new RespError("ERR Only one of EX, PX, EXAT, PXAT or "
                                + plainWord.toUpperCase(Locale.ROOT) + " arguments can be specified");
                    }
                    if (form.isPresent() && ++i == request.count()) {
                        throw new RespError("ERR missing expire time");
                    }
                    int at = i;
                    options.expiry = form.map(time -> time.ofField(request.at(at), command))
                            .or(() -> Optional.of(plain));
                } else if (step == 2 && (Keyword.is(word, "fnx") || Keyword.is(word, "fxx"))) {
                    if (options.condition != KeysCondition.ALWAYS) {
                        throw new RespError("ERR Only one of FXX or FNX arguments can be specified");
                    }
                    options.condition = Keyword.is(word, "fnx") ? KeysCondition.ALL_ABSENT : KeysCondition.ALL_PRESENT;
                } else {
                    throw new RespError("ERR unknown argument: " + RespError.shown(word));
                }
            }
            throw RespError.arity(command);
        }

        private static List<Bytes> numbered(RespRequest request, int at, int step, String command) {
            if (at + 2 >= request.count()) {
                throw RespError.arity(command);
            }
            long number = positive(request.at(at + 1));
            if (number == 0 || number > Integer.MAX_VALUE) {
                throw new RespError("ERR invalid number of fields");
            }
            if (step * number != request.count() - at - 2) {
                throw RespError.arity(command);
            }
            return request.from(at + 2);
        }
    }
}
