package dev.kv.router;

import dev.kv.router.Reply.Failed;
import dev.kv.router.Reply.Word;
import java.util.Optional;

/**
 * The bounds of this node for names, keys, values, patterns and replies in bytes, and for hops.
 *
 * @param hopsMax the number of nodes that may forward a request
 */
public record Limits(
        int hopsMax, int bucketMaxBytes, int keyMaxBytes, int valueMaxBytes, int patternMaxBytes, long replyMaxBytes) {
    public static final String BUCKET_MAX_KEY = "kv.router.bucket-max";
    public static final String KEY_MAX_KEY = "kv.router.key-max";
    public static final String VALUE_MAX_KEY = "kv.router.value-max";

    /** Why the name of a bucket is too large, if it is. */
    public Optional<Failed> excessOfName(int bytes) {
        return excess("the bucket's name", bytes, bucketMaxBytes, BUCKET_MAX_KEY);
    }

    /** Why a key is too large, if it is. */
    public Optional<Failed> excessOfKey(int bytes) {
        return excess("the key", bytes, keyMaxBytes, KEY_MAX_KEY);
    }

    /** Why a value is too large, if it is. */
    public Optional<Failed> excessOfValue(long bytes) {
        return excess("the value", bytes, valueMaxBytes, VALUE_MAX_KEY);
    }

    /** Why a pattern for names or keys is too large, if it is. */
    public Optional<Failed> excessOfPattern(int bytes) {
        return excess("the pattern", bytes, patternMaxBytes, "kv.router.pattern-max");
    }

    private static Optional<Failed> excess(String what, long bytes, int maxBytes, String setting) {
        return bytes <= maxBytes
                ? Optional.empty()
                : Optional.of(new Failed(
                        Word.TOOLARGE,
                        "%s has %d bytes, at most %d are allowed (%s)".formatted(what, bytes, maxBytes, setting)));
    }
}
