package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.table.RoutingTable;
import dev.kv.router.zookeeper.SeenTable;
import dev.kv.router.zookeeper.Tables;
import dev.kv.router.zookeeper.Tables.Past;
import dev.kv.router.zookeeper.Znodes;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "history",
        description = {
            "Lists the routing tables that nodes have applied, oldest first.",
            "For each it prints its number for `kv table rollback`, the transaction that",
            "wrote it, the time when a node first applied it, and its canonical form. The",
            "last 1000 of all tables are kept."
        },
        footer = {"", "Example:", "  bin/kv table history"})
final class TableHistoryCommand implements Callable<Integer> {
    @Mixin
    private TableOptions options = new TableOptions();

    @Override
    public Integer call() {
        try (Tables tables = options.open()) {
            AtomicInteger number = new AtomicInteger();
            Stream<Past> history = tables.history(options.path(tables));
            if (options.json()) {
                Results.jsonList(history.map(past -> document(number.incrementAndGet(), past)));
            } else {
                history.forEach(past -> Results.line("%4d  %s  %s  [%s]"
                        .formatted(
                                number.incrementAndGet(),
                                past.time(),
                                Znodes.hex(past.mzxid()),
                                canonical(tables, past))));
            }
            return 0;
        }
    }

    private static String canonical(Tables tables, Past past) {
        SeenTable seen = tables.see(past.path(), past.mzxid(), past.text().getBytes(UTF_8));
        return seen.table().map(RoutingTable::printable).orElse(seen.reason());
    }

    private static Map<String, Object> document(int number, Past past) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("number", number);
        document.put("mzxid", Znodes.hex(past.mzxid()));
        document.put("path", past.path());
        document.put("time", past.time());
        document.put("text", past.text());
        return document;
    }
}
