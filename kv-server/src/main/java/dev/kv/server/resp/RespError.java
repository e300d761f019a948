package dev.kv.server.resp;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.kv.router.Bytes;
import dev.kv.router.Reply;
import java.util.List;

/** A request of RESP is refused before it runs. The message is the error line for the client, its first word included. */
public final class RespError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** The bytes of a word, and of all arguments, that a message shows. */
    private static final int SHOWN_BYTES = 128;

    private static final String NOT_AN_INTEGER = "value is not an integer or out of range";
    private static final String NOT_A_FLOAT = "value is not a valid float";

    RespError(String line) {
        super(line, null, false, false);
    }

    /**
     * The bytes as a message shows them, one character for each, up to the first NUL, as in Redis.
     *
     * @param max how many are shown at most
     */
    static String shown(Bytes bytes, int max) {
        int end = 0;
        while (end < Math.min(max, bytes.size()) && bytes.at(end) != 0) {
            end++;
        }
        return new String(bytes.array(), 0, end, ISO_8859_1);
    }

    /** {@link #shown} for a word that is refused. */
    static String shown(Bytes word) {
        return shown(word, SHOWN_BYTES);
    }

    /** No command has this name. */
    public static RespError unknown(Bytes name, List<Bytes> arguments) {
        StringBuilder some = new StringBuilder();
        for (int i = 0; i < arguments.size() && some.length() < SHOWN_BYTES; i++) {
            String argument = shown(arguments.get(i), SHOWN_BYTES - some.length());
            some.append('\'').append(argument).append("' ");
        }
        return new RespError("ERR unknown command '" + shown(name) + "', with args beginning with: " + some);
    }

    static RespError notAnInteger() {
        return new RespError("ERR " + NOT_AN_INTEGER);
    }

    static RespError notAFloat() {
        return new RespError("ERR " + NOT_A_FLOAT);
    }

    static RespError syntax() {
        return new RespError("ERR syntax error");
    }

    /** The error line for a command that failed; for a typed reason, it is the message of Redis. */
    public static String line(Reply.Failed failed) {
        return failed.word() + " " + text(failed);
    }

    /** The line of {@link #line} without its word. */
    static String text(Reply.Failed failed) {
        return switch (failed.reason()) {
            case IN_MESSAGE, WRONG_TYPE -> failed.message();
            case CONTENT_TOO_LARGE -> "reply too large, use HSCAN";
            case NAMES_TOO_LARGE -> "reply too large, use SCAN";
            case TOO_MUCH_TOGETHER ->
                "a transaction on several keys, or after WATCH, takes at most one turn (kv.storage.large.keys and bytes):"
                        + " send several";
            case NAMES_APART -> "Transaction discarded because its keys are on several nodes: " + failed.message();
            case VALUE_NOT_AN_INTEGER -> NOT_AN_INTEGER;
            case VALUE_NOT_A_NUMBER -> NOT_A_FLOAT;
            case NOT_AN_INTEGER -> "hash value is not an integer";
            case NOT_A_NUMBER -> "hash value is not a float";
            case SUM_OVERFLOWS -> "increment or decrement would overflow";
            case SUM_NOT_FINITE -> "increment would produce NaN or Infinity";
        };
    }

    /** The first word of an error line. */
    static String word(String line) {
        int end = line.indexOf(' ');
        return end < 0 ? line : line.substring(0, end);
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
