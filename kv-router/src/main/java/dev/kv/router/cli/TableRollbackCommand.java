package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.zookeeper.Tables;
import dev.kv.router.zookeeper.Tables.Past;
import dev.kv.router.zookeeper.Tables.Stored;
import dev.kv.router.zookeeper.Znodes;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(
        name = "rollback",
        description = {
            "Writes an earlier routing table again.",
            "Checks and exit statuses are those of `kv table set`. The table becomes the",
            "newest of the history; no entry is removed from the history."
        },
        footer = {"", "Example:", "  bin/kv table rollback", "  bin/kv table rollback 3"})
final class TableRollbackCommand implements Callable<Integer> {
    @Mixin
    private TableOptions options = new TableOptions();

    @Mixin
    private TableChange change = new TableChange();

    @Parameters(
            arity = "0..1",
            paramLabel = "N",
            description =
                    "The number, or the transaction as 0x5, that `kv table history` prints. Default: the last table"
                            + " that was applied before the current one and differs from it.")
    private Optional<String> number = Optional.empty();

    @Override
    public Integer call() {
        // Reports a malformed number before it connects.
        Optional<Long> wanted = number.map(word ->
                TableChange.mzxid(options, word, "a number of the history such as 3, or a transaction such as 0x5"));
        try (Tables tables = options.open()) {
            String path = options.path(tables);
            Optional<Stored> there = tables.read(path);
            Optional<Past> chosen = wanted.isPresent()
                    ? chosen(tables.history(path), number.get(), wanted.get())
                    : tables.newestFirst(path)
                            .filter(past -> there.filter(now -> !isBefore(tables, past, now))
                                    .isEmpty())
                            .findFirst();
            if (chosen.isEmpty()) {
                System.err.println("kv: the history of " + path + " has no "
                        + (number.isPresent() ? "such table" : "other table before the current one")
                        + ": see `kv table history"
                        + options.node().map(node -> " --node " + node).orElse("") + "`");
                return TableOptions.NO_TABLE;
            }
            Past past = chosen.get();
            String source = Znodes.hex(past.mzxid()) + " of the history";
            return change.apply(options, tables, source, past.text().getBytes(UTF_8), there);
        }
    }

    private static Optional<Past> chosen(Stream<Past> history, String word, long wanted) {
        if (word.startsWith("0x")) {
            return history.filter(past -> past.mzxid() == wanted).findFirst();
        }
        return wanted < 1 ? Optional.empty() : history.skip(wanted - 1).findFirst();
    }

    private static boolean isBefore(Tables tables, Past past, Stored now) {
        String sha256 = tables.see(past.path(), past.mzxid(), past.text().getBytes(UTF_8))
                .sha256();
        return past.mzxid() < now.table().mzxid() && !sha256.equals(now.table().sha256());
    }
}
