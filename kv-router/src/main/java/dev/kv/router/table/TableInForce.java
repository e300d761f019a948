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
    /** The version where there is no table. */
    public static final long NO_TABLE = -1;

    public TableInForce(RoutingTable table, long version, String source, Instant since) {
        this(table, version, source, since, "");
    }

    /** No table: every request is answered with {@code NOROUTE} and the reason. */
    public static TableInForce none(String absence) {
        return new TableInForce(RoutingTable.EMPTY, NO_TABLE, "", Instant.now(), absence);
    }
}
