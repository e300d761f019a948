package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.server.resp.RespCommand.Handler;
import java.util.List;
import java.util.OptionalLong;

/** The commands on the connection of the client that sends them, the login among them. */
final class ConnectionCommands {
    static final Bytes DEFAULT_USER = Bytes.of("default");

    private static final String WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";

    private ConnectionCommands() {}

    static List<RespCommand> rows() {
        return List.of(
                row(
                        "ping [message]",
                        "fast ~request_policy:all_shards ~response_policy:all_succeeded",
                        "Answers PONG, or its argument",
                        ConnectionCommands::ping),
                row("echo message", "loading stale fast", "Answers its argument", (request, session) -> {
                    Bytes said = request.at(1);
                    return here(out -> out.bulk(said));
                }),
                row(
                        "hello [arguments:(protover:integer [AUTH username_password:(username password)]"
                                + " [SETNAME clientname])]",
                        "noscript loading stale fast no_auth no_multi allow_busy",
                        "Chooses the version of the protocol",
                        ConnectionCommands::hello),
                row(
                        "auth [username] password",
                        "noscript loading stale fast no_auth allow_busy",
                        "Logs in",
                        ConnectionCommands::auth),
                row(
                        "select index:integer",
                        "loading stale fast",
                        "Chooses the database, which is 0",
                        ConnectionCommands::select),
                row(
                        "quit",
                        "-1 noscript loading stale fast no_auth allow_busy",
                        "Closes the connection",
                        (request, session) -> here(out -> {
                            session.quit();
                            out.ok();
                        })),
                row(
                        "reset",
                        "noscript loading stale fast no_auth allow_busy",
                        "Resets the connection",
                        (request, session) -> here(out -> {
                            session.reset();
                            out.speak(false);
                            out.simple("RESET");
                        })),
                RespCommand.container(
                        "connection",
                        "client",
                        "",
                        "Shows, names and closes connections of clients",
                        ClientCommands.rows()));
    }

    private static RespCommand row(String syntax, String traits, String summary, Handler handler) {
        return RespCommand.of("connection", syntax, traits, summary, handler);
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

    /** A client that asks for another database may go on without looking at the reply: it would write into this one. */
    private static Question select(RespRequest request, RespSession session) {
        OptionalLong number = request.at(1).wholeNumber();
        if (number.isPresent() && number.getAsLong() != 0) {
            session.quit();
            throw new RespError("ERR DB index is out of range: kv has database 0 alone; the connection is closed, so"
                    + " that nothing meant for another database is done there");
        }
        return here(out -> {
            if (number.isEmpty()) {
                throw RespError.notAnInteger();
            }
            out.ok();
        });
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
            boolean version3 = words.isEmpty() ? session.isVersion3() : isVersion3(words.getFirst());
            String name = session.name();
            int at = 1;
            while (at < words.size()) {
                Bytes option = words.get(at);
                if (Keyword.is(option, "auth") && at + 2 < words.size()) {
                    logIn(session, words.get(at + 1), words.get(at + 2));
                    at += 3;
                } else if (Keyword.is(option, "setname") && at + 1 < words.size()) {
                    name = ClientCommands.clientName(words.get(at + 1));
                    at += 2;
                } else {
                    throw new RespError("ERR Syntax error in HELLO option '" + RespError.shown(option) + "'");
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
            describe(out, session);
        });
    }

    private static boolean isVersion3(Bytes word) {
        OptionalLong version = word.wholeNumber();
        if (version.isEmpty()) {
            throw new RespError("ERR Protocol version is not an integer or out of range");
        }
        if (version.getAsLong() != 2 && version.getAsLong() != 3) {
            throw new RespError("NOPROTO unsupported protocol version");
        }
        return version.getAsLong() == 3;
    }

    private static void describe(RespWriter out, RespSession session) {
        out.map(8);
        out.bulk("server").bulk("redis");
        out.bulk("version").bulk(ServerCommands.REDIS_VERSION);
        out.bulk("proto").number(session.isVersion3() ? 3 : 2);
        out.bulk("id").number(session.id());
        out.bulk("mode").bulk("standalone");
        out.bulk("role").bulk("master");
        out.bulk("modules").array(0);
        out.bulk("kv_version").bulk(session.door().node().version());
    }
}
