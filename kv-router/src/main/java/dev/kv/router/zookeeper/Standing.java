package dev.kv.router.zookeeper;

import java.util.Optional;

/**
 * The state of a registered node with regard to its table.
 *
 * @param node its name
 * @param says the state in words
 */
public record Standing(String node, State state, String says) {
    /** Whether the node has applied the table. */
    public enum State {
        /** It is in force there. */
        APPLIED,
        /** The node has rejected it. */
        REJECTED,
        /** The node has not reported it yet. */
        PENDING
    }

    /**
     * The state of a node.
     *
     * @param said its document; empty if it cannot be read
     * @param meant the table that it should apply
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

    /** The state of a registered node whose document was not read. */
    public static Standing unread(String node) {
        return new Standing(node, State.PENDING, "is not looked at (kv.router.zookeeper.nodes-max)");
    }

    /** The state of a node that is not registered. */
    public static Standing absent(String node) {
        return new Standing(node, State.PENDING, "is not registered");
    }

    private static String inForce(NodeDocument said) {
        return said.inForce()
                .map(table -> Znodes.hex(table.mzxid()) + " of " + table.source() + " is in force")
                .orElse("no table is in force");
    }
}
