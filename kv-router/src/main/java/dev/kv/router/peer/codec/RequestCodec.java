package dev.kv.router.peer.codec;

import static dev.kv.router.peer.codec.Composite.field;
import static dev.kv.router.peer.codec.Composite.fields;
import static dev.kv.router.peer.codec.Encoding.LONG;

import dev.kv.router.Command;
import dev.kv.router.Request;
import dev.kv.router.Request.Visit;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * How requests stand in a message: what a node needs to know to pass one on, then the operands of the command. Since version
 * 2 a byte of flags says which of the marks follow that not every request bears.
 */
public final class RequestCodec {
    private static final Encoding<Request.Term> TERM =
            fields(Request.Term::new, field(Request.Term::epoch, LONG), field(Request.Term::count, LONG));

    private static final Encoding<Request.Id> ID = fields(
            Request.Id::new,
            field(Request.Id::origin, LONG),
            field(Request.Id::number, LONG),
            field(Request.Id::lowestUnanswered, LONG));

    private static final int HAS_TIME = 1;
    private static final int HAS_HOLDER = 2;
    private static final int HAS_ID = 4;

    private RequestCodec() {}

    /** A request as it was received. */
    public sealed interface Asked {
        /** A request that this node understands. */
        record Known(Request request) implements Asked {}

        /** A command that this node does not know: a newer node sent it. */
        record Unknown(int command) implements Asked {}
    }

    /**
     * The message of a request.
     *
     * @param version of the protocol; the first one has no marks
     * @param timeLeftMillis how long the sender waits for progress
     */
    public static Encoded encode(Request request, int version, long timeLeftMillis) {
        return write(new MessageWriter(), request, version, timeLeftMillis).encoded();
    }

    /** Writes the same message. */
    public static MessageWriter write(MessageWriter out, Request request, int version, long timeLeftMillis) {
        Command command = request.command();
        Variants.Row<? extends Command> row = CommandCodec.rowOf(command);
        out.u8(row.code());
        out.u32(request.stream());
        out.u32((int) timeLeftMillis);
        writePath(out, request.path());
        if (version > 1) {
            writeMarks(out, request);
        }
        row.writeFields(out, command);
        return out;
    }

    /** By hand, as each request has one. */
    private static void writePath(MessageWriter out, List<Visit> path) {
        out.u16(path.size());
        for (int i = 0; i < path.size(); i++) {
            out.text(path.get(i).node());
            out.u64(path.get(i).table());
        }
    }

    private static List<Visit> readPath(MessageReader in) throws MalformedMessage {
        int count = in.u16();
        if (count == 1) {
            return List.of(new Visit(in.text(), in.u64()));
        }
        List<Visit> path = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            path.add(new Visit(in.text(), in.u64()));
        }
        return path;
    }

    private static void writeMarks(MessageWriter out, Request request) {
        out.u8(HAS_TIME
                | (request.holder().isEmpty() ? 0 : HAS_HOLDER)
                | (request.id().isEmpty() ? 0 : HAS_ID));
        out.u64(request.takenMillis());
        if (request.holder().isPresent()) {
            TERM.write(out, request.holder().get());
        }
        if (request.id().isPresent()) {
            ID.write(out, request.id().get());
        }
    }

    /** The stream of the request of a long message, which is not changed. */
    public static int streamOf(Received message) {
        return message.head().getInt(message.head().position() + 1);
    }

    /**
     * The request of a whole message.
     *
     * @param progress becomes the request's
     */
    public static Asked decode(Received message, int version, Runnable progress) throws MalformedMessage {
        MessageReader in = new MessageReader(message, CommandCodec.DEPTH_MAX);
        int code = in.u8();
        int stream = in.u32();
        Duration timeLeft = Duration.ofMillis(Math.max(1, Integer.toUnsignedLong(in.u32())));
        List<Visit> path = readPath(in);
        int flags = version == 1 ? 0 : in.u8();
        if ((flags & ~(HAS_TIME | HAS_HOLDER | HAS_ID)) != 0) {
            throw new MalformedMessage("a request with marks of another version: flags " + flags);
        }
        long takenMillis = (flags & HAS_TIME) == 0 ? System.currentTimeMillis() : in.u64();
        Optional<Request.Term> holder = (flags & HAS_HOLDER) == 0 ? Optional.empty() : Optional.of(TERM.read(in));
        Optional<Request.Id> id = (flags & HAS_ID) == 0 ? Optional.empty() : Optional.of(ID.read(in));
        try {
            Command command = CommandCodec.readOperands(code, in);
            in.expectEnd();
            return new Asked.Known(new Request(command, stream, path, timeLeft, takenMillis, holder, id, progress));
        } catch (Variants.UnknownCode e) {
            return new Asked.Unknown(e.code);
        } catch (IllegalArgumentException e) {
            throw new MalformedMessage("a request makes no sense: " + e.getMessage());
        }
    }
}
