package dev.kv.router.cli;

import dev.kv.router.config.Settings;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.zookeeper.NamedNodes;
import dev.kv.router.zookeeper.SeenTable;
import dev.kv.router.zookeeper.Tables;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "check",
        description = {
            "Checks a text as a routing table, and prints its errors and warnings.",
            "With kv.router.zookeeper.connect it also checks the nodes that the table names.",
            "Changes nothing. Ends with 3 if nodes would reject the text."
        },
        footer = {"", "Example:", "  bin/kv table check table.txt"})
final class TableCheckCommand implements Callable<Integer> {
    @Mixin
    private TableOptions options = new TableOptions();

    @Mixin
    private TableArgument argument = new TableArgument();

    @Override
    public Integer call() {
        Settings settings = options.settings();
        int maxBytes = options.tableMaxBytes();
        TableText text = argument.text(maxBytes);
        SeenTable seen = SeenTable.of(text.source(), 0, text.bytes().array(), maxBytes);
        List<String> warnings = new ArrayList<>();
        seen.table().ifPresent(table -> {
            warnings.addAll(table.warnings());
            if (!settings.text("kv.router.zookeeper.connect").isBlank()) {
                try (Tables tables = TableOptions.open(settings)) {
                    warnings.addAll(NamedNodes.warnings(table, TableOptions.nodes(tables, table.nodeNames())));
                }
            }
        });
        print(seen, warnings);
        return seen.table().isPresent() ? 0 : TableOptions.REJECTED;
    }

    private void print(SeenTable seen, List<String> warnings) {
        if (options.json()) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("reason", seen.reason());
            document.put("warnings", warnings);
            document.put("table", seen.table().map(RoutingTable::toString).orElse(""));
            Results.json(document);
            return;
        }
        warnings.forEach(warning -> Results.line("warning: " + warning));
        seen.table()
                .ifPresentOrElse(
                        table -> Results.line("a routing table: [" + table.printable() + "]"),
                        () -> System.err.println("kv: " + seen.source() + ": " + seen.reason()));
    }
}
