package dev.kv.router.peer;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Hop;
import dev.kv.router.Reply.Word;
import dev.kv.router.Request;
import dev.kv.router.Request.Visit;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The bodies of requests and replies between nodes, version 1; {@code docs/peer-protocol.md} is their description. Numbers
 * are big-endian; a text is a 2-byte length and UTF-8; bytes are a 4-byte length and the bytes.
 */
final class Wire {
    private static final int CREATE = 1;
    private static final int PUT = 2;
    private static final int GET = 3;
    private static final int DELETE = 4;
    private static final int ROUTE = 5;

    private static final int OK = 0;
    private static final int NOT_FOUND = 1;
    private static final int ABSENT = 2;
    private static final int VALUE = 3;
    private static final int FAILED = 4;
    private static final int WAY = 5;
    private static final int UNSUPPORTED = 6;

    private Wire() {}

    /** A body that is not of this protocol. */
    static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;

        Malformed(String message) {
            super(message);
        }
    }

    /** A request as it was received. */
    sealed interface Received {
        record Known(Request request) implements Received {}

        /** A command that this node does not know: a newer node sent it. */
        record Unknown(int command) implements Received {}
    }

    /**
     * The body of a request.
     *
     * @param timeLeft how long the sender waits for progress
     */
    static byte[] encode(Request request, Duration timeLeft) {
        Command command = request.command();
        Body body = new Body(64 + sizeOf(command));
        body.u8(
                switch (command) {
                    case Command.Create _ -> CREATE;
                    case Command.Put _ -> PUT;
                    case Command.Get _ -> GET;
                    case Command.Delete _ -> DELETE;
                    case Command.Route _ -> ROUTE;
                });
        body.u32(request.stream());
        body.u32((int) timeLeft.toMillis());
        body.u16(request.path().size());
        for (Visit visit : request.path()) {
            body.text(visit.node());
            body.u64(visit.table());
        }
        body.bytes(command.bucket());
        switch (command) {
            case Command.Create _, Command.Route _ -> {}
            case Command.Put put -> {
                body.bytes(put.key());
                body.bytes(put.value());
            }
            case Command.Get get -> body.bytes(get.key());
            case Command.Delete delete -> body.bytes(delete.key());
        }
        return body.toByteArray();
    }

    /** The bytes of names, keys and values of the command. */
    static int sizeOf(Command command) {
        return command.bucket().size()
                + switch (command) {
                    case Command.Create _, Command.Route _ -> 0;
                    case Command.Put put -> put.key().size() + put.value().size();
                    case Command.Get get -> get.key().size();
                    case Command.Delete delete -> delete.key().size();
                };
    }

    /**
     * The request of a body.
     *
     * @param progress becomes the request's
     */
    static Received decodeRequest(ByteBuffer body, Runnable progress) throws Malformed {
        try {
            int code = u8(body);
            int stream = body.getInt();
            Duration timeLeft = Duration.ofMillis(Math.max(1, Integer.toUnsignedLong(body.getInt())));
            int visits = u16(body);
            List<Visit> path = new ArrayList<>();
            for (int i = 0; i < visits; i++) {
                path.add(new Visit(text(body), body.getLong()));
            }
            Command command;
            switch (code) {
                case CREATE -> command = new Command.Create(bytes(body));
                case PUT -> command = new Command.Put(bytes(body), bytes(body), bytes(body));
                case GET -> command = new Command.Get(bytes(body), bytes(body));
                case DELETE -> command = new Command.Delete(bytes(body), bytes(body));
                case ROUTE -> command = new Command.Route(bytes(body));
                default -> {
                    return new Received.Unknown(code);
                }
            }
            ended(body);
            return new Received.Known(new Request(command, stream, path, timeLeft, progress));
        } catch (BufferUnderflowException e) {
            throw new Malformed("a request ends too early");
        }
    }

    static byte[] encode(Reply reply) {
        Body body = new Body(reply instanceof Reply.Value(Bytes value) ? 8 + value.size() : 64);
        switch (reply) {
            case Reply.Ok _ -> body.u8(OK);
            case Reply.NotFound _ -> body.u8(NOT_FOUND);
            case Reply.Absent _ -> body.u8(ABSENT);
            case Reply.Value(Bytes value) -> {
                body.u8(VALUE);
                body.bytes(value);
            }
            case Reply.Failed failed -> {
                body.u8(FAILED);
                body.failed(failed);
            }
            case Reply.Way(List<Hop> hops, Optional<Reply.Failed> failure) -> {
                body.u8(WAY);
                body.u16(hops.size());
                for (Hop hop : hops) {
                    body.text(hop.node());
                    body.u64(hop.table());
                    body.text(hop.entry());
                    body.u32(hop.line());
                    body.u32(hop.column());
                }
                body.u8(failure.isPresent() ? 1 : 0);
                failure.ifPresent(body::failed);
            }
        }
        return body.toByteArray();
    }

    /** The reply to a command that this node does not know. */
    static byte[] unsupported(int command) {
        Body body = new Body(2);
        body.u8(UNSUPPORTED);
        body.u8(command);
        return body.toByteArray();
    }

    /**
     * The reply of a body.
     *
     * @param node the name of the node that sent it
     */
    static Reply decodeReply(ByteBuffer body, String node) throws Malformed {
        try {
            int code = u8(body);
            Reply reply = switch (code) {
                case OK -> Reply.OK;
                case NOT_FOUND -> Reply.NOT_FOUND;
                case ABSENT -> Reply.ABSENT;
                case VALUE -> new Reply.Value(bytes(body));
                case FAILED -> failed(body);
                case WAY -> way(body);
                case UNSUPPORTED ->
                    new Reply.Failed(
                            Word.ERR,
                            "%s does not know this command (number %d): it runs an older release, upgrade it"
                                    .formatted(node, u8(body)));
                default -> throw new Malformed("unknown kind of reply " + code);
            };
            ended(body);
            return reply;
        } catch (BufferUnderflowException e) {
            throw new Malformed("a reply ends too early");
        }
    }

    private static Reply.Way way(ByteBuffer body) throws Malformed {
        int count = u16(body);
        List<Hop> hops = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            hops.add(new Hop(text(body), body.getLong(), text(body), body.getInt(), body.getInt()));
        }
        return new Reply.Way(hops, u8(body) == 0 ? Optional.empty() : Optional.of(failed(body)));
    }

    private static Reply.Failed failed(ByteBuffer body) throws Malformed {
        return new Reply.Failed(word(text(body)), text(body));
    }

    /** The word of that name; one that only newer nodes know says no more than any error. */
    private static Word word(String name) {
        for (Word word : Word.values()) {
            if (word.name().equals(name)) {
                return word;
            }
        }
        return Word.ERR;
    }

    static int u8(ByteBuffer body) {
        return body.get() & 0xFF;
    }

    static int u16(ByteBuffer body) {
        return body.getShort() & 0xFFFF;
    }

    static String text(ByteBuffer body) throws Malformed {
        return new String(take(body, u16(body)), UTF_8);
    }

    private static Bytes bytes(ByteBuffer body) throws Malformed {
        return Bytes.owning(take(body, body.getInt()));
    }

    private static byte[] take(ByteBuffer body, int length) throws Malformed {
        if (length < 0 || length > body.remaining()) {
            throw new Malformed("a length of " + length + " where " + body.remaining() + " bytes are left");
        }
        byte[] taken = new byte[length];
        body.get(taken);
        return taken;
    }

    private static void ended(ByteBuffer body) throws Malformed {
        if (body.hasRemaining()) {
            throw new Malformed(body.remaining() + " bytes too many");
        }
    }
}
