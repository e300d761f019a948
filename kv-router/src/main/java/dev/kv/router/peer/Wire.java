package dev.kv.router.peer;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.NameSpace;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Hop;
import dev.kv.router.Reply.Word;
import dev.kv.router.Request;
import dev.kv.router.Request.Visit;
import java.math.BigDecimal;
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
    private static final int SET_ALL = 6;
    private static final int DELETE_ALL = 7;
    private static final int ADD = 8;
    private static final int ADD_DECIMAL = 9;
    private static final int DROP = 10;
    private static final int GET_ALL = 11;
    private static final int MEASURE = 12;
    private static final int SIZE = 13;
    private static final int CONTENT = 14;
    private static final int SAMPLE = 15;
    private static final int SCAN = 16;
    private static final int RENAME = 17;
    private static final int BATCH = 18;
    private static final int NAMES = 19;
    private static final int COUNT = 20;

    private static final int OK = 0;
    private static final int NOT_FOUND = 1;
    private static final int ABSENT = 2;
    private static final int VALUE = 3;
    private static final int FAILED = 4;
    private static final int WAY = 5;
    private static final int UNSUPPORTED = 6;
    private static final int NUMBER = 7;
    private static final int VALUES = 8;
    private static final int MANY = 9;
    private static final int PAGE = 10;
    private static final int NAMES_REPLY = 11;

    /** The replies to a batch, one of which can be to several keys. */
    private static final int NESTING_MAX = 2;

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
        body.u8(code(command));
        body.u32(request.stream());
        body.u32((int) timeLeft.toMillis());
        body.u16(request.path().size());
        for (Visit visit : request.path()) {
            body.text(visit.node());
            body.u64(visit.table());
        }
        operands(body, command);
        return body.toByteArray();
    }

    private static int code(Command command) {
        return switch (command) {
            case Command.Create _ -> CREATE;
            case Command.Put _ -> PUT;
            case Command.Get _ -> GET;
            case Command.Delete _ -> DELETE;
            case Command.Route _ -> ROUTE;
            case Command.SetAll _ -> SET_ALL;
            case Command.DeleteAll _ -> DELETE_ALL;
            case Command.Add _ -> ADD;
            case Command.AddDecimal _ -> ADD_DECIMAL;
            case Command.Drop _ -> DROP;
            case Command.GetAll _ -> GET_ALL;
            case Command.Measure _ -> MEASURE;
            case Command.Size _ -> SIZE;
            case Command.Content _ -> CONTENT;
            case Command.Sample _ -> SAMPLE;
            case Command.Scan _ -> SCAN;
            case Command.Rename _ -> RENAME;
            case Command.Batch _ -> BATCH;
            case Command.Names _ -> NAMES;
            case Command.Count _ -> COUNT;
        };
    }

    private static void operands(Body body, Command command) {
        if (!(command instanceof Command.Survey)) {
            body.bytes(command.bucket());
        }
        switch (command) {
            case Command.Create _, Command.Route _, Command.Drop _, Command.Size _ -> {}
            case Command.Put put -> {
                body.bytes(put.key());
                body.bytes(put.value());
            }
            case Command.Get get -> body.bytes(get.key());
            case Command.Delete delete -> body.bytes(delete.key());
            case Command.SetAll set -> {
                body.u8(set.onlyAbsent() ? 1 : 0);
                body.list(set.pairs());
            }
            case Command.DeleteAll delete -> body.list(delete.keys());
            case Command.Add add -> {
                body.bytes(add.key());
                body.u64(add.amount());
            }
            case Command.AddDecimal add -> {
                body.bytes(add.key());
                body.text(add.amount().toString());
            }
            case Command.GetAll get -> body.list(get.keys());
            case Command.Measure measure -> body.bytes(measure.key());
            case Command.Content content -> body.u8(code(content.part()));
            case Command.Sample sample -> {
                body.u64(sample.count());
                body.u8(code(sample.part()));
            }
            case Command.Scan scan -> {
                body.u64(scan.position());
                body.bytes(scan.match());
                body.u64(scan.count());
                body.u8(code(scan.part()));
            }
            case Command.Rename rename -> body.bytes(rename.to());
            case Command.Batch batch -> {
                body.u32(batch.commands().size());
                for (Command one : batch.commands()) {
                    body.u8(code(one));
                    operands(body, one);
                }
            }
            case Command.Names names -> {
                body.names(names.names());
                body.u64(names.position());
                body.bytes(names.match());
                body.u64(names.count());
            }
            case Command.Count count -> body.names(count.names());
        }
    }

    private static int code(Command.Part part) {
        return switch (part) {
            case KEYS -> 0;
            case VALUES -> 1;
            case PAIRS -> 2;
        };
    }

    /** The bytes of names, keys and values of the command. */
    static int sizeOf(Command command) {
        return command.bucket().size()
                + switch (command) {
                    case Command.Create _,
                            Command.Route _,
                            Command.Drop _,
                            Command.Size _,
                            Command.Content _,
                            Command.Sample _ -> 0;
                    case Command.Put put -> put.key().size() + put.value().size();
                    case Command.Get get -> get.key().size();
                    case Command.Delete delete -> delete.key().size();
                    case Command.SetAll set -> sizeOf(set.pairs());
                    case Command.DeleteAll delete -> sizeOf(delete.keys());
                    case Command.Add add -> add.key().size();
                    case Command.AddDecimal add -> add.key().size();
                    case Command.GetAll get -> sizeOf(get.keys());
                    case Command.Measure measure -> measure.key().size();
                    case Command.Scan scan -> scan.match().size();
                    case Command.Rename rename -> rename.to().size();
                    case Command.Batch batch ->
                        batch.commands().stream().mapToInt(Wire::sizeOf).sum();
                    case Command.Names names ->
                        names.names().size() + names.match().size();
                    case Command.Count count -> count.names().size();
                };
    }

    private static int sizeOf(List<Bytes> all) {
        int size = 0;
        for (Bytes bytes : all) {
            size += Integer.BYTES + bytes.size();
        }
        return size;
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
            Command command = command(code, body);
            ended(body);
            return new Received.Known(new Request(command, stream, path, timeLeft, progress));
        } catch (UnknownCommand e) {
            return new Received.Unknown(e.code);
        } catch (IllegalArgumentException e) {
            throw new Malformed("a request makes no sense: " + e.getMessage());
        } catch (BufferUnderflowException e) {
            throw new Malformed("a request ends too early");
        }
    }

    private static final class UnknownCommand extends Exception {
        private static final long serialVersionUID = 1L;

        private final int code;

        UnknownCommand(int code) {
            this.code = code;
        }
    }

    private static Command command(int code, ByteBuffer body) throws Malformed, UnknownCommand {
        return switch (code) {
            case CREATE -> new Command.Create(bytes(body));
            case PUT -> new Command.Put(bytes(body), bytes(body), bytes(body));
            case GET -> new Command.Get(bytes(body), bytes(body));
            case DELETE -> new Command.Delete(bytes(body), bytes(body));
            case ROUTE -> new Command.Route(bytes(body));
            case SET_ALL -> {
                Bytes bucket = bytes(body);
                boolean onlyAbsent = u8(body) != 0;
                yield new Command.SetAll(bucket, list(body), onlyAbsent);
            }
            case DELETE_ALL -> new Command.DeleteAll(bytes(body), list(body));
            case ADD -> new Command.Add(bytes(body), bytes(body), body.getLong());
            case ADD_DECIMAL -> new Command.AddDecimal(bytes(body), bytes(body), new BigDecimal(text(body)));
            case DROP -> new Command.Drop(bytes(body));
            case GET_ALL -> new Command.GetAll(bytes(body), list(body));
            case MEASURE -> new Command.Measure(bytes(body), bytes(body));
            case SIZE -> new Command.Size(bytes(body));
            case CONTENT -> new Command.Content(bytes(body), part(body));
            case SAMPLE -> new Command.Sample(bytes(body), body.getLong(), part(body));
            case SCAN -> new Command.Scan(bytes(body), body.getLong(), bytes(body), body.getLong(), part(body));
            case RENAME -> new Command.Rename(bytes(body), bytes(body));
            case BATCH -> {
                Bytes bucket = bytes(body);
                int count = count(body);
                List<Command> commands = new ArrayList<>();
                for (int i = 0; i < count; i++) {
                    int one = u8(body);
                    if (one == BATCH) {
                        throw new Malformed("a batch in a batch");
                    }
                    commands.add(command(one, body));
                }
                yield new Command.Batch(bucket, commands);
            }
            case NAMES -> new Command.Names(names(body), body.getLong(), bytes(body), body.getLong());
            case COUNT -> new Command.Count(names(body));
            default -> throw new UnknownCommand(code);
        };
    }

    private static Command.Part part(ByteBuffer body) throws Malformed {
        int code = u8(body);
        return switch (code) {
            case 0 -> Command.Part.KEYS;
            case 1 -> Command.Part.VALUES;
            case 2 -> Command.Part.PAIRS;
            default -> throw new Malformed("unknown part " + code);
        };
    }

    private static NameSpace names(ByteBuffer body) throws Malformed {
        int count = count(body);
        List<NameSpace.Span> spans = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Bytes from = bytes(body);
            spans.add(new NameSpace.Span(from, u8(body) == 0 ? Optional.empty() : Optional.of(bytes(body))));
        }
        return new NameSpace(spans);
    }

    static byte[] encode(Reply reply) {
        Body body = new Body(reply instanceof Reply.Value(Bytes value) ? 8 + value.size() : 64);
        put(body, reply);
        return body.toByteArray();
    }

    private static void put(Body body, Reply reply) {
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
            case Reply.Amount(long number) -> {
                body.u8(NUMBER);
                body.u64(number);
            }
            case Reply.Values(List<Bytes> values) -> {
                body.u8(VALUES);
                body.list(values);
            }
            case Reply.Many(List<Reply> replies) -> {
                body.u8(MANY);
                body.u32(replies.size());
                replies.forEach(one -> put(body, one));
            }
            case Reply.Page(long next, List<Bytes> values) -> {
                body.u8(PAGE);
                body.u64(next);
                body.list(values);
            }
            case Reply.Names names -> {
                body.u8(NAMES_REPLY);
                body.u32(names.owners().size());
                for (Reply.Owner owner : names.owners()) {
                    body.bytes(owner.from());
                    body.text(owner.node());
                }
                body.u64(names.next());
                body.u32(names.names().size());
                for (Reply.Name name : names.names()) {
                    body.u64(name.position());
                    body.bytes(name.bucket());
                }
            }
        }
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
            Reply reply = reply(body, node, NESTING_MAX);
            ended(body);
            return reply;
        } catch (BufferUnderflowException e) {
            throw new Malformed("a reply ends too early");
        }
    }

    private static Reply reply(ByteBuffer body, String node, int nesting) throws Malformed {
        int code = u8(body);
        return switch (code) {
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
            case NUMBER -> new Reply.Amount(body.getLong());
            case VALUES -> new Reply.Values(list(body));
            case MANY -> {
                int count = count(body);
                if (nesting == 0) {
                    throw new Malformed("replies in replies in replies");
                }
                List<Reply> replies = new ArrayList<>();
                for (int i = 0; i < count; i++) {
                    replies.add(reply(body, node, nesting - 1));
                }
                yield new Reply.Many(replies);
            }
            case PAGE -> new Reply.Page(body.getLong(), list(body));
            case NAMES_REPLY -> namesReply(body);
            default -> throw new Malformed("unknown kind of reply " + code);
        };
    }

    private static Reply.Names namesReply(ByteBuffer body) throws Malformed {
        int ownersCount = count(body);
        List<Reply.Owner> owners = new ArrayList<>();
        for (int i = 0; i < ownersCount; i++) {
            owners.add(new Reply.Owner(bytes(body), text(body)));
        }
        long next = body.getLong();
        int namesCount = count(body);
        List<Reply.Name> names = new ArrayList<>();
        for (int i = 0; i < namesCount; i++) {
            names.add(new Reply.Name(body.getLong(), bytes(body)));
        }
        return new Reply.Names(owners, next, names);
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

    private static List<Bytes> list(ByteBuffer body) throws Malformed {
        int count = count(body);
        List<Bytes> list = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            list.add(bytes(body));
        }
        return list;
    }

    /** How many things follow, each of which takes a byte at least. */
    private static int count(ByteBuffer body) throws Malformed {
        int count = body.getInt();
        if (count < 0 || count > body.remaining()) {
            throw new Malformed("a count of " + count + " where " + body.remaining() + " bytes are left");
        }
        return count;
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
