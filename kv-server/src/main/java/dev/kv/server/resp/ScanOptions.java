package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command.Part;
import java.util.Optional;

/**
 * The options of a scan.
 *
 * @param cursor where the page begins
 * @param match the pattern of names that are returned
 * @param count about how many entries the page looks at
 * @param part keys, or pairs
 * @param type the type of the names that are returned; empty for any
 */
record ScanOptions(long cursor, Bytes match, long count, Part part, Optional<Bytes> type) {
    private static final Bytes ANYTHING = Bytes.of("*");
    private static final long COUNT = 10;

    /** Those of {@code HSCAN}. */
    static ScanOptions ofHash(RespRequest request) {
        return of(request, 2);
    }

    /** Those of {@code SCAN}. */
    static ScanOptions ofBuckets(RespRequest request) {
        return of(request, 1);
    }

    private static ScanOptions of(RespRequest request, int cursorAt) {
        boolean ofHash = cursorAt == 2;
        long cursor = cursor(request.at(cursorAt));
        Bytes match = ANYTHING;
        long count = COUNT;
        Part part = Part.PAIRS;
        Optional<Bytes> type = Optional.empty();
        int at = cursorAt + 1;
        while (at < request.count()) {
            Bytes word = request.at(at++);
            if (ofHash && Keyword.is(word, "novalues")) {
                part = Part.KEYS;
                continue;
            }
            if (at == request.count()) {
                throw RespError.syntax();
            }
            Bytes value = request.at(at++);
            if (Keyword.is(word, "match")) {
                match = value;
            } else if (Keyword.is(word, "count")) {
                count = value.wholeNumber().orElseThrow(RespError::notAnInteger);
                if (count < 1) {
                    throw RespError.syntax();
                }
            } else if (!ofHash && Keyword.is(word, "type")) {
                type = Optional.of(value);
            } else {
                throw RespError.syntax();
            }
        }
        return new ScanOptions(cursor, match, count, part, type);
    }

    /**
     * The cursor that a client sends. As in Redis it is read as C's strtoul reads it: a sign and zeros may stand ahead, a negative number
     * counts down from 2^64, an empty text is 0, and a NUL ends it. No cursor of this node is as large as 2^63: that one stands for all
     * above it.
     *
     * @throws RespError if it is no number of 64 bits
     */
    static long cursor(Bytes text) {
        int end = 0;
        while (end < text.size() && text.at(end) != 0) {
            end++;
        }
        int first = end > 0 && (text.at(0) == '-' || text.at(0) == '+') ? 1 : 0;
        if (end == 0) {
            return 0;
        }
        long number = 0;
        boolean isRight = first < end;
        for (int i = first; i < end && isRight; i++) {
            int digit = text.at(i) - '0';
            isRight =
                    digit >= 0 && digit <= 9 && Long.compareUnsigned(number, Long.divideUnsigned(-1 - digit, 10)) <= 0;
            number = number * 10 + digit;
        }
        if (!isRight) {
            throw new RespError("ERR invalid cursor");
        }
        long cursor = first == 1 && text.at(0) == '-' ? -number : number;
        return cursor < 0 ? Long.MAX_VALUE : cursor;
    }
}
