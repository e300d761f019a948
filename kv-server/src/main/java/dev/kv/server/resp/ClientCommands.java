package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.net.Addresses;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;

/** The subcommands of {@code CLIENT}: what a client says of itself, and the list of all clients. */
final class ClientCommands {
    private static final int SHOWN_BYTES = 128;
    private static final List<String> TYPES = List.of("normal", "master", "slave", "replica", "pubsub");

    static final Subcommands CLIENT = new Subcommands(
            "client",
            Map.of(
                    "id", row(2, (request, session) -> here(out -> out.number(session.id()))),
                    "getname", row(2, (request, session) -> here(out -> name(out, session))),
                    "setname", row(3, ClientCommands::setName),
                    "setinfo", row(4, ClientCommands::setInfo),
                    "info", row(2, (request, session) -> here(out -> out.verbatim(session.line() + "\n"))),
                    "list", row(-2, ClientCommands::list),
                    "kill", row(-3, ClientCommands::kill),
                    "no-evict", row(3, ClientCommands::noEvict)));

    private ClientCommands() {}

    private static Subcommands.Row row(int arity, RespCommand.Handler handler) {
        return new Subcommands.Row(arity, handler);
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
        for (byte b : text.array()) {
            if (b < '!' || b > '~') {
                throw new RespError("ERR " + what + " cannot contain spaces, newlines or special characters.");
            }
        }
        return text.text();
    }

    private static Question setInfo(RespRequest request, RespSession session) {
        Bytes option = request.at(2);
        String name = RespError.shown(option, SHOWN_BYTES).toLowerCase(Locale.ROOT);
        Bytes value = request.at(3);
        return here(out -> {
            String text = plain(value, name);
            switch (name) {
                case "lib-name" -> session.library(text);
                case "lib-ver" -> session.libraryVersion(text);
                default ->
                    throw new RespError("ERR Unrecognized option '" + RespError.shown(option, SHOWN_BYTES) + "'");
            }
            out.ok();
        });
    }

    private static Question noEvict(RespRequest request, RespSession session) {
        if (!Keyword.is(request.at(2), "on") && !Keyword.is(request.at(2), "off")) {
            throw RespError.syntax();
        }
        return here(RespWriter::ok);
    }

    private static Question list(RespRequest request, RespSession session) {
        Predicate<RespSession> wanted = listed(request);
        return here(out -> {
            StringBuilder lines = new StringBuilder();
            session.door()
                    .clients()
                    .matching(wanted)
                    .forEach(client -> lines.append(client.line()).append('\n'));
            out.verbatim(lines.toString());
        });
    }

    private static Predicate<RespSession> listed(RespRequest request) {
        if (request.count() == 2) {
            return client -> true;
        }
        if (Keyword.is(request.at(2), "id") && request.count() > 3) {
            List<Long> ids = request.from(3).stream()
                    .map(id -> id.wholeNumber().orElseThrow(() -> new RespError("ERR Invalid client ID")))
                    .toList();
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
                .orElseThrow(
                        () -> new RespError("ERR Unknown client type '" + RespError.shown(type, SHOWN_BYTES) + "'"));
        return client -> known.equals("normal");
    }

    private static Question kill(RespRequest request, RespSession session) {
        if (request.count() == 3) {
            return killAddress(request.at(2).text(), session);
        }
        if (request.count() % 2 != 0) {
            throw RespError.syntax();
        }
        Predicate<RespSession> wanted = client -> true;
        boolean skipSelf = true;
        for (int i = 2; i < request.count(); i += 2) {
            Bytes option = request.at(i);
            Bytes value = request.at(i + 1);
            if (Keyword.is(option, "skipme") && (Keyword.is(value, "yes") || Keyword.is(value, "no"))) {
                skipSelf = Keyword.is(value, "yes");
            } else {
                wanted = wanted.and(filter(option, value));
            }
        }
        Predicate<RespSession> killed = skipSelf ? wanted.and(client -> client != session) : wanted;
        return here(out -> out.number(session.door().clients().kill(killed, session)));
    }

    /** The old form of CLIENT KILL. */
    private static Question killAddress(String address, RespSession session) {
        return here(out -> {
            if (session.door().clients().kill(client -> client.remote().equals(address), session) == 0) {
                throw new RespError("ERR No such client");
            }
            out.ok();
        });
    }

    private static Predicate<RespSession> filter(Bytes option, Bytes value) {
        if (Keyword.is(option, "id")) {
            long id = value.wholeNumber().orElseThrow(() -> new RespError("ERR client-id should be greater than 0"));
            return client -> client.id() == id;
        }
        if (Keyword.is(option, "addr")) {
            return client -> client.remote().equals(value.text());
        }
        if (Keyword.is(option, "laddr")) {
            return client -> Addresses.text(client.door().address()).equals(value.text());
        }
        if (Keyword.is(option, "user")) {
            return client -> value.equals(ConnectionCommands.DEFAULT_USER);
        }
        if (Keyword.is(option, "type")) {
            return ofType(value);
        }
        throw RespError.syntax();
    }
}
