package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.server.resp.RespCommand.Handler;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A command with subcommands.
 *
 * @param command its name
 * @param rows the subcommands by their names, in lower case
 */
record Subcommands(String command, Map<String, Row> rows) implements Handler {
    private static final int SHOWN_BYTES = 128;

    /**
     * A subcommand.
     *
     * @param arity the number of its words, the command's name included, as in {@link RespCommand}
     */
    record Row(int arity, Handler handler) {}

    @Override
    public Question ask(RespRequest request, RespSession session) {
        Bytes name = request.at(1);
        String shown = RespError.shown(name, SHOWN_BYTES);
        String small = shown.toLowerCase(Locale.ROOT);
        Row row = rows.get(small);
        if (small.equals("help")) {
            return help();
        }
        if (row == null) {
            throw new RespError(
                    "ERR unknown subcommand '%s'. Try %s HELP.".formatted(shown, command.toUpperCase(Locale.ROOT)));
        }
        if (!RespCommand.takes(row.arity, request.count())) {
            throw RespError.arity(command + "|" + small);
        }
        return row.handler.ask(request, session);
    }

    private Question.Here help() {
        List<String> lines = new ArrayList<>(List.of(
                command.toUpperCase(Locale.ROOT) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
        Stream.concat(rows.keySet().stream(), Stream.of("help"))
                .map(name -> name.toUpperCase(Locale.ROOT))
                .sorted()
                .forEach(lines::add);
        return out -> {
            out.array(lines.size());
            lines.forEach(out::simple);
        };
    }
}
