package dev.kv.server.line;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.server.reply.Piece;
import java.util.Arrays;
import java.util.List;

/** Writes replies in the line protocol, as pieces to be sent one after another. */
public final class LineReply {
    public static final List<Piece> UNKNOWN_COMMAND = line("UNKNOWN COMMAND");

    private static final List<Piece> OK = line("OK");
    private static final List<Piece> NOT_FOUND = line("NOT FOUND");
    private static final List<Piece> ABSENT = line("\r\nOK");
    private static final Piece END_OF_VALUE = new Piece.Array(Bytes.of("\r\nOK\r\n"));
    private static final Reply NOT_FOR_A_LINE = new Reply.Failed(
            Reply.Word.ERR, "this value cannot be told from the protocol's own lines: read it with HGET");

    /** Values that a client would take for another reply. */
    private static final Bytes LIKE_NOT_FOUND = Bytes.of("NOT FOUND");

    private static final Bytes LIKE_AN_ERROR = Bytes.of("ERROR ");

    private LineReply() {}

    public static List<Piece> of(Reply reply) {
        return switch (fitting(reply)) {
            case Reply.Ok() -> OK;
            case Reply.NotFound() -> NOT_FOUND;
            case Reply.Absent() -> ABSENT;
            case Reply.Value(Bytes value) -> List.of(new Piece.Array(value), END_OF_VALUE);
            case Reply.LargeValue(Held value) -> List.of(new Piece.Large(value), END_OF_VALUE);
            case Reply.Failed failed ->
                line("ERROR " + failed.word() + " "
                        + failed.message().replace('\r', ' ').replace('\n', ' '));
            case Reply.Amount _,
                    Reply.OfKind _,
                    Reply.Values _,
                    Reply.Many _,
                    Reply.Page _,
                    Reply.Names _,
                    Reply.Way _ -> throw new IllegalArgumentException("no command of a line asks for " + reply);
        };
    }

    /** The reply, or an error in place of a value that a line cannot carry. */
    public static Reply fitting(Reply reply) {
        return reply instanceof Reply.Value(Bytes value) && !fitsOnALine(value) ? NOT_FOR_A_LINE : reply;
    }

    /** Checks whether a line can carry a large value, while its checksum is checked. */
    public static final class Seen implements Held.Seen {
        private boolean fits = true;
        private boolean hasBegun;

        @Override
        public void part(byte[] bytes, int count) {
            if (!hasBegun) {
                hasBegun = true;
                fits = !begins(bytes, count, LIKE_AN_ERROR.array());
            }
            fits = fits && !hasEnd(bytes, count);
        }

        /** The reply whose value was seen as a whole, or an error if a line cannot carry it. */
        public Reply fitting(Reply reply) {
            if (fits || !(reply instanceof Reply.LargeValue)) {
                return reply;
            }
            Held.releaseIn(reply);
            return NOT_FOR_A_LINE;
        }
    }

    private static List<Piece> line(String text) {
        return List.of(new Piece.Array(Bytes.of(text + "\r\n")));
    }

    private static boolean fitsOnALine(Bytes value) {
        return !hasEnd(value.array(), value.size())
                && !value.equals(LIKE_NOT_FOUND)
                && !value.startsWith(LIKE_AN_ERROR);
    }

    private static boolean hasEnd(byte[] bytes, int count) {
        for (int i = 0; i < count; i++) {
            if (bytes[i] == '\r' || bytes[i] == '\n') {
                return true;
            }
        }
        return false;
    }

    private static boolean begins(byte[] bytes, int count, byte[] prefix) {
        return count >= prefix.length && Arrays.equals(bytes, 0, prefix.length, prefix, 0, prefix.length);
    }
}
