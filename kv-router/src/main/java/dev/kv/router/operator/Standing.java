package dev.kv.router.operator;

import dev.kv.router.zookeeper.NodeDocument;
import dev.kv.router.zookeeper.SeenTable;
import dev.kv.router.zookeeper.Znodes;
import java.util.Optional;

/**
 * How far a live node is with the table that is meant for it.
 *
 * @param node its name
 * @param says what it says of the table, in words
 */
public record Standing(String node, State state, String says) {
    /** What the node made of the table. */
    public enum State {
        /** It routes by it. */
        APPLIED,
        /** It refuses it, and will go on to. */
        REJECTED,
        /** It has not said. */
        PENDING
    }

    /**
     * Where the node stands.
     *
     * @param said its document; empty if it cannot be read
     * @param meant the table that is there for it
     */
    public static Standing of(String node, Optional<NodeDocument> said, SeenTable meant) {
        String mzxid = Znodes.hex(meant.mzxid());
        if (said.isEmpty()) {
            return new Standing(node, State.PENDING, "its document cannot be read");
        }
        NodeDocument.Table table = said.get().table();
        if (table.mzxid() != meant.mzxid() || !table.source().equals(meant.source())) {
            return new Standing(node, State.PENDING, "has not seen " + mzxid + ": " + inForce(said.get()));
        }
        return switch (table.state()) {
            case APPLIED -> new Standing(node, State.APPLIED, "applied " + mzxid);
            case REJECTED ->
                new Standing(
                        node, State.REJECTED, "rejected " + mzxid + ": " + table.reason() + "; " + inForce(said.get()));
            case MISSING -> new Standing(node, State.PENDING, "has no table: " + table.reason());
        };
    }

    /** Where a node stands that is not registered. */
    public static Standing absent(String node) {
        return new Standing(node, State.PENDING, "is not registered");
    }

    private static String inForce(NodeDocument said) {
        return said.inForce()
                .map(table -> Znodes.hex(table.mzxid()) + " of " + table.source() + " is in force")
                .orElse("no table is in force");
    }
}
