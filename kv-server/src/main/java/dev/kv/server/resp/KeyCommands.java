package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Kind;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Hop;
import dev.kv.router.Store;
import dev.kv.router.table.TableInForce;
import dev.kv.server.resp.RespCommand.Handler;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;

/** The commands on names of both kinds, which are keys of Redis. */
final class KeyCommands {
    private static final Bytes ANYTHING = Bytes.of("*");

    /** RANDOMKEY draws from this many names behind a random position. */
    private static final int DRAWN_FROM = 64;

    private static final long POSITIONS = 1L << 32;

    private KeyCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                row(
                        "del key<RM,delete> ...",
                        "write ~request_policy:multi_shard ~response_policy:agg_sum",
                        "Deletes keys",
                        each(Command.Drop::new)),
                row(
                        "unlink key<RM,delete> ...",
                        "write fast ~request_policy:multi_shard ~response_policy:agg_sum",
                        "Deletes keys",
                        each(Command.Drop::new)),
                row(
                        "rename key<RW,access,delete> newkey<OW,update>",
                        "write",
                        "Renames a key",
                        (request, session) -> new Question.One(
                                new Command.Rename(request.at(1), request.at(2)), KeyCommands::renamed)),
                row(
                        "renamenx key<RW,access,delete> newkey<OW,insert>",
                        "write fast",
                        "Renames a key if the new name does not exist",
                        (request, session) -> new Question.One(
                                new Command.RenameAbsent(request.at(1), request.at(2)), (out, reply) -> {
                                    if (reply instanceof Reply.NotFound) {
                                        out.error("ERR no such key");
                                    } else {
                                        Answers.number(out, reply);
                                    }
                                })),
                row(
                        "copy source<RO,access> destination<OW,update> [DB destination-db:integer] [REPLACE]",
                        "write denyoom",
                        "Copies a key",
                        (request, session) -> copy(request)),
                row(
                        "exists key<RO> ...",
                        "readonly fast ~request_policy:multi_shard ~response_policy:agg_sum",
                        "Counts the keys that exist",
                        each(Command.KindOf::new)),
                row(
                        "touch key<RO> ...",
                        "readonly fast ~request_policy:multi_shard ~response_policy:agg_sum",
                        "Counts the keys that exist",
                        each(Command.KindOf::new)),
                row(
                        "type key<RO>",
                        "readonly fast",
                        "Shows the type of a key: hash or string",
                        (request, session) -> new Question.One(
                                new Command.KindOf(request.at(1)),
                                (out, reply) ->
                                        out.simple(reply instanceof Reply.OfKind(Kind kind) ? typeOf(kind) : "none"))),
                row(
                        "dbsize",
                        "readonly fast ~request_policy:all_shards ~response_policy:agg_sum",
                        "Counts all keys",
                        (request, session) -> new Question.One(new Command.Count(NameSpace.ALL), Answers::number)),
                row(
                        "scan cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type]",
                        "readonly ~nondeterministic_output ~request_policy:special",
                        "Iterates over the names of keys",
                        (request, session) -> scan(ScanOptions.ofBuckets(request))),
                row(
                        "keys pattern:pattern",
                        "readonly @dangerous ~request_policy:all_shards ~nondeterministic_output_order",
                        "Lists the names of keys that match a pattern",
                        (request, session) -> new Question.One(
                                new Command.Names(NameSpace.ALL, 0, request.at(1), Long.MAX_VALUE),
                                KeyCommands::allNames)),
                row(
                        "randomkey",
                        "readonly ~request_policy:all_shards ~nondeterministic_output",
                        "Returns the name of a random key",
                        (request, session) -> new Question.Steps(KeyCommands::draw, KeyCommands::drawn)),
                RespCommand.container("generic", "object", "", "Shows how a key is stored", ObjectCommands.rows()),
                row(
                        "kv.route key<RO>",
                        "readonly",
                        "Shows the nodes that a request for a key passes",
                        (request, session) -> new Question.One(new Command.Route(request.at(1)), KeyCommands::way)));
    }

    private static RespCommand row(String syntax, String traits, String summary, Handler handler) {
        return RespCommand.of("generic", syntax, traits, summary, handler);
    }

    /** A command on each name; the answer is the number of names that hold, or held, something. */
    private static Handler each(Function<Bytes, Command> command) {
        return (request, session) -> {
            List<Bytes> names = List.copyOf(request.from(1));
            return new Question.Each(
                    new LazyCommands(names.size(), i -> command.apply(names.get(i))),
                    () -> new EachAnswer.Count(KeyCommands::isThere),
                    Answers::number);
        };
    }

    private static boolean isThere(Reply reply) {
        return reply instanceof Reply.OfKind || (reply instanceof Reply.Amount(long dropped) && dropped > 0);
    }

    private static String typeOf(Kind kind) {
        return switch (kind) {
            case BUCKET -> "hash";
            case VALUE -> "string";
        };
    }

    private static void renamed(RespWriter out, Reply reply) {
        if (reply instanceof Reply.NotFound) {
            out.error("ERR no such key");
        } else {
            out.ok();
        }
    }

    private static Question copy(RespRequest request) {
        boolean replaces = false;
        for (int i = 3; i < request.count(); i++) {
            if (Keyword.is(request.at(i), "replace")) {
                replaces = true;
            } else if (Keyword.is(request.at(i), "db") && i + 1 < request.count()) {
                if (request.whole(++i) != 0) {
                    throw new RespError("ERR DB index is out of range");
                }
            } else {
                throw RespError.syntax();
            }
        }
        if (request.at(1).equals(request.at(2))) {
            throw new RespError("ERR source and destination objects are the same");
        }
        return new Question.One(new Command.Copy(request.at(1), request.at(2), replaces), Answers::number);
    }

    private static Question scan(ScanOptions options) {
        ScanCursor cursor = ScanCursor.of(options.cursor());
        Command.Names all = new Command.Names(NameSpace.ALL, cursor.position(), options.match(), options.count());
        Optional<Kind> kind = options.type().flatMap(KeyCommands::kindOf);
        // No name is of another type of Redis; the scan goes through all of them as in Redis.
        boolean none = options.type().isPresent() && kind.isEmpty();
        Command command = kind.isPresent() ? new Command.NamesOfKind(all, kind.get()) : all;
        return new Question.One(command, (out, reply) -> {
            Reply.Names page = (Reply.Names) reply;
            if (!cursor.fits(page.owners())) {
                out.error("ERR table changed, start the scan again");
                return;
            }
            out.array(2).bulk(Long.toString(ScanCursor.next(page)));
            out.bulks(none ? List.of() : names(page));
        });
    }

    private static Optional<Kind> kindOf(Bytes type) {
        return Arrays.stream(Kind.values())
                .filter(kind -> Keyword.is(type, typeOf(kind)))
                .findFirst();
    }

    private static List<Bytes> names(Reply.Names page) {
        return page.names().stream().map(Reply.Name::bucket).toList();
    }

    private static void allNames(RespWriter out, Reply reply) {
        Reply.Names page = (Reply.Names) reply;
        if (page.next() != 0) {
            out.error(new Reply.Failed(Reply.Reason.NAMES_TOO_LARGE));
        } else {
            out.bulks(names(page));
        }
    }

    /** Sends both commands before it returns, so that later requests of the client run after them. */
    private static CompletionStage<Reply> draw(Store store) {
        CompletionStage<Reply> some =
                firstFrom(store, ThreadLocalRandom.current().nextLong(POSITIONS), DRAWN_FROM);
        return some.thenCombine(firstFrom(store, 0, DRAWN_FROM), (one, other) -> isEmpty(one) ? other : one);
    }

    /**
     * The first page behind the position that is not empty, if there is one: empty buckets are not on a page. Each page is twice as
     * large as the one before, which keeps their number low.
     */
    private static CompletionStage<Reply> firstFrom(Store store, long position, long count) {
        return store.run(new Command.Names(NameSpace.ALL, position, ANYTHING, count))
                .thenCompose(reply -> isEmpty(reply) && ((Reply.Names) reply).next() != 0
                        ? firstFrom(store, ((Reply.Names) reply).next(), 2 * count)
                        : CompletableFuture.completedFuture(reply));
    }

    private static boolean isEmpty(Reply reply) {
        return reply instanceof Reply.Names page && page.names().isEmpty();
    }

    private static void drawn(RespWriter out, Reply reply) {
        List<Bytes> names = names((Reply.Names) reply);
        if (names.isEmpty()) {
            out.nil();
        } else {
            out.bulk(names.get(ThreadLocalRandom.current().nextInt(names.size())));
        }
    }

    private static void way(RespWriter out, Reply reply) {
        Reply.Way way = (Reply.Way) reply;
        out.array(way.hops().size() + (way.failure().isPresent() ? 1 : 0));
        for (Hop hop : way.hops()) {
            out.map(5);
            out.bulk("node").bulk(hop.node());
            out.bulk("table").bulk(TableInForce.versionText(hop.table()));
            out.bulk("entry").bulk(hop.entry());
            out.bulk("line").number(hop.line());
            out.bulk("column").number(hop.column());
        }
        way.failure().ifPresent(failure -> out.error(failure));
    }
}
