package dev.kv.router.cli;

import dev.kv.router.zookeeper.Tables;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "set",
        description = {
            "Replaces the routing table.",
            "Checks the new table first, prints its warnings and which names it sends to",
            "another node, and writes it unless the table has changed in the meantime. What",
            "these names hold does not move. Writes nothing and ends with 3 if the text is",
            "rejected, 4 if the table is not the expected one, 5 if nodes hold buckets that",
            "it sends to other nodes. To remove the table of a node, delete its znode:",
            "bin/zkCli.sh delete /kv/tables/NAME."
        },
        footer = {
            "",
            "Example:",
            "  bin/kv table set 'a..m=foo@red,n..z=bar@blue'",
            "  bin/kv table set table.txt --expect 0x5"
        })
final class TableSetCommand implements Callable<Integer> {
    @Mixin
    private TableOptions options = new TableOptions();

    @Mixin
    private TableChange change = new TableChange();

    @Mixin
    private TableArgument argument = new TableArgument();

    @Override
    public Integer call() {
        TableText text = argument.text(options.tableMaxBytes());
        try (Tables tables = options.open()) {
            return change.apply(
                    options, tables, text.source(), text.bytes().array(), tables.read(options.path(tables)));
        }
    }
}
