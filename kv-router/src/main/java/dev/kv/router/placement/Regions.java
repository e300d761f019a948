package dev.kv.router.placement;

import dev.kv.router.Bytes;
import dev.kv.router.table.Range;
import dev.kv.router.table.RoutingTable;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;

/**
 * The names of buckets in regions: each of the given tables sends all names of a region to the same node. A region is identified by
 * a prefix: it holds the names with that prefix, without those of regions with a longer one. The bucket without a name is a region
 * of its own, with the empty prefix.
 */
final class Regions {
    private Regions() {}

    /** The regions in order: each follows those whose prefix is a prefix of its own. */
    static NavigableSet<Bytes> of(List<RoutingTable> tables) {
        NavigableSet<Bytes> regions = new TreeSet<>(new Range.All().shortestNames());
        for (RoutingTable table : tables) {
            for (RoutingTable.Entry entry : table.entries()) {
                // The names of all other ranges are there.
                if (entry.range() instanceof Range.Prefix(Bytes prefix)) {
                    regions.add(prefix);
                }
            }
        }
        return regions;
    }
}
