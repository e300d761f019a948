package dev.kv.router.cli;

import dev.kv.router.zookeeper.Tables;
import java.util.List;

final class TableSetCommand implements Command {
    private final TableOptions options = new TableOptions();

    private final TableChange change = new TableChange();

    private final TableArgument argument = new TableArgument();

    @Override
    public Help help() {
        return new Help(
                "set", """
                Replaces the routing table.
                Checks the new table first, prints its warnings and which buckets it moves from
                node to node, and writes it unless the table has changed in the meantime.
                Writes nothing and ends with 3 if the text is rejected, 4 if the table is not
                the expected one, 5 if nodes hold buckets that it sends to other nodes.
                """, "bin/kv table set 'a..m=foo@red,n..z=bar@blue'", "bin/kv table set table.txt --expect 0x5");
    }

    @Override
    public List<Word> words() {
        return Word.list(change.with(options), argument.word());
    }

    @Override
    public int run() {
        TableText text = argument.text(options.tableMaxBytes());
        try (Tables tables = options.open()) {
            return change.apply(
                    options, tables, text.source(), text.bytes().array(), tables.read(options.path(tables)));
        }
    }
}
