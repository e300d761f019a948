package dev.kv.router.peer.codec;

import static dev.kv.router.peer.codec.Composite.field;
import static dev.kv.router.peer.codec.Composite.fields;
import static dev.kv.router.peer.codec.Encoding.LONG;
import static dev.kv.router.peer.codec.Encoding.TEXT;
import static dev.kv.router.peer.codec.Encoding.shortList;

import dev.kv.router.Command;
import dev.kv.router.Request;
import dev.kv.router.Request.Visit;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * How requests stand in a message: what a node needs to know to pass one on, then the operands of the command. Since version
 * 2 a byte of flags says which of the marks follow that not every request bears.
 */
public final class RequestCodec {
    private static final Encoding<List<Visit>> PATH =
            shortList(fields(Visit::new, field(Visit::node, TEXT), field(Visit::table, LONG)));

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
     * @param timeLeft how long the sender waits for progress
     */
    public static Encoded encode(Request request, int version, Duration timeLeft) {
        Command command = request.command();
        MessageWriter out = new MessageWriter(1
                + 2 * Integer.BYTES
                + PATH.size(request.path())
                + (version == 1 ? 0 : sizeOfMarks(request))
                + CommandCodec.sizeOf(command));
        out.u8(CommandCodec.codeOf(command));
        out.u32(request.stream());
        out.u32((int) timeLeft.toMillis());
        PATH.write(out, request.path());
        if (version > 1) {
            writeMarks(out, request);
        }
        CommandCodec.writeOperands(out, command);
        return out.encoded();
    }

    private static long sizeOfMarks(Request request) {
        return 1
                + (request.takenMillis() == 0 ? 0 : Long.BYTES)
                + (request.holder().isEmpty() ? 0 : TERM.size(request.holder().get()))
                + (request.id().isEmpty() ? 0 : ID.size(request.id().get()));
    }

    private static void writeMarks(MessageWriter out, Request request) {
        out.u8((request.takenMillis() == 0 ? 0 : HAS_TIME)
                | (request.holder().isEmpty() ? 0 : HAS_HOLDER)
                | (request.id().isEmpty() ? 0 : HAS_ID));
        if (request.takenMillis() != 0) {
            out.u64(request.takenMillis());
        }
        if (request.holder().isPresent()) {
            TERM.write(out, request.holder().get());
        }
        if (request.id().isPresent()) {
            ID.write(out, request.id().get());
        }
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
        List<Visit> path = PATH.read(in);
        int flags = version == 1 ? 0 : in.u8();
        if ((flags & ~(HAS_TIME | HAS_HOLDER | HAS_ID)) != 0) {
            throw new MalformedMessage("a request with marks of another version: flags " + flags);
        }
        long takenMillis = (flags & HAS_TIME) == 0 ? 0 : in.u64();
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
