package dev.kv.router.zookeeper;

/**
 * Where things are in ZooKeeper.
 *
 * @param root {@code kv.router.zookeeper.path}, such as {@code /kv}
 */
public record Znodes(String root) {
    /** The routing table of all nodes that have none of their own. */
    public String table() {
        return root + "/table";
    }

    /** Above the tables of single nodes. */
    public String tables() {
        return root + "/tables";
    }

    /** The table of one node, in place of {@link #table}. */
    public String tableOf(String node) {
        return tables() + "/" + node;
    }

    /** Above what the nodes say of themselves. */
    public String nodes() {
        return root + "/nodes";
    }

    /** What one node says of itself; it is there while the node is connected. */
    public String node(String name) {
        return nodes() + "/" + name;
    }

    /** Above the tables that were applied. */
    public String history() {
        return root + "/history";
    }

    /** A table that was applied. */
    public String historyOf(long mzxid) {
        return history() + "/" + "%016x".formatted(mzxid);
    }

    /** A transaction's id as ZooKeeper's command line prints it. */
    public static String hex(long zxid) {
        return "0x" + Long.toHexString(zxid);
    }
}
