package dev.kv.router.operator;

import dev.kv.router.table.RoutingTable;
import dev.kv.router.table.RoutingTable.Entry;
import dev.kv.router.zookeeper.NodeDocument;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;

/** Checks of a table against the registered nodes, before they get it. */
public final class Known {
    private Known() {}

    /** The nodes that the table names. */
    public static NavigableSet<String> named(RoutingTable table) {
        NavigableSet<String> names = new TreeSet<>();
        table.entries().stream().map(Entry::node).map(RoutingTable.Node::name).forEach(names::add);
        return names;
    }

    /** Warnings about the nodes that the table names, one line each. */
    public static List<String> warnings(RoutingTable table, Map<String, Optional<NodeDocument>> nodes) {
        List<String> warnings = new ArrayList<>();
        for (String name : named(table)) {
            if (!nodes.containsKey(name)) {
                warnings.add("nobody has seen the node " + name);
            } else if (nodes.get(name).map(NodeDocument::role).orElse("").equals("server")) {
                warnings.add(name + " keeps no data (server release)");
            }
        }
        return warnings;
    }
}
