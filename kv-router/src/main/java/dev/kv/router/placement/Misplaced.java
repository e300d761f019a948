package dev.kv.router.placement;

import java.util.List;

/**
 * Buckets on a node that its table sends elsewhere.
 *
 * @param names some of them, at most {@link #NAMES_MAX}, printable
 */
public record Misplaced(long buckets, long bytes, List<String> names) {
    /** How many names are told. */
    public static final int NAMES_MAX = 16;

    /** None. */
    public static final Misplaced NONE = new Misplaced(0, 0, List.of());

    public Misplaced {
        names = List.copyOf(names);
    }

    /** How many and how much, in words. */
    public String amount() {
        return Holdings.amount(buckets, bytes);
    }

    /** How many and how much, and some of the names. */
    public String text() {
        return buckets == 0 ? "none" : amount() + ": " + String.join(" ", names);
    }
}
