package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.net.Addresses;
import dev.kv.server.resp.RespCommand.Handler;
import dev.kv.server.resp.RespCommand.Keys;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Predicate;

/** The commands on the connection, the login and transactions. */
final class ConnectionCommands {
    private static final Bytes DEFAULT_USER = Bytes.of("default");
    private static final String WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";

    private static final Subcommands CLIENT = new Subcommands(
            "client",
            Map.of(
                    "id", new Subcommands.Row(2, (request, session) -> here(out -> out.number(session.id()))),
                    "getname",
                            new Subcommands.Row(
                                    2,
                                    (request, session) -> here(out -> {
                                        if (session.name().isEmpty()) {
                                            out.nil();
                                        } else {
                                            out.bulk(session.name());
                                        }
                                    })),
                    "setname",
                            new Subcommands.Row(3, (request, session) -> {
                                Bytes name = request.at(2);
                                return here(out -> {
                                    session.name(clientName(name));
                                    out.ok();
                                });
                            }),
                    "setinfo", new Subcommands.Row(4, ConnectionCommands::setInfo),
                    "info",
                            new Subcommands.Row(
                                    2, (request, session) -> here(out -> out.verbatim(session.line() + "\n"))),
                    "list", new Subcommands.Row(-2, ConnectionCommands::list),
                    "kill", new Subcommands.Row(-3, ConnectionCommands::kill),
                    "no-evict",
                            new Subcommands.Row(3, (request, session) -> {
                                if (!Keyword.is(request.at(2), "on") && !Keyword.is(request.at(2), "off")) {
                                    throw RespError.syntax();
                                }
                                return here(RespWriter::ok);
                            })));

