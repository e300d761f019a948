package dev.kv.router;

import java.util.List;
import java.util.Optional;

/** Which node keeps which buckets: entries of a range and a node, the first that matches wins. Immutable. */
public final class RoutingTable {
    /** The table of the text, or a {@link Malformed} that says where it is wrong. An empty text is an empty table. */
    public static RoutingTable parse(String text) throws Malformed {
        return new RoutingTable();
    }

    /** The first entry that matches the bucket's name. Takes no garbage and constant time for tables by first byte. */
    public Optional<Entry> find(Bytes bucket) {
        return Optional.empty();
    }

    /** The entries in their order. */
    public List<Entry> entries() {
        return List.of();
    }

    /** What is odd about the table, though it can be used: one line each. */
    public List<String> warnings() {
        return List.of();
    }

    /** The canonical form: one line, without comments, as hashes and messages show it. */
    @Override
    public String toString() {
        return "";
    }

    /** One entry, and where it stands in the text (from 1). */
    public record Entry(String range, Node node, int line, int column) {}

    /**
     * A node as a table names it.
     *
     * @param name {@code name@host}
     * @param port the port that the table gives, 0 for none
     */
    public record Node(String name, int port) {}

    /** A text that is no routing table. The message holds line, column and what was expected. */
    public static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;

        Malformed(String message) {
            super(message);
        }
    }
}
