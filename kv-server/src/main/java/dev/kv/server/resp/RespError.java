package dev.kv.server.resp;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import java.util.Arrays;

/** A request of RESP is refused before it runs. The message is the error line for the client, its first word included. */
public final class RespError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    RespError(String line) {
        super(line, null, false, false);
    }

    /**
     * The bytes as a message shows them, one character for each.
     *
     * @param max how many are shown at most
     */
    static String shown(Bytes bytes, int max) {
        return new String(Arrays.copyOf(bytes.array(), Math.min(max, bytes.size())), ISO_8859_1);
    }

    static RespError notAnInteger() {
        return new RespError("ERR value is not an integer or out of range");
    }

    static RespError syntax() {
        return new RespError("ERR syntax error");
    }

    /** The error line for a command that failed; for a typed reason, it is the message of Redis. */
    static String line(Reply.Failed failed) {
        String text = switch (failed.reason()) {
            case IN_MESSAGE -> failed.message();
            case CONTENT_TOO_LARGE -> "reply too large, use HSCAN";
            case NAMES_TOO_LARGE -> "reply too large, use SCAN";
            case NOT_AN_INTEGER -> "hash value is not an integer";
            case NOT_A_NUMBER -> "hash value is not a float";
            case SUM_OVERFLOWS -> "increment or decrement would overflow";
            case SUM_NOT_FINITE -> "increment would produce NaN or Infinity";
        };
        return failed.word() + " " + text;
    }

    /**
     * The number of words is wrong.
     *
     * @param command with its subcommand, as {@code client|setname}
     */
    static RespError arity(String command) {
        return new RespError("ERR wrong number of arguments for '" + command + "' command");
    }
}
