package dev.kv.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Bytes;
import dev.kv.router.Held;
import dev.kv.router.Reply;

/** How the line protocol writes what came of a request: the pieces to be sent, one after the other. */
final class LineReply {
    static final byte[][] UNKNOWN_COMMAND = line("UNKNOWN COMMAND");

    private static final byte[][] OK = line("OK");
    private static final byte[][] NOT_FOUND = line("NOT FOUND");
    private static final byte[][] ABSENT = line("\r\nOK");
    private static final byte[] END_OF_VALUE = "\r\nOK\r\n".getBytes(UTF_8);
    private static final byte[][] NOT_FOR_A_LINE =
            line("ERROR ERR this value cannot be told from the protocol's own lines: read it with HGET");

    /** Values that a client would take for another outcome. */
    private static final Bytes LIKE_NOT_FOUND = Bytes.of("NOT FOUND");

    private static final Bytes LIKE_AN_ERROR = Bytes.of("ERROR ");

    private LineReply() {}

    static byte[][] of(Reply reply) {
        return switch (reply) {
            case Reply.Ok() -> OK;
            case Reply.NotFound() -> NOT_FOUND;
            case Reply.Absent() -> ABSENT;
            case Reply.Value(Bytes value) ->
                fitsOnALine(value) ? new byte[][] {value.array(), END_OF_VALUE} : NOT_FOR_A_LINE;
            case Reply.LargeValue large -> of(Held.flat(large));
            case Reply.Failed(Reply.Word word, String message) ->
                line("ERROR " + word + " " + message.replace('\r', ' ').replace('\n', ' '));
            case Reply.Amount _, Reply.Values _, Reply.Many _, Reply.Page _, Reply.Names _, Reply.Way _ ->
                throw new IllegalArgumentException("no command of a line asks for " + reply);
        };
    }

    private static byte[][] line(String text) {
        return new byte[][] {(text + "\r\n").getBytes(UTF_8)};
    }

    private static boolean fitsOnALine(Bytes value) {
        for (byte b : value.array()) {
            if (b == '\r' || b == '\n') {
                return false;
            }
        }
        return !value.equals(LIKE_NOT_FOUND) && !value.startsWith(LIKE_AN_ERROR);
    }
}
