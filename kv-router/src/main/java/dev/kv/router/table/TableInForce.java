package dev.kv.router.table;

import java.time.Instant;

/**
 * The routing table in force.
 *
 * @param version its mzxid in ZooKeeper, 0 for the static table, {@link #NO_TABLE} without a table
 * @param source its origin, for people
 * @param since when it came into force
 * @param absence why there is no table yet, in which case {@code table} is the empty one; empty if there is a table
 */
public record TableInForce(RoutingTable table, long version, String source, Instant since, String absence) {
    /** What {@link #versionText} says where there is no table. */
    public static final String NONE = "none";

    /** The version where there is no table. */
    public static final long NO_TABLE = -1;

    public TableInForce(RoutingTable table, long version, String source, Instant since) {
        this(table, version, source, since, "");
    }

    /** A version for people: as ZooKeeper's command line prints it, {@code static}, or {@link #NONE}. */
    public static String versionText(long version) {
        if (version == NO_TABLE) {
            return NONE;
        }
        return version == 0 ? "static" : "0x" + Long.toHexString(version);
    }

    /** No table: every request is answered with {@code NOROUTE} and the reason. */
    public static TableInForce none(String absence) {
        return new TableInForce(RoutingTable.EMPTY, NO_TABLE, "", Instant.now(), absence);
    }
}
