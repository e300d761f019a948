package dev.kv.router.zookeeper;

import dev.kv.router.table.RoutingTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/** Checks the nodes that a table names. */
public final class NamedNodes {
    private NamedNodes() {}

    /**
     * Warnings about the nodes of a table, one line each.
     *
     * @param nodes the registered nodes with their documents; a document is empty if it cannot be read
     */
    public static List<String> warnings(RoutingTable table, Map<String, Optional<NodeDocument>> nodes) {
        return warnings(
                table.nodeNames(),
                name -> Optional.ofNullable(nodes.get(name))
                        .map(said -> said.map(NodeDocument::keepsData).orElse(true)));
    }

    /**
     * Likewise.
     *
     * @param keepsData whether the node of this name has storage; empty if it is not registered
     */
    static List<String> warnings(Set<String> names, Function<String, Optional<Boolean>> keepsData) {
        List<String> warnings = new ArrayList<>();
        for (String name : names) {
            Optional<Boolean> keeps = keepsData.apply(name);
            if (keeps.isEmpty()) {
                warnings.add(name + " is not registered in ZooKeeper: it does not run, or does not reach ZooKeeper");
            } else if (!keeps.get()) {
                warnings.add(name + " keeps no data (server release)");
            }
        }
        return warnings;
    }
}
