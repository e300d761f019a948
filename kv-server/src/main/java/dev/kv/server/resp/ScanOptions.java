package dev.kv.server.resp;

import dev.kv.router.Bytes;
import dev.kv.router.Command.Part;

/**
 * The options of a scan.
 *
 * @param cursor where the page begins
 * @param match the pattern of names that are returned
 * @param count about how many entries the page looks at
 * @param part keys, or pairs
 * @param type the type of buckets that are returned; empty for any
 */
record ScanOptions(long cursor, Bytes match, long count, Part part, Bytes type) {
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
        long cursor = request.at(cursorAt).wholeNumber().orElse(-1);
        if (cursor < 0) {
            throw new RespError("ERR invalid cursor");
        }
        Bytes match = ANYTHING;
        long count = COUNT;
        Part part = Part.PAIRS;
        Bytes type = Bytes.EMPTY;
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
                type = value;
            } else {
                throw RespError.syntax();
            }
        }
        return new ScanOptions(cursor, match, count, part, type);
    }
}
