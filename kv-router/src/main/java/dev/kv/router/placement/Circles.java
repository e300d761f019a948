package dev.kv.router.placement;

import dev.kv.router.Bytes;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.table.RoutingTable.Entry;
import dev.kv.router.table.RoutingTable.Node;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;

/** Routing loops of tables that differ from node to node: each node sends a name to the next one, and the last to the first. */
public final class Circles {
    private Circles() {}

    /**
     * One line for each loop, with an entry that leads into it.
     *
     * @param common the table of all nodes
     * @param own those of the nodes that have another one
     */
    public static List<String> of(RoutingTable common, Map<String, RoutingTable> own) {
        List<RoutingTable> all =
                Stream.concat(Stream.of(common), own.values().stream()).toList();
        Map<List<String>, Entry> loops = new LinkedHashMap<>();
        for (Bytes region : Regions.of(all)) {
            // By the common table alone, each name is at its node after one step: a loop has a node with another one.
            for (String first : new TreeSet<>(own.keySet())) {
                List<String> loop = loop(first, region, common, own);
                boolean isKnown = loop.stream().anyMatch(name -> own.containsKey(name) && name.compareTo(first) < 0);
                if (!loop.isEmpty() && !isKnown) {
                    loops.putIfAbsent(loop, own.get(first).find(region).orElseThrow());
                }
            }
        }
        return loops.entrySet().stream()
                .map(loop -> text(loop.getKey(), loop.getValue()))
                .toList();
    }

    private static String text(List<String> loop, Entry entry) {
        String first = loop.getFirst();
        return "requests end with CIRCLE: %s -> %s, by %s of %s and the tables of the others"
                .formatted(String.join(" -> ", loop), first, entry, first);
    }

    /** The nodes of the loop in which the tables send a name from this node; empty if it does not come back to it. */
    private static List<String> loop(String first, Bytes name, RoutingTable common, Map<String, RoutingTable> own) {
        List<String> way = new ArrayList<>();
        String at = first;
        while (!way.contains(at)) {
            way.add(at);
            Optional<String> next =
                    own.getOrDefault(at, common).find(name).map(Entry::node).map(Node::name);
            if (next.isEmpty() || next.get().equals(at)) {
                return List.of();
            }
            at = next.get();
        }
        return at.equals(first) ? way : List.of();
    }
}
