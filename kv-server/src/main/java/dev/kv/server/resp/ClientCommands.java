package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.net.Addresses;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.ObjIntConsumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** The subcommands of {@code CLIENT}: what a client says of itself, and the list of all clients. */
final class ClientCommands {
    /** The longest name of a client or library: it is kept as long as the client is connected. */
    private static final int TEXT_MAX_BYTES = 256;

    private static final List<String> TYPES = List.of("normal", "master", "slave", "replica", "pubsub");

    private ClientCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                row(
                        "id",
                        "",
                        "Shows the number of this connection",
                        (request, session) -> here(out -> out.number(session.id()))),
                row(
                        "getname",
                        "",
                        "Shows the name of this connection",
                        (request, session) -> here(out -> name(out, session))),
                row("setname connection-name", "", "Names this connection", ClientCommands::setName),
                row(
                        "setinfo attr:(LIB-NAME libname | LIB-VER libver)",
                        "",
                        "Tells the name and version of the client's library",
                        ClientCommands::setInfo),
                row(
                        "info",
                        "~nondeterministic_output",
                        "Shows the line of this connection",
                        (request, session) -> here(out -> out.verbatim(session.line() + "\n"))),
                row(
                        "list [TYPE normal_master_replica_pubsub:(NORMAL | MASTER | REPLICA | PUBSUB)] [ID id:(client-id:integer ...)]",
                        "admin ~nondeterministic_output",
                        "Lists the connections of this node",
                        ClientCommands::list),
                row(
                        "kill filter:(address | new-format:(ID client-id:integer | TYPE client-type:(NORMAL | MASTER | SLAVE"
                                + " | REPLICA | PUBSUB) | USER username | ADDR address | LADDR address"
                                + " | SKIPME yes-no:(YES | NO)) ...)",
                        "admin",
                        "Closes connections",
                        ClientCommands::kill),
                row(
                        "no-evict enabled:(ON | OFF)",
                        "admin",
                        "Does nothing: no client is evicted",
                        ClientCommands::onOrOff),
                row("no-touch enabled:(ON | OFF)", "", "Does nothing: no use is recorded", ClientCommands::onOrOff),
                row(
                        "reply on_off_skip:(ON | OFF | SKIP)",
                        "",
                        "Chooses whether requests are answered",
                        ClientCommands::reply),
                row(
                        "tracking status:(ON | OFF) [option] ...",
                        "",
                        "Is refused: no client is told of changes",
                        ClientCommands::tracking),
                row("pause timeout:integer [mode:(WRITE | ALL)]", "admin", "Is refused", ClientCommands::pause),
                row(
                        "unpause",
                        "admin",
                        "Does nothing: no client is paused",
                        (request, session) -> here(RespWriter::ok)));
    }

    private static RespCommand row(String syntax, String traits, String summary, RespCommand.Handler handler) {
        return RespCommand.of(
                "connection",
                "client|" + syntax,
                (traits + " noscript loading stale no_multi").strip(),
                summary,
                handler);
    }

    private static Question here(Question.Here answer) {
        return answer;
    }

    private static void name(RespWriter out, RespSession session) {
        if (session.name().isEmpty()) {
            out.nil();
        } else {
            out.bulk(session.name());
        }
    }

    private static Question setName(RespRequest request, RespSession session) {
        Bytes name = request.at(2);
        return here(out -> {
            session.name(clientName(name));
            out.ok();
        });
    }

    /** The name as a client may set it: printable ASCII without blanks. */
    static String clientName(Bytes name) {
        return plain(name, "Client names");
    }

    private static String plain(Bytes text, String what) {
        if (text.size() > TEXT_MAX_BYTES) {
            throw new RespError("ERR " + what + " cannot be longer than " + TEXT_MAX_BYTES + " bytes.");
        }
        for (byte b : text.array()) {
            if (b < '!' || b > '~') {
                throw new RespError("ERR " + what + " cannot contain spaces, newlines or special characters.");
            }
        }
        return text.text();
    }

    private static Question setInfo(RespRequest request, RespSession session) {
        Bytes option = request.at(2);
        String name = RespError.shown(option).toLowerCase(Locale.ROOT);
        Bytes value = request.at(3);
        return here(out -> {
            String text = plain(value, name);
            switch (name) {
                case "lib-name" -> session.library(text);
                case "lib-ver" -> session.libraryVersion(text);
                default -> throw new RespError("ERR Unrecognized option '" + RespError.shown(option) + "'");
            }
            out.ok();
        });
    }

    private static Question onOrOff(RespRequest request, RespSession session) {
        if (!Keyword.is(request.at(2), "on") && !Keyword.is(request.at(2), "off")) {
            throw RespError.syntax();
        }
        return here(RespWriter::ok);
    }

    private static Question reply(RespRequest request, RespSession session) {
        Bytes mode = request.at(2);
        if (Keyword.is(mode, "on")) {
            return here(out -> {
                session.replyMode().on();
                out.ok();
            });
        }
        if (Keyword.is(mode, "off")) {
            return here(out -> session.replyMode().off());
        }
        if (Keyword.is(mode, "skip")) {
            return here(out -> session.replyMode().skipNext());
        }
        throw RespError.syntax();
    }

    /** A client with a cache has to be told of changes, and another node may make them. */
    private static Question tracking(RespRequest request, RespSession session) {
        if (Keyword.is(request.at(2), "off")) {
            return here(RespWriter::ok);
        }
        if (!Keyword.is(request.at(2), "on")) {
            throw RespError.syntax();
        }
        throw new RespError("ERR CLIENT TRACKING is not supported: turn off the cache of the client library,"
                + " which is not told of changes");
    }

    private static Question pause(RespRequest request, RespSession session) {
        throw new RespError("ERR CLIENT PAUSE is not supported: it would hold back the clients of this node alone");
    }

    private static Question list(RespRequest request, RespSession session) {
        Predicate<RespSession> wanted = listed(request);
        StringBuilder lines = new StringBuilder();
        return session.door().clients().new Walk() {
            @Override
            void meet(RespSession client) {
                if (wanted.test(client)) {
                    lines.append(client.line()).append('\n');
                }
            }

            @Override
            public void write(RespWriter out) {
                out.verbatim(lines.toString());
            }
        };
    }

    private static Predicate<RespSession> listed(RespRequest request) {
        if (request.count() == 2) {
            return client -> true;
        }
        if (Keyword.is(request.at(2), "id") && request.count() > 3) {
            Set<Long> ids = request.from(3).stream()
                    .map(id -> id.wholeNumber().orElseThrow(() -> new RespError("ERR Invalid client ID")))
                    .collect(Collectors.toSet());
            return client -> ids.contains(client.id());
        }
        if (Keyword.is(request.at(2), "type") && request.count() == 4) {
            return ofType(request.at(3));
        }
        throw RespError.syntax();
    }

    /** All clients are of the type "normal"; the other types of Redis have none. */
    private static Predicate<RespSession> ofType(Bytes type) {
        String known = TYPES.stream()
                .filter(one -> Keyword.is(type, one))
                .findFirst()
                .orElseThrow(() -> new RespError("ERR Unknown client type '" + RespError.shown(type) + "'"));
        return client -> known.equals("normal");
    }

    private static Question kill(RespRequest request, RespSession session) {
        if (request.count() == 3) {
            return killAddress(request.at(2), session);
        }
        // As in Redis, the last of several equal options counts.
        Map<String, Predicate<RespSession>> filters = new HashMap<>();
        for (int i = 2; i < request.count(); i += 2) {
            if (i + 1 == request.count()) {
                throw RespError.syntax();
            }
            String option = RespError.shown(request.at(i)).toLowerCase(Locale.ROOT);
            filters.put(option, filter(option, request.at(i + 1), session));
        }
        filters.putIfAbsent("skipme", client -> client != session);
        return killed(
                session, client -> filters.values().stream().allMatch(each -> each.test(client)), RespWriter::number);
    }

    /** The old form of CLIENT KILL. */
    private static Question killAddress(Bytes address, RespSession session) {
        return killed(session, client -> is(client.remote(), address), (out, killed) -> {
            if (killed == 0) {
                throw new RespError("ERR No such client");
            }
            out.ok();
        });
    }

    /** Closes the connections of the clients that match; that of the client that asks, once it is answered. */
    private static Question killed(
            RespSession asking, Predicate<RespSession> wanted, ObjIntConsumer<RespWriter> answer) {
        return asking.door().clients().new Walk() {
            private int killed;

            @Override
            void meet(RespSession client) {
                if (!wanted.test(client)) {
                    return;
                }
                killed++;
                if (client == asking) {
                    client.quit();
                } else {
                    client.kill();
                }
            }

            @Override
            public void write(RespWriter out) {
                answer.accept(out, killed);
            }
        };
    }

    /**
     * @param option in lower case
     */
    private static Predicate<RespSession> filter(String option, Bytes value, RespSession session) {
        return switch (option) {
            case "id" -> {
                long id = value.wholeNumber().orElse(0);
                if (id < 1) {
                    throw new RespError("ERR client-id should be greater than 0");
                }
                yield client -> client.id() == id;
            }
            case "addr" -> client -> is(client.remote(), value);
            case "laddr" -> client -> is(Addresses.text(client.door().address()), value);
            case "user" -> {
                if (!value.equals(ConnectionCommands.DEFAULT_USER)) {
                    throw new RespError("ERR No such user '" + RespError.shown(value) + "'");
                }
                yield client -> true;
            }
            case "type" -> ofType(value);
            case "skipme" -> {
                boolean skipsSelf = Keyword.is(value, "yes");
                if (!skipsSelf && !Keyword.is(value, "no")) {
                    throw RespError.syntax();
                }
                yield client -> !skipsSelf || client != session;
            }
            default -> throw RespError.syntax();
        };
    }

    /** Compares bytes: the argument may be much longer than the text, and is not decoded for each client. */
    private static boolean is(String text, Bytes words) {
        return Bytes.of(text).equals(words);
    }
}
