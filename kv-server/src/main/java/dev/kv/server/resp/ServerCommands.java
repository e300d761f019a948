package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Glob;
import dev.kv.router.Reply;
import dev.kv.server.resp.RespCommand.Handler;
import dev.kv.server.resp.RespCommand.Keys;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** The commands on the node, and on the table of commands. */
final class ServerCommands {
    /** The version of Redis whose commands on hashes are implemented. */
    static final String REDIS_VERSION = "7.4.0";

    private static final String SINCE = "1.0.0";

    private static final Subcommands LATENCY = new Subcommands(
            "latency",
            Map.of(
                    "latest", always(2, out -> out.array(0)),
                    "history", always(3, out -> out.array(0)),
                    "reset", always(-2, out -> out.number(0))));

    private static final Subcommands SLOWLOG = new Subcommands(
            "slowlog",
            Map.of(
                    "get", always(-2, out -> out.array(0)),
                    "len", always(2, out -> out.number(0)),
                    "reset", always(2, RespWriter::ok)));

    private static final Subcommands CONFIG =
            new Subcommands("config", Map.of("get", new Subcommands.Row(-3, ServerCommands::configGet)));

    private static final Subcommands COMMAND = new Subcommands(
            "command",
            Map.of(
                    "count", always(2, out -> out.number(RespCommand.table().size())),
                    "list",
                            always(2, out -> {
                                out.array(RespCommand.table().size());
                                RespCommand.table().forEach(row -> out.bulk(row.name()));
                            }),
                    "docs", new Subcommands.Row(-2, ServerCommands::docs),
                    "info", new Subcommands.Row(-2, ServerCommands::commandInfo),
                    "getkeys", new Subcommands.Row(-3, ServerCommands::getKeys)));

    private ServerCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                row("command", -1, "Describes the commands", ServerCommands::command),
                row("config", -2, "Reads settings that clients of Redis ask for", CONFIG),
                row("info", -1, "Describes this node", ServerCommands::info),
                row(
                        "time",
                        1,
                        "Returns the time of this node",
                        (request, session) -> here(out -> {
                            Instant now = Instant.now();
                            out.array(2)
                                    .bulk(Long.toString(now.getEpochSecond()))
                                    .bulk(Integer.toString(now.getNano() / 1000));
                        })),
                row("latency", -2, "Is always empty: nothing is recorded", LATENCY),
                row("slowlog", -2, "Is always empty: nothing is recorded", SLOWLOG));
    }

    private static RespCommand row(String name, int arity, String summary, Handler handler) {
        return new RespCommand(name, arity, List.of("loading", "stale"), Keys.NONE, "server", summary, handler);
    }

    private static Question here(Question.Here answer) {
        return answer;
    }

    private static Subcommands.Row always(int arity, Question.Here answer) {
        return new Subcommands.Row(arity, (request, session) -> answer);
    }

    private static Question configGet(RespRequest request, RespSession session) {
        List<Bytes> patterns = List.copyOf(request.from(2));
        int bytes = patterns.stream().mapToInt(Bytes::size).sum();
        return here(out -> {
            Optional<Reply.Failed> excess = session.door().node().limits().excessOfPattern(bytes);
            if (excess.isPresent()) {
                out.error(excess.get());
                return;
            }
            Map<String, String> all = RedisSettings.of(session.door());
            Map<String, String> asked = new LinkedHashMap<>();
            for (Bytes pattern : patterns) {
                Glob names = new Glob(Bytes.of(pattern.text().toLowerCase(Locale.ROOT)));
                all.forEach((key, value) -> {
                    if (names.matches(Bytes.of(key))) {
                        asked.put(key, value);
                    }
                });
            }
            out.map(asked.size());
            asked.forEach((key, value) -> out.bulk(key).bulk(value));
        });
    }

    private static Question info(RespRequest request, RespSession session) {
        List<Bytes> wanted = List.copyOf(request.from(1));
        return here(out -> out.verbatim(new Info(session.door()).text(wanted)));
    }

    private static Question command(RespRequest request, RespSession session) {
        return request.count() == 1 ? here(out -> describe(out, allRows())) : COMMAND.ask(request, session);
    }

    private static List<Optional<RespCommand>> allRows() {
        return RespCommand.table().stream().map(Optional::of).toList();
    }

    private static List<Optional<RespCommand>> rowsOf(List<Bytes> names) {
        return names.isEmpty()
                ? allRows()
                : names.stream().map(RespCommand::find).toList();
    }

    private static Question commandInfo(RespRequest request, RespSession session) {
        List<Optional<RespCommand>> rows = rowsOf(request.from(2));
        return here(out -> describe(out, rows));
    }

    private static void describe(RespWriter out, List<Optional<RespCommand>> rows) {
        out.array(rows.size());
        for (Optional<RespCommand> row : rows) {
            row.ifPresentOrElse(known -> describe(out, known), out::nil);
        }
    }

    private static void describe(RespWriter out, RespCommand row) {
        out.array(10);
        out.bulk(row.name());
        out.number(row.arity());
        out.set(row.flags().size());
        row.flags().forEach(out::simple);
        out.number(row.keys().first());
        out.number(row.keys().last());
        out.number(row.keys().step());
        // No categories of access lists, tips, specifications of keys, or subcommands.
        out.set(0);
        out.array(0);
        out.array(0);
        out.array(0);
    }

    private static Question docs(RespRequest request, RespSession session) {
        List<RespCommand> rows =
                rowsOf(request.from(2)).stream().flatMap(Optional::stream).toList();
        return here(out -> {
            out.map(rows.size());
            for (RespCommand row : rows) {
                out.bulk(row.name());
                out.map(3);
                out.bulk("summary").bulk(row.summary());
                out.bulk("since").bulk(SINCE);
                out.bulk("group").bulk(row.group());
            }
        });
    }

    private static Question getKeys(RespRequest request, RespSession session) {
        RespCommand row =
                RespCommand.find(request.at(2)).orElseThrow(() -> new RespError("ERR Invalid command specified"));
        List<Bytes> words = List.copyOf(request.from(2));
        Keys keys = row.keys();
        if (keys.first() == 0) {
            throw new RespError("ERR The command has no key arguments");
        }
        if (!row.takes(words.size())) {
            throw new RespError("ERR Invalid number of arguments specified for command");
        }
        int last = keys.last() < 0 ? words.size() + keys.last() : keys.last();
        return here(out -> {
            out.array((last - keys.first()) / keys.step() + 1);
            for (int i = keys.first(); i <= last; i += keys.step()) {
                out.bulk(words.get(i));
            }
        });
    }
}
