package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Glob;
import dev.kv.router.Reply;
import dev.kv.server.resp.RespCommand.Handler;
import dev.kv.server.resp.Syntax.Keys;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/** The subcommands of {@code COMMAND}, which tell what the table of commands says. */
final class CommandCommands {
    /** The release of kv that had these commands first. */
    private static final String SINCE = "1.0.0";

    private CommandCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                row(
                        "count",
                        "",
                        "Counts the commands",
                        (request, session) ->
                                here(out -> out.number(RespCommand.table().size()))),
                row(
                        "list [FILTERBY filterby:(MODULE module-name | ACLCAT category | PATTERN pattern:pattern)]",
                        "~nondeterministic_output_order",
                        "Lists the names of commands",
                        CommandCommands::list),
                row(
                        "docs [command-name] ...",
                        "~nondeterministic_output_order",
                        "Describes commands for people",
                        CommandCommands::docs),
                row(
                        "info [command-name] ...",
                        "~nondeterministic_output_order",
                        "Describes commands for programs",
                        CommandCommands::info),
                row(
                        "getkeys command arg ...",
                        "",
                        "Shows the names of buckets in a request",
                        CommandCommands::getKeys));
    }

    private static RespCommand row(String syntax, String traits, String summary, Handler handler) {
        return RespCommand.of(
                "server",
                "command|" + syntax,
                ("loading stale no_multi @connection " + traits).strip(),
                summary,
                handler);
    }

    private static Question here(Question.Here answer) {
        return answer;
    }

    /** What {@code COMMAND} answers alone. */
    static Question all() {
        return here(out -> describe(out, allRows()));
    }

    private static Question list(RespRequest request, RespSession session) {
        boolean isFiltered = request.count() > 2;
        if (isFiltered && (request.count() != 5 || !Keyword.is(request.at(2), "filterby"))) {
            throw RespError.syntax();
        }
        Predicate<RespCommand> wanted = isFiltered ? filter(request.at(3), request.at(4), session) : row -> true;
        List<RespCommand> rows = RespCommand.all().filter(wanted).toList();
        return here(out -> {
            out.array(rows.size());
            rows.forEach(row -> out.bulk(row.name()));
        });
    }

    private static Predicate<RespCommand> filter(Bytes kind, Bytes argument, RespSession session) {
        if (Keyword.is(kind, "module")) {
            return row -> false;
        }
        if (Keyword.is(kind, "aclcat")) {
            return row -> row.categories().stream().anyMatch(category -> Keyword.is(argument, category.substring(1)));
        }
        if (!Keyword.is(kind, "pattern")) {
            throw RespError.syntax();
        }
        Optional<Reply.Failed> excess = session.door().node().limits().excessOfPattern(argument.size());
        if (excess.isPresent()) {
            throw new RespError(RespError.line(excess.get()));
        }
        Glob names = Keyword.pattern(argument);
        return row -> names.matches(Bytes.of(row.name()));
    }

    private static List<Optional<RespCommand>> allRows() {
        return RespCommand.table().stream().map(Optional::of).toList();
    }

    private static List<Optional<RespCommand>> rowsOf(List<Bytes> names) {
        return names.isEmpty()
                ? allRows()
                : names.stream().map(RespCommand::findWhole).toList();
    }

    private static Question info(RespRequest request, RespSession session) {
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
        List<Keys> keys = row.syntax().keys();
        out.array(10);
        out.bulk(row.name());
        out.number(row.arity());
        out.set(row.flags().size());
        row.flags().forEach(out::simple);
        out.number(keys.isEmpty() ? 0 : keys.getFirst().first());
        out.number(keys.isEmpty() ? 0 : keys.getLast().last());
        out.number(keys.isEmpty() ? 0 : keys.getFirst().step());
        out.set(row.categories().size());
        row.categories().forEach(out::simple);
        out.set(row.tips().size());
        row.tips().forEach(out::bulk);
        out.set(keys.size());
        keys.forEach(one -> describe(out, one));
        out.set(row.subcommands().size());
        row.subcommands().forEach(one -> describe(out, one));
    }

    /** A specification of keys, in which the last position counts from the first one. */
    private static void describe(RespWriter out, Keys keys) {
        out.map(3);
        out.bulk("flags").set(keys.access().size());
        keys.access().forEach(out::simple);
        out.bulk("begin_search").map(2);
        out.bulk("type").bulk("index");
        out.bulk("spec").map(1).bulk("index").number(keys.first());
        out.bulk("find_keys").map(2);
        out.bulk("type").bulk("range");
        out.bulk("spec").map(3);
        out.bulk("lastkey").number(keys.last() < 0 ? keys.last() : keys.last() - keys.first());
        out.bulk("keystep").number(keys.step());
        out.bulk("limit").number(0);
    }

    private static Question docs(RespRequest request, RespSession session) {
        List<RespCommand> rows = rowsOf(request.from(2)).stream()
                .flatMap(Optional::stream)
                .distinct()
                .toList();
        return here(out -> documents(out, rows));
    }

    private static void documents(RespWriter out, List<RespCommand> rows) {
        out.map(rows.size());
        for (RespCommand row : rows) {
            List<Argument> arguments = row.syntax().arguments();
            out.bulk(row.name());
            out.map(3 + (arguments.isEmpty() ? 0 : 1) + (row.subcommands().isEmpty() ? 0 : 1));
            out.bulk("summary").bulk(row.summary());
            out.bulk("since").bulk(SINCE);
            out.bulk("group").bulk(row.group());
            if (!arguments.isEmpty()) {
                out.bulk("arguments");
                arguments(out, arguments, new int[1]);
            }
            if (!row.subcommands().isEmpty()) {
                out.bulk("subcommands");
                documents(out, row.subcommands());
            }
        }
    }

    /**
     * @param keys the number of keys that were written
     */
    private static void arguments(RespWriter out, List<Argument> arguments, int[] keys) {
        out.array(arguments.size());
        for (Argument argument : arguments) {
            List<String> flags = new ArrayList<>();
            if (argument.isOptional()) {
                flags.add("optional");
            }
            if (argument.isMultiple()) {
                flags.add("multiple");
            }
            boolean isKey = argument.type() == Argument.Type.KEY;
            out.map(2
                    + (isKey ? 1 : 0)
                    + (argument.token().isEmpty() ? 0 : 1)
                    + (flags.isEmpty() ? 0 : 1)
                    + (argument.parts().isEmpty() ? 0 : 1));
            out.bulk("name").bulk(argument.name());
            out.bulk("type").bulk(argument.type().text());
            if (isKey) {
                out.bulk("key_spec_index").number(keys[0]++);
            }
            if (!argument.token().isEmpty()) {
                out.bulk("token").bulk(argument.token());
            }
            if (!flags.isEmpty()) {
                out.bulk("flags").set(flags.size());
                flags.forEach(out::simple);
            }
            if (!argument.parts().isEmpty()) {
                out.bulk("arguments");
                arguments(out, argument.parts(), keys);
            }
        }
    }

    private static Question getKeys(RespRequest request, RespSession session) {
        RespCommand row = RespCommand.find(request.at(2))
                .flatMap(command -> command.subcommands().isEmpty() || request.count() == 3
                        ? Optional.of(command)
                        : command.subcommand(request.at(3)))
                .orElseThrow(() -> new RespError("ERR Invalid command specified"));
        List<Bytes> words = List.copyOf(request.from(2));
        if (!row.hasKeys()) {
            throw new RespError("ERR The command has no key arguments");
        }
        if (!row.takes(words.size())) {
            throw new RespError("ERR Invalid number of arguments specified for command");
        }
        List<Bytes> names = new ArrayList<>();
        for (Keys keys : row.syntax().keys()) {
            int last = keys.last() < 0 ? words.size() + keys.last() : keys.last();
            for (int i = keys.first(); i <= last; i += keys.step()) {
                names.add(words.get(i));
            }
        }
        return here(out -> out.bulks(names));
    }
}
