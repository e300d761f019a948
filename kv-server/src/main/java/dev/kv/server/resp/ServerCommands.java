package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Glob;
import dev.kv.router.Reply;
import dev.kv.server.resp.RespCommand.Handler;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The commands on the node, and on the table of commands. */
final class ServerCommands {
    /** The version of Redis whose commands on hashes are implemented. */
    static final String REDIS_VERSION = "7.4.0";

    private static final String SPECIAL = "~nondeterministic_output ~request_policy:all_nodes ~response_policy:special";
    private static final String SUCCEEDED = "~request_policy:all_nodes ~response_policy:all_succeeded";

    private ServerCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                RespCommand.container(
                        "server",
                        "command",
                        "loading stale no_multi @connection ~nondeterministic_output_order",
                        "Describes the commands",
                        CommandCommands.rows(),
                        (request, session) -> CommandCommands.all()),
                RespCommand.container(
                        "server",
                        "config",
                        "",
                        "Reads settings that clients of Redis ask for",
                        List.of(
                                row(
                                        "config|get parameter:(parameter) ...",
                                        "admin noscript loading stale no_multi",
                                        "Reads settings whose names match patterns",
                                        ServerCommands::configGet),
                                row(
                                        "config|resetstat",
                                        "admin noscript loading stale no_multi",
                                        "Sets the counts of INFO to 0",
                                        (request, session) -> here(out -> {
                                            session.door().resetStatistics();
                                            out.ok();
                                        })))),
                row(
                        "info [section] ...",
                        "loading stale no_multi @dangerous ~nondeterministic_output ~request_policy:all_shards"
                                + " ~response_policy:special",
                        "Describes this node",
                        ServerCommands::info),
                row(
                        "time",
                        "loading stale fast ~nondeterministic_output",
                        "Returns the time of this node",
                        (request, session) -> here(out -> {
                            Instant now = Instant.now();
                            out.array(2)
                                    .bulk(Long.toString(now.getEpochSecond()))
                                    .bulk(Integer.toString(now.getNano() / 1000));
                        })),
                RespCommand.container("server", "memory", "", "Shows what a key takes", MemoryCommands.rows()),
                flush("flushdb"),
                flush("flushall"),
                RespCommand.container(
                        "server",
                        "latency",
                        "",
                        "Is always empty: nothing is recorded",
                        List.of(
                                latency("latest", SPECIAL, "Lists the events", out -> out.array(0)),
                                latency("history event", SPECIAL, "Lists the times of an event", out -> out.array(0)),
                                latency("reset [event] ...", SUCCEEDED, "Forgets events", out -> out.number(0)))),
                RespCommand.container(
                        "server",
                        "slowlog",
                        "",
                        "Is always empty: nothing is recorded",
                        List.of(
                                slowlog(
                                        "get [count:integer]",
                                        "~request_policy:all_nodes ~nondeterministic_output",
                                        "Lists slow requests",
                                        ServerCommands::slowest),
                                slowlog(
                                        "len",
                                        "~request_policy:all_nodes ~response_policy:agg_sum ~nondeterministic_output",
                                        "Counts slow requests",
                                        (request, session) -> here(out -> out.number(0))),
                                slowlog(
                                        "reset",
                                        SUCCEEDED,
                                        "Forgets slow requests",
                                        (request, session) -> here(RespWriter::ok)))));
    }

    private static RespCommand row(String syntax, String traits, String summary, Handler handler) {
        return RespCommand.of("server", syntax, traits, summary, handler);
    }

    private static RespCommand flush(String name) {
        return row(
                name + " [async:(ASYNC | SYNC)]",
                "write no_multi @keyspace @dangerous ~request_policy:all_shards ~response_policy:all_succeeded",
                "Deletes all keys",
                (request, session) -> Flush.ask(request));
    }

    private static RespCommand latency(String syntax, String tips, String summary, Question.Here answer) {
        return row("latency|" + syntax, "admin noscript loading stale " + tips, summary, (request, session) -> answer);
    }

    private static RespCommand slowlog(String syntax, String tips, String summary, Handler handler) {
        return row("slowlog|" + syntax, "admin loading stale " + tips, summary, handler);
    }

    private static Question here(Question.Here answer) {
        return answer;
    }

    private static Question slowest(RespRequest request, RespSession session) {
        if (request.count() > 3) {
            throw new RespError("ERR unknown subcommand or wrong number of arguments for '"
                    + RespError.shown(request.at(1)) + "'. Try SLOWLOG HELP.");
        }
        if (request.count() == 3) {
            long count = request.at(2).wholeNumber().orElse(Long.MIN_VALUE);
            if (count < -1) {
                throw new RespError("ERR count should be greater than or equal to -1");
            }
        }
        return here(out -> out.array(0));
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
                Glob names = Keyword.pattern(pattern);
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
}
