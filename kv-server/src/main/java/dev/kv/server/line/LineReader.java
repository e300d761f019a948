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

    private final int maxBytes;
    private final Words words = new Words();

    /** Bytes of the next line that hold no LF: a line in many packets is searched once. */
    private int searchedBytes;

    /** Whether the rest of a line that is too long arrives. */
    private boolean isSkipping;

    /** The number of lines that have ended, counted up to {@link #HTTP_LINES}. */
    private int lines;

    private Greeting otherProtocol = Greeting.UNKNOWN;

    /** Whether the last request was one of RESP: Redis and its clients ignore an empty line after it. */
    private boolean isAfterRequest;

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
        if (!isWhole && fits) {
            searchedBytes = length;
            return Found.NOTHING;
        }
        boolean isHttp = lines < HTTP_LINES && !isSkipping && isHttp(array, start, end);
        searchedBytes = 0;
        isSkipping = !isWhole;
        input.position(input.position() + length + (isWhole ? 1 : 0));
        if (isHttp) {
            otherProtocol = Greeting.HTTP;
            return Found.OTHER_PROTOCOL;
        }
        if (!isWhole || (fits && isAfterRequest && isEmpty(array, start, length))) {
            return Found.SKIPPED;
        }
        isAfterRequest = false;
        lines = Math.min(lines + 1, HTTP_LINES);
        if (!fits) {
            return Found.TOO_LONG;
        }
        words.split(array, start, end);
        return Found.LINE;
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

    /** The client has sent a request of RESP, which no browser can. */
    public void afterRequest() {
        lines = HTTP_LINES;
        isAfterRequest = true;
    }

    private static int indexOfLf(byte[] array, int from, int to) {
        int at = from;
        while (at < to && array[at] != '\n') {
            at++;
        }
        return at;
    }

    private static boolean isEmpty(byte[] array, int start, int length) {
        return length == 0 || (length == 1 && array[start] == '\r');
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
