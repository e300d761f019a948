package dev.kv.router.placement;

import java.util.List;

/**
 * Buckets on a node that its table sends to other nodes.
 *
 * @param names some of them, at most {@link #NAMES_MAX}, printable
 */
public record Misplaced(long buckets, long bytes, List<String> names) {
    /** The number of names that are kept. */
    public static final int NAMES_MAX = 16;

    /** None. */
    public static final Misplaced NONE = new Misplaced(0, 0, List.of());

    public Misplaced {
        names = List.copyOf(names);
    }

    /** Number and size in words. */
    public String amount() {
        return Holdings.amount(buckets, bytes);
    }

    /** Number and size, and some of the names. */
    public String text() {
        return buckets == 0 ? "none" : amount() + ": " + String.join(" ", names);
    }
}
