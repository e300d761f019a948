package dev.kv.router.cli;

import dev.kv.router.zookeeper.SeenTable;
import dev.kv.router.zookeeper.Tables;
import dev.kv.router.zookeeper.Tables.Stored;
import dev.kv.router.zookeeper.Znodes;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "show",
        description = {
            "Prints the text of the routing table.",
            "Without --json, a line on standard error names its znode and the transaction",
            "that wrote it. Nodes that reject it route by the one before: see `kv nodes`.",
            "Ends with 7 if there is none."
        },
        footer = {"", "Example:", "  bin/kv table show > table.txt"})
final class TableShowCommand implements Callable<Integer> {
    @Mixin
    private TableOptions options = new TableOptions();

    @Override
    public Integer call() {
        try (Tables tables = options.open()) {
            Optional<Stored> stored = tables.read(options.path(tables));
            if (stored.isEmpty()) {
                System.err.println(options.absence(tables));
                return TableOptions.NO_TABLE;
            }
            print(stored.get());
            return 0;
        }
    }

    private void print(Stored stored) {
        SeenTable table = stored.table();
        String mzxid = Znodes.hex(table.mzxid());
        String since = stored.since().truncatedTo(ChronoUnit.SECONDS).toString();
        if (options.json()) {
            Results.json(Map.of(
                    "path", table.source(),
                    "mzxid", mzxid,
                    "since", since,
                    "sha256", table.sha256(),
                    "reason", table.reason(),
                    "text", table.text()));
            return;
        }
        System.err.println(table.source() + ", written by " + mzxid + " at " + since
                + (table.reason().isEmpty() ? "" : ", is rejected: " + table.reason()));
        Results.line(table.text().stripTrailing());
    }
}
