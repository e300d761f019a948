package dev.kv.router.peer.codec;

import static dev.kv.router.peer.codec.Composite.field;
import static dev.kv.router.peer.codec.Composite.fields;
import static dev.kv.router.peer.codec.Encoding.LONG;
import static dev.kv.router.peer.codec.Encoding.TEXT;
import static dev.kv.router.peer.codec.Encoding.shortList;

import dev.kv.router.Command;
import dev.kv.router.Request;
import dev.kv.router.Request.Visit;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;

/** How requests stand in a message: what a node needs to know to pass one on, then the operands of the command. */
public final class RequestCodec {
    private static final Encoding<List<Visit>> PATH =
            shortList(fields(Visit::new, field(Visit::node, TEXT), field(Visit::table, LONG)));

    private RequestCodec() {}

    /** A request as it was received. */
    public sealed interface Received {
        record Known(Request request) implements Received {}

        /** A command that this node does not know: a newer node sent it. */
        record Unknown(int command) implements Received {}
    }

    /**
     * The message of a request.
     *
     * @param timeLeft how long the sender waits for progress
     */
    public static byte[] encode(Request request, Duration timeLeft) {
        Command command = request.command();
        MessageWriter out =
                new MessageWriter(1 + 2 * Integer.BYTES + PATH.size(request.path()) + CommandCodec.sizeOf(command));
        out.u8(CommandCodec.codeOf(command));
        out.u32(request.stream());
        out.u32((int) timeLeft.toMillis());
        PATH.write(out, request.path());
        CommandCodec.writeOperands(out, command);
        return out.toByteArray();
    }

    /**
     * The request of a whole message.
     *
     * @param progress becomes the request's
     */
    public static Received decode(ByteBuffer message, Runnable progress) throws MalformedMessage {
        MessageReader in = new MessageReader(message, CommandCodec.DEPTH_MAX);
        int code = in.u8();
        int stream = in.u32();
        Duration timeLeft = Duration.ofMillis(Math.max(1, Integer.toUnsignedLong(in.u32())));
        List<Visit> path = PATH.read(in);
        try {
            Command command = CommandCodec.readOperands(code, in);
            in.expectEnd();
            return new Received.Known(new Request(command, stream, path, timeLeft, progress));
        } catch (Variants.UnknownCode e) {
            return new Received.Unknown(e.code);
        } catch (IllegalArgumentException e) {
            throw new MalformedMessage("a request makes no sense: " + e.getMessage());
        }
    }
}
