package dev.kv.router.placement;

import dev.kv.router.Bytes;
import dev.kv.router.table.Range;
import dev.kv.router.table.RoutingTable;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;

/**
 * All names of buckets, in regions of which every one of some tables sends all names the same way. A region is told by the name
 * that it begins with: it holds the names that begin so, less those of longer regions. The bucket without a name is a region
 * of its own, told by the empty name.
 */
final class Regions {
    private Regions() {}

    /** The regions in their order: each stands behind those that hold its beginning. */
    static NavigableSet<Bytes> of(List<RoutingTable> tables) {
        NavigableSet<Bytes> regions = new TreeSet<>(new Range.All().shortestNames());
        for (RoutingTable table : tables) {
            table.entries().forEach(entry -> regions.addAll(entry.range().shortestNames()));
        }
        return regions;
    }
}
