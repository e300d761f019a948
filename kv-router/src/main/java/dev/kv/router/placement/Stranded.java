package dev.kv.router.placement;

import dev.kv.router.Bytes;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.table.RoutingTable.Entry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Buckets that a node holds and that a new table would send to nodes that do not have them.
 *
 * @param node the node that holds them
 * @param entry the entry of the table in force there that sends them to it
 * @param buckets the number of buckets by this entry
 * @param bytes their size
 * @param partly whether the new table takes only a part of the entry's range away, so that {@code buckets} and {@code bytes} are
 *     upper bounds
 */
public record Stranded(String node, String entry, long buckets, long bytes, boolean partly) {
    /**
     * The buckets that {@code after} would strand on a node.
     *
     * @param inForce the table in force there, whose entries the holdings name
     */
    public static List<Stranded> on(String node, RoutingTable inForce, List<Holding> holdings, RoutingTable after) {
        Placement placement = new Placement(node, after);
        Map<String, Parts> parts = new LinkedHashMap<>();
        for (Bytes region : Regions.of(List.of(inForce, after))) {
            inForce.find(region).map(Entry::toString).ifPresent(entry -> {
                Parts now = parts.getOrDefault(entry, Parts.NONE);
                parts.put(entry, now.and(placement.of(region) instanceof Placement.Here));
            });
        }
        List<Stranded> stranded = new ArrayList<>();
        for (Holding held : holdings) {
            Parts of = parts.getOrDefault(held.entry(), Parts.NONE);
            if (held.buckets() > 0 && of.leave > 0) {
                stranded.add(new Stranded(node, held.entry(), held.buckets(), held.bytes(), of.stay > 0));
            }
        }
        return stranded;
    }

    /** Whether {@code after} sends any name elsewhere that the table in force sends to the node. */
    public static boolean areThinkable(String node, RoutingTable inForce, RoutingTable after) {
        Placement now = new Placement(node, inForce);
        Placement then = new Placement(node, after);
        return Regions.of(List.of(inForce, after)).stream()
                .anyMatch(region ->
                        now.of(region) instanceof Placement.Here && !(then.of(region) instanceof Placement.Here));
    }

    /** A substitute for the table in force on a node, of which only the entries are known that the node holds buckets of. */
    public static RoutingTable entriesOf(List<Holding> holdings) {
        String text = holdings.stream().map(Holding::entry).collect(Collectors.joining(","));
        try {
            return RoutingTable.parse(text);
        } catch (RoutingTable.Malformed e) {
            return RoutingTable.EMPTY;
        }
    }

    /** The numbers of regions of an entry that stay with its node, and that leave it. */
    private record Parts(int stay, int leave) {
        static final Parts NONE = new Parts(0, 0);

        Parts and(boolean stays) {
            return stays ? new Parts(stay + 1, leave) : new Parts(stay, leave + 1);
        }
    }
}
