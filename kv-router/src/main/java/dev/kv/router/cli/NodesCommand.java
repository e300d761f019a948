package dev.kv.router.cli;

import dev.kv.router.placement.Holding;
import dev.kv.router.placement.Holdings;
import dev.kv.router.zookeeper.NodeDocument;
import dev.kv.router.zookeeper.Tables;
import dev.kv.router.zookeeper.Znodes;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "nodes",
        description = {
            "Lists the nodes that are registered in ZooKeeper.",
            "It also lists nodes that a routing table names and that are not registered. It",
            "prints the role and the addresses of each node, the state of its newest table,",
            "and how many buckets and bytes it holds."
        },
        footer = {"", "Example:", "  bin/kv nodes --json"})
final class NodesCommand implements Callable<Integer> {
    @Mixin
    private Options options = new Options();

    @Option(names = "--json", description = "Prints a JSON list of the documents of the nodes.")
    private boolean json;

    @Override
    public Integer call() {
        try (Tables tables = TableOptions.open(options.settings())) {
            NavigableSet<String> absent = new TreeSet<>();
            Stream.concat(
                            Stream.of(tables.znodes().table()),
                            tables.nodesWithOwnTable().stream().map(tables.znodes()::tableOf))
                    .flatMap(path -> tables.read(path).stream())
                    .flatMap(stored -> stored.table().table().stream())
                    .forEach(table -> absent.addAll(table.nodeNames()));
            SortedMap<String, Optional<NodeDocument>> nodes = TableOptions.nodes(tables, absent);
            absent.removeAll(nodes.keySet());
            if (json) {
                Results.json(Stream.concat(
                                nodes.entrySet().stream().map(node -> document(node.getKey(), node.getValue())),
                                absent.stream().map(name -> Map.of("name", name, "absent", true)))
                        .toList());
            } else {
                nodes.forEach(NodesCommand::print);
                absent.forEach(name ->
                        Results.line(name + "  absent: a table names it, and it is not registered in ZooKeeper"));
                if (nodes.isEmpty() && absent.isEmpty()) {
                    Results.line("no node is registered in " + tables.znodes().nodes());
                }
            }
            return 0;
        }
    }

    private static Map<String, Object> document(String name, Optional<NodeDocument> said) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("name", name);
        said.map(NodeDocument::toMap).ifPresent(document::putAll);
        return document;
    }

    private static void print(String name, Optional<NodeDocument> said) {
        if (said.isEmpty()) {
            Results.line(name + "  its document cannot be read");
            return;
        }
        NodeDocument node = said.get();
        Results.line(name + "  " + node.role() + ", nodes at " + node.peer()
                + (node.client().isEmpty() ? "" : ", clients at " + node.client()));
        Results.line("  table  " + table(node));
        node.table().warnings().forEach(warning -> Results.line("  warning  " + warning));
        if (node.keepsData()) {
            Results.line("  holds  " + node.holds().map(NodesCommand::amount).orElse("unknown"));
        }
        if (node.misplaced().buckets() > 0) {
            Results.line("  misplaced  " + node.misplaced().amount() + ": "
                    + String.join(" ", node.misplaced().names()));
        }
    }

    private static String amount(List<Holding> holds) {
        return Holdings.amount(
                holds.stream().mapToLong(Holding::buckets).sum(),
                holds.stream().mapToLong(Holding::bytes).sum());
    }

    private static String table(NodeDocument node) {
        NodeDocument.Table table = node.table();
        String inForce = node.inForce()
                .map(now -> "%s of %s, since %s".formatted(Znodes.hex(now.mzxid()), now.source(), now.since()))
                .orElse("none");
        return switch (table.state()) {
            case APPLIED -> inForce;
            case REJECTED ->
                "%s of %s is rejected: %s; in force: %s"
                        .formatted(Znodes.hex(table.mzxid()), table.source(), table.reason(), inForce);
            case MISSING -> table.reason() + "; in force: " + inForce;
        };
    }
}
