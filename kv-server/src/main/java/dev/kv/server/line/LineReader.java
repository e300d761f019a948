package dev.kv.server.line;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.kv.router.net.Greeting;
import java.nio.ByteBuffer;

/**
 * Finds the lines of one client in what arrives. A line that is too long is dropped while it arrives, so that it takes no memory.
 *
 * <p>It also finds nodes and TLS clients, by the first bytes of the connection, and HTTP. Any web page can make the browser that shows it
 * send an HTTP request to any address that the browser reaches, this port included, and the page chooses the body: each line of it would
 * run here as a command. A page cannot choose how the request begins: with its method, which is POST unless the page first asks this
 * host, followed by the line "Host" for any method.
 */
public final class LineReader {
    private static final byte[] HTTP_METHOD = "POST ".getBytes(US_ASCII);
    private static final byte[] HTTP_HOST = "host:".getBytes(US_ASCII);
    private static final int HTTP_LINES = 2;

    /** The longest line without a command's name that is read for one, as in Redis (PROTO_INLINE_MAX_SIZE). */
    private static final int NAMELESS_MAX_BYTES = 64 * 1024;

    private final int maxBytes;
    private final Words words = new Words();

    /** Bytes of the next line that hold no LF: a line in many packets is searched once. */
    private int searchedBytes;

    /** Whether the rest of a line that is too long arrives. */
    private boolean isSkipping;

    /** The number of lines that have ended, counted up to {@link #HTTP_LINES}. */
    private int lines;

    private Greeting otherProtocol = Greeting.UNKNOWN;

    /** Whether a line of words has been taken. */
    private boolean hasHadWords;

    /** Whether a request of RESP has arrived. */
    private boolean isAfterRequest;

    /** Whether the long line that arrives begins with the name of a command. */
    private boolean hasName;

    /** The result of {@link #take}. */
    public enum Found {
        /** The input holds no whole line; nothing was taken. */
        NOTHING,
        /** Input was taken that holds no request. */
        SKIPPED,
        /** A line; {@link #words} are its words. */
        LINE,
        /** The end of a line that is longer than the limit. */
        TOO_LONG,
        /** Bytes of no protocol: a long line without a command's name, on a connection that has not sent a line of words. */
        MALFORMED,
        /** The other side speaks {@link #otherProtocol}. */
        OTHER_PROTOCOL
    }

    /**
     * @param maxBytes the longest line, without its LF
     */
    public LineReader(int maxBytes) {
        this.maxBytes = maxBytes;
    }

    /** Takes the next line, or a part of one that is too long. */
    public Found take(ByteBuffer input) {
        if (lines == 0 && !isSkipping) {
            Greeting greeting = Greeting.of(input);
            if (greeting == Greeting.TLS || greeting == Greeting.NODE) {
                otherProtocol = greeting;
                return Found.OTHER_PROTOCOL;
            }
        }
        byte[] array = input.array();
        int start = input.arrayOffset() + input.position();
        int limit = input.arrayOffset() + input.limit();
        int end = indexOfLf(array, start + searchedBytes, limit);
        int length = end - start;
        boolean isWhole = end < limit;
        boolean fits = !isSkipping && length <= maxBytes;
        if (!isSkipping && length > Math.min(NAMELESS_MAX_BYTES, maxBytes) && !isLineOfWords(array, start, end)) {
            return Found.MALFORMED;
        }
        if (!isWhole && fits) {
            searchedBytes = length;
            return Found.NOTHING;
        }
        boolean isHttp = lines < HTTP_LINES && !isSkipping && isHttp(array, start, end);
        searchedBytes = 0;
        hasName = false;
        isSkipping = !isWhole;
        input.position(input.position() + length + (isWhole ? 1 : 0));
        if (isHttp) {
            otherProtocol = Greeting.HTTP;
            return Found.OTHER_PROTOCOL;
        }
        if (!isWhole) {
            return Found.SKIPPED;
        }
        if (fits) {
            words.split(array, start, end);
        }
        if (fits && words.count() == 0 && isOfAnyProtocol()) {
            return Found.SKIPPED;
        }
        hasHadWords = true;
        lines = Math.min(lines + 1, HTTP_LINES);
        return fits ? Found.LINE : Found.TOO_LONG;
    }

    /**
     * Whether the client may speak RESP. Redis and its clients ignore an empty line then, and long input without a request is an
     * error of RESP.
     */
    private boolean isOfAnyProtocol() {
        return isAfterRequest || !hasHadWords;
    }

    /** Whether a long line is one of the line protocol. */
    private boolean isLineOfWords(byte[] array, int start, int end) {
        if (!hasName && isOfAnyProtocol()) {
            words.split(array, start, end);
            hasName = LineCommand.isNamed(words);
            return hasName;
        }
        return true;
    }

    /** The words of the line that {@link #take} found, as long as the input is not changed. */
    public Words words() {
        return words;
    }

    /** The protocol of the other side, which is not one of clients, when {@link #take} found that. */
    public Greeting otherProtocol() {
        return otherProtocol;
    }

    /** Whether a part of a line has arrived. */
    public boolean isBegun() {
        return searchedBytes > 0 || isSkipping;
    }

    /** The client has sent a request of RESP, or a part of one, which no browser can. */
    public void afterRequest() {
        lines = HTTP_LINES;
        isAfterRequest = true;
    }

    /** Whether the client has sent a request of RESP, or a part of one. */
    public boolean isAfterRequest() {
        return isAfterRequest;
    }

    private static int indexOfLf(byte[] array, int from, int to) {
        int at = from;
        while (at < to && array[at] != '\n') {
            at++;
        }
        return at;
    }

    private boolean isHttp(byte[] array, int start, int end) {
        return begins(array, start, end, HTTP_HOST, 0x20) || (lines == 0 && begins(array, start, end, HTTP_METHOD, 0));
    }

    private static boolean begins(byte[] array, int start, int end, byte[] prefix, int caseBit) {
        if (end - start < prefix.length) {
            return false;
        }
        for (int i = 0; i < prefix.length; i++) {
            if ((array[start + i] | caseBit) != prefix[i]) {
                return false;
            }
        }
        return true;
    }
}