    private ConnectionCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                row("ping", -1, List.of("fast"), "Answers", ConnectionCommands::ping),
                row("echo", 2, List.of("fast"), "Says it again", (request, session) -> {
                    Bytes said = request.at(1);
                    return here(out -> out.bulk(said));
                }),
                row(
                        "hello",
                        -1,
                        List.of("noscript", "loading", "stale", "fast", "no_auth"),
                        "Begins a conversation",
                        ConnectionCommands::hello),
                row(
                        "auth",
                        -2,
                        List.of("noscript", "loading", "stale", "fast", "no_auth"),
                        "Logs in",
                        ConnectionCommands::auth),
                row("select", 2, List.of("loading", "stale", "fast"), "Chooses the database: 0", (request, session) -> {
                    OptionalLong number = request.at(1).wholeNumber();
                    return here(out -> {
                        if (number.isEmpty()) {
                            throw RespError.notAnInteger();
                        }
                        if (number.getAsLong() != 0) {
                            throw new RespError("ERR DB index is out of range");
                        }
                        out.ok();
                    });
                }),
                row(
                        "quit",
                        -1,
                        List.of("noscript", "loading", "stale", "fast", "no_auth"),
                        "Ends the connection",
                        (request, session) -> here(out -> {
                            session.quit();
                            out.ok();
                        })),
                row(
                        "reset",
                        1,
                        List.of("noscript", "loading", "stale", "fast", "no_auth"),
                        "Begins anew",
                        (request, session) -> here(out -> {
                            session.reset();
                            out.speak(false);
                            out.simple("RESET");
                        })),
                row("client", -2, List.of("noscript", "loading", "stale"), "Tells of clients", CLIENT),
                transaction("multi", 1, "Begins a transaction", (request, session) -> {
                    if (session.transaction().isPresent()) {
                        throw new RespError("ERR MULTI calls can not be nested");
                    }
                    session.beginTransaction();
                    return here(RespWriter::ok);
                }),
                transaction("exec", 1, "Runs a transaction", (request, session) -> {
                    Transaction transaction =
                            session.transaction().orElseThrow(() -> new RespError("ERR EXEC without MULTI"));
                    session.endTransaction();
                    return transaction.execute();
                }),
                transaction("discard", 1, "Forgets a transaction", (request, session) -> {
                    if (session.transaction().isEmpty()) {
                        throw new RespError("ERR DISCARD without MULTI");
                    }
                    session.endTransaction();
                    return here(RespWriter::ok);
                }),
                transaction("watch", -2, "Is refused", (request, session) -> {
                    throw new RespError("ERR WATCH is not supported: use MULTI and EXEC on one bucket, or HSETNX");
                }),
                transaction("unwatch", 1, "Does nothing", (request, session) -> here(RespWriter::ok)));
    }

    private static RespCommand row(String name, int arity, List<String> flags, String summary, Handler handler) {
        return new RespCommand(name, arity, flags, Keys.NONE, "connection", summary, handler);
    }

    private static RespCommand transaction(String name, int arity, String summary, Handler handler) {
        List<String> flags = List.of("noscript", "loading", "stale", "fast");
        return new RespCommand(name, arity, flags, Keys.NONE, "transactions", summary, handler);
    }

    private static Question here(Question.Here answer) {
        return answer;
    }

    private static Question ping(RespRequest request, RespSession session) {
        if (request.count() > 2) {
            throw RespError.arity("ping");
        }
        if (request.count() == 1) {
            return here(out -> out.simple("PONG"));
        }
        Bytes said = request.at(1);
        return here(out -> out.bulk(said));
    }

    private static Question auth(RespRequest request, RespSession session) {
        if (request.count() > 3) {
            throw RespError.syntax();
        }
        boolean named = request.count() == 3;
        Bytes user = named ? request.at(1) : DEFAULT_USER;
        Bytes password = request.at(named ? 2 : 1);
        return here(out -> {
            if (!named && !session.login().isNeeded()) {
                throw new RespError("ERR AUTH <password> called without any password configured for the default user."
                        + " Are you sure your configuration is correct?");
            }
            logIn(session, user, password);
            out.ok();
        });
    }

    private static void logIn(RespSession session, Bytes user, Bytes password) {
        if (!user.equals(DEFAULT_USER)) {
            throw new RespError(WRONG_PASSWORD);
        }
        switch (session.logIn(password)) {
            case DONE -> {}
            case WRONG_PASSWORD -> throw new RespError(WRONG_PASSWORD);
            case TOO_MANY -> throw new RespError("ERR " + session.door().tooManyConnections());
        }
    }

    private static Question hello(RespRequest request, RespSession session) {
        List<Bytes> words = List.copyOf(request.from(1));
        return here(out -> {
            int at = 0;
            boolean version3 = session.isVersion3();
            if (!words.isEmpty()) {
                OptionalLong version = words.get(at++).wholeNumber();
                if (version.isEmpty()) {
                    throw new RespError("ERR Protocol version is not an integer or out of range");
                }
                if (version.getAsLong() != 2 && version.getAsLong() != 3) {
                    throw new RespError("NOPROTO unsupported protocol version");
                }
                version3 = version.getAsLong() == 3;
            }
            String name = session.name();
            while (at < words.size()) {
                Bytes option = words.get(at);
                if (Keyword.is(option, "auth") && at + 2 < words.size()) {
                    logIn(session, words.get(at + 1), words.get(at + 2));
                    at += 3;
                } else if (Keyword.is(option, "setname") && at + 1 < words.size()) {
                    name = clientName(words.get(at + 1));
                    at += 2;
                } else {
                    throw new RespError("ERR Syntax error in HELLO option '" + RespError.shown(option, 128) + "'");
                }
            }
            if (!session.login().isDone()) {
                throw new RespError("NOAUTH HELLO must be called with the client already authenticated, otherwise the"
                        + " HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select"
                        + " the RESP protocol version at the same time");
            }
            session.name(name);
            session.speak(version3);
            out.speak(version3);
            out.map(8);
            out.bulk("server").bulk("redis");
            out.bulk("version").bulk(ServerCommands.REDIS_VERSION);
            out.bulk("proto").number(version3 ? 3 : 2);
            out.bulk("id").number(session.id());
            out.bulk("mode").bulk("standalone");
            out.bulk("role").bulk("master");
            out.bulk("modules").array(0);
            out.bulk("kv_version").bulk(session.door().node().version());
        });
    }

    private static String clientName(Bytes name) {
        return plain(name, "Client names cannot contain spaces, newlines or special characters.");
    }

    private static String plain(Bytes text, String otherwise) {
        for (byte b : text.array()) {
            if (b < '!' || b > '~') {
                throw new RespError("ERR " + otherwise);
            }
        }
        return text.text();
    }

    private static Question setInfo(RespRequest request, RespSession session) {
        Bytes option = request.at(2);
        String name = RespError.shown(option, 128).toLowerCase(Locale.ROOT);
        Bytes value = request.at(3);
        return here(out -> {
            String text = plain(value, name + " cannot contain spaces, newlines or special characters.");
            switch (name) {
                case "lib-name" -> session.library(text);
                case "lib-ver" -> session.libraryVersion(text);
                default -> throw new RespError("ERR Unrecognized option '" + RespError.shown(option, 128) + "'");
            }
            out.ok();
        });
    }

    private static Question list(RespRequest request, RespSession session) {
        Predicate<RespSession> wanted = client -> true;
        if (request.count() > 2) {
            if (Keyword.is(request.at(2), "id") && request.count() > 3) {
                List<Long> ids = request.from(3).stream()
                        .map(id -> id.wholeNumber().orElseThrow(() -> new RespError("ERR Invalid client ID")))
                        .toList();
                wanted = client -> ids.contains(client.id());
            } else if (Keyword.is(request.at(2), "type") && request.count() == 4) {
                boolean normal = isNormal(request.at(3));
                wanted = client -> normal;
            } else {
                throw RespError.syntax();
            }
        }
        Predicate<RespSession> filter = wanted;
        return here(out -> {
            StringBuilder lines = new StringBuilder();
            session.door()
                    .clients()
                    .matching(filter)
                    .forEach(client -> lines.append(client.line()).append('\n'));
            out.verbatim(lines.toString());
        });
    }

    private static boolean isNormal(Bytes type) {
        for (String known : List.of("normal", "master", "slave", "replica", "pubsub")) {
            if (Keyword.is(type, known)) {
                return known.equals("normal");
            }
        }
        throw new RespError("ERR Unknown client type '" + RespError.shown(type, 128) + "'");
    }

    private static Question kill(RespRequest request, RespSession session) {
        if (request.count() == 3) {
            String address = request.at(2).text();
            return here(out -> {
                if (session.door().clients().kill(client -> client.remote().equals(address), session) == 0) {
                    throw new RespError("ERR No such client");
                }
                out.ok();
            });
        }
        if (request.count() % 2 != 0) {
            throw RespError.syntax();
        }
        Predicate<RespSession> wanted = client -> true;
        boolean skipSelf = true;
        for (int i = 2; i < request.count(); i += 2) {
            Bytes option = request.at(i);
            Bytes value = request.at(i + 1);
            if (Keyword.is(option, "id")) {
                long id =
                        value.wholeNumber().orElseThrow(() -> new RespError("ERR client-id should be greater than 0"));
                wanted = wanted.and(client -> client.id() == id);
            } else if (Keyword.is(option, "addr")) {
                wanted = wanted.and(client -> client.remote().equals(value.text()));
            } else if (Keyword.is(option, "laddr")) {
                wanted = wanted.and(client -> Addresses.text(client.door().address()).equals(value.text()));
            } else if (Keyword.is(option, "user")) {
                wanted = wanted.and(client -> value.equals(DEFAULT_USER));
            } else if (Keyword.is(option, "type")) {
                boolean normal = isNormal(value);
                wanted = wanted.and(client -> normal);
            } else if (Keyword.is(option, "skipme") && (Keyword.is(value, "yes") || Keyword.is(value, "no"))) {
                skipSelf = Keyword.is(value, "yes");
            } else {
                throw RespError.syntax();
            }
        }
        Predicate<RespSession> filter = skipSelf ? wanted.and(client -> client != session) : wanted;
        return here(out -> out.number(session.door().clients().kill(filter, session)));
    }
}
