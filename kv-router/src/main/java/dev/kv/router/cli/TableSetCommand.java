package dev.kv.router.cli;

import dev.kv.router.zookeeper.Tables;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(
        name = "set",
        description = {
            "Puts a routing table in the place of the one that is there.",
            "Checks it first, prints what is odd about it and which buckets it sends from",
            "whom to whom, and writes it unless somebody else has changed the table",
            "meanwhile. Ends with 3 if the text is refused, 4 if the table is not as",
            "expected, 5 if nodes hold buckets that it sends elsewhere; then nothing is",
            "written."
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

    @Parameters(
            paramLabel = "FILE|-|TEXT",
            description = "The file with the table; -: standard input; or the table itself.")
    private String word = "";

    @Override
    public Integer call() {
        TableText text = TableText.of(word, options.tableMaxBytes());
        try (Tables tables = options.open()) {
            return change.apply(
                    options, tables, text.source(), text.bytes().array(), tables.read(options.path(tables)));
        }
    }
}
