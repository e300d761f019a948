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
    /** As many as a table has of each other kind of warnings. */
    private static final int WARNED_MAX = 16;

    private NamedNodes() {}

    /**
     * Warnings about the nodes of a table, one line each; a bounded number of them, since they are a part of each node's document.
     *
     * @param nodes the registered nodes with their documents; a document is empty if it cannot be read
     */
    public static List<String> warnings(RoutingTable table, Map<String, Optional<NodeDocument>> nodes) {
        return warnings(
                table.nodeNames(),
                name -> Optional.ofNullable(nodes.get(name))
                        .map(said -> said.map(NodeDocument::keepsData).orElse(true)));
    }

    /** The warning about a node that is not registered. */
    public static String absent(String name) {
        return name + " is not registered in ZooKeeper: it does not run, or does not reach ZooKeeper";
    }

    /**
     * Likewise.
     *
     * @param keepsData whether the node of this name has storage; empty if it is not registered
     */
    static List<String> warnings(Set<String> names, Function<String, Optional<Boolean>> keepsData) {
        List<String> warnings = new ArrayList<>();
        int more = 0;
        for (String name : names) {
            Optional<Boolean> keeps = keepsData.apply(name);
            if (keeps.orElse(false)) {
                continue;
            }
            if (warnings.size() == WARNED_MAX) {
                more++;
            } else if (keeps.isEmpty()) {
                warnings.add(absent(name));
            } else {
                warnings.add(name + " keeps no data (server release)");
            }
        }
        if (more > 0) {
            warnings.add(more + " more nodes are not registered, or keep no data");
        }
        return warnings;
    }
}
