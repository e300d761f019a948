package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.placement.Circles;
import dev.kv.router.placement.Holding;
import dev.kv.router.placement.Holdings;
import dev.kv.router.placement.Move;
import dev.kv.router.placement.Stranded;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.zookeeper.NamedNodes;
import dev.kv.router.zookeeper.NodeDocument;
import dev.kv.router.zookeeper.NodeDocument.InForce;
import dev.kv.router.zookeeper.SeenTable;
import dev.kv.router.zookeeper.Tables;
import dev.kv.router.zookeeper.Tables.Past;
import dev.kv.router.zookeeper.Tables.Stored;
import dev.kv.router.zookeeper.Znodes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SortedMap;
import picocli.CommandLine.Option;

/** How {@code set} and {@code rollback} replace a table. */
final class TableChange {
    @Option(
            names = "--expect",
            paramLabel = "MZXID",
            description = "Fails unless this transaction wrote the current table; 0x0: unless there is no table.")
    private Optional<String> expect = Optional.empty();

    @Option(
            names = "--strand",
            description = "Writes the table even if nodes hold buckets that it sends to other nodes.")
    private boolean strand;

    /** The outcome, for output. */
    private record Report(
            String path,
            Optional<Stored> before,
            List<String> warnings,
            List<Move> moves,
            List<Stranded> stranded,
            List<String> unknown,
            OptionalLong mzxid) {}

    /**
     * Checks the text, and replaces the current table with it.
     *
     * @param source the origin of the text, for messages
     * @param before the current table; empty if there is none
     * @return the exit status
     */
    int apply(TableOptions options, Tables tables, String source, byte[] text, Optional<Stored> before) {
        String path = options.path(tables);
        SeenTable seen = tables.see(path, 0, text);
        if (seen.table().isEmpty()) {
            return fail(TableOptions.REJECTED, source + ": " + seen.reason());
        }
        long there = before.map(stored -> stored.table().mzxid()).orElse(0L);
        if (expect.isPresent() && mzxid(options, expect.get(), "a transaction such as 0x5") != there) {
            return fail(TableOptions.CHANGED_MEANWHILE, path + " is not as expected: " + written(there));
        }
        RoutingTable after = seen.table().get();
        RoutingTable now = routing(options, tables, before);
        Set<String> named = new HashSet<>(after.nodeNames());
        named.addAll(now.nodeNames());
        options.node().ifPresent(named::add);
        SortedMap<String, Optional<NodeDocument>> nodes = TableOptions.nodes(tables, named);
        List<String> warnings = new ArrayList<>(after.warnings());
        warnings.addAll(NamedNodes.warnings(after, nodes));
        options.node()
                .filter(name -> !nodes.containsKey(name) && !after.nodeNames().contains(name))
                .map(NamedNodes::absent)
                .ifPresent(warnings::add);
        warnings.addAll(circles(options, tables, after));
        if (tables.newestFirst(path).findAny().isPresent()) {
            // A node that does not run now comes back with what it holds.
            now.nodeNames().forEach(name -> nodes.putIfAbsent(name, Optional.empty()));
        }
        nodes.keySet().retainAll(followers(options, tables, nodes.keySet()));
        List<Stranded> stranded = new ArrayList<>();
        List<String> unknown = new ArrayList<>();
        nodes.forEach((name, said) -> {
            Optional<RoutingTable> inForce = said.isEmpty() ? Optional.of(now) : inForce(tables, said.get(), before);
            Optional<List<Holding>> holds = said.flatMap(NodeDocument::holds);
            if (holds.isPresent()) {
                RoutingTable by = inForce.orElseGet(() -> Stranded.entriesOf(holds.get()));
                stranded.addAll(Stranded.on(name, by, holds.get(), after));
            } else if (inForce.map(by -> Stranded.areThinkable(name, by, after)).orElse(true)) {
                unknown.add(name);
            }
        });
        List<Move> moves = Move.between(now, after);

        boolean isRefused = !strand && !(stranded.isEmpty() && unknown.isEmpty());
        OptionalLong mzxid = isRefused ? OptionalLong.empty() : tables.write(path, before, text);
        print(options, new Report(path, before, warnings, moves, stranded, unknown, mzxid));
        if (isRefused) {
            return fail(
                    TableOptions.WOULD_STRAND,
                    "nothing written: nodes %s buckets that this table sends to other nodes, which do not have them; --strand"
                                    .formatted(stranded.isEmpty() ? "may hold" : "hold")
                            + " writes it anyway");
        }
        return mzxid.isPresent()
                ? 0
                : fail(
                        TableOptions.CHANGED_MEANWHILE,
                        "nothing written: " + path + " has changed in the meantime: see `kv table show`");
    }

    private static int fail(int status, String line) {
        System.err.println("kv: " + line);
        return status;
    }

    /** The number of a transaction in the form that ZooKeeper's command line prints. */
    static long mzxid(TableOptions options, String text, String expected) {
        try {
            return Long.decode(text);
        } catch (NumberFormatException e) {
            throw options.usage(text + ": expected " + expected);
        }
    }

    private static String written(long mzxid) {
        return mzxid == 0 ? "it does not exist" : Znodes.hex(mzxid) + " wrote it";
    }

    /** The table in force, from ZooKeeper or its history; the empty table if neither has one. */
    private static RoutingTable routing(TableOptions options, Tables tables, Optional<Stored> before) {
        if (before.isEmpty() && options.node().isPresent()) {
            return table(tables, tables.znodes().table()).orElse(RoutingTable.EMPTY);
        }
        // If the current table is rejected, the one before it is in force.
        return before.flatMap(stored -> stored.table().table())
                .or(() -> tables.newestFirst(options.path(tables)).findFirst().flatMap(past -> table(tables, past)))
                .orElse(RoutingTable.EMPTY);
    }

    private static Optional<RoutingTable> table(Tables tables, Past past) {
        return tables.see(past.path(), past.mzxid(), past.text().getBytes(UTF_8))
                .table();
    }

    /** The routing loops that the table makes with those of other nodes. */
    private static List<String> circles(TableOptions options, Tables tables, RoutingTable after) {
        Map<String, RoutingTable> own = new HashMap<>();
        for (String node : tables.nodesWithOwnTable()) {
            table(tables, tables.znodes().tableOf(node)).ifPresent(table -> own.put(node, table));
        }
        options.node().ifPresent(node -> own.put(node, after));
        RoutingTable common = options.node().isEmpty()
                ? after
                : table(tables, tables.znodes().table()).orElse(RoutingTable.EMPTY);
        return own.isEmpty() ? List.of() : Circles.of(common, own);
    }

    private static Optional<RoutingTable> table(Tables tables, String path) {
        return tables.read(path).flatMap(stored -> stored.table().table());
    }

    /** The nodes that follow the table that is replaced. */
    private static Set<String> followers(TableOptions options, Tables tables, Set<String> nodes) {
        if (options.node().isPresent()) {
            return Set.of(options.node().get());
        }
        Set<String> followers = new HashSet<>(nodes);
        tables.nodesWithOwnTable().forEach(followers::remove);
        return followers;
    }

    private static Optional<RoutingTable> inForce(Tables tables, NodeDocument node, Optional<Stored> before) {
        Optional<Long> mzxid = node.inForce().map(InForce::mzxid);
        return before.map(Stored::table)
                .filter(table -> mzxid.equals(Optional.of(table.mzxid())))
                .flatMap(SeenTable::table)
                .or(() -> mzxid.flatMap(tables::past).flatMap(past -> table(tables, past)));
    }

    private static void print(TableOptions options, Report report) {
        if (options.json()) {
            Results.json(document(report));
            return;
        }
        report.warnings.forEach(warning -> Results.line("warning: " + warning));
        if (report.moves.isEmpty()) {
            Results.line("no bucket is sent to another node");
        }
        report.moves.forEach(move -> Results.line(text(move)));
        report.stranded.forEach(stranded -> Results.line(text(stranded)));
        report.unknown.forEach(node -> Results.line("it is not known what " + node
                + " holds, which is not registered or does not tell: this table sends names elsewhere"
                + " that are sent to it now"));
        report.mzxid.ifPresent(mzxid -> Results.line(report.path + " is " + Znodes.hex(mzxid) + " now"
                + report.before.map(TableChange::was).orElse("")));
    }

    private static String was(Stored before) {
        return "; it was " + Znodes.hex(before.table().mzxid());
    }

    private static String text(Move move) {
        String from = move.from().orElse("nobody");
        return move.from().equals(move.to())
                ? move.range() + "  stays with " + from
                : move.range() + "  " + from + " -> " + move.to().orElse("nobody");
    }

    private static String text(Stranded stranded) {
        return "%s holds %s%s of %s that this table sends elsewhere"
                .formatted(
                        stranded.node(),
                        stranded.partly() ? "up to " : "",
                        Holdings.amount(stranded.buckets(), stranded.bytes()),
                        stranded.entry());
    }

    private static Map<String, Object> document(Report report) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("path", report.path);
        document.put(
                "before",
                Znodes.hex(report.before.map(stored -> stored.table().mzxid()).orElse(0L)));
        document.put("written", report.mzxid.isPresent());
        report.mzxid.ifPresent(mzxid -> document.put("mzxid", Znodes.hex(mzxid)));
        document.put("warnings", report.warnings);
        document.put(
                "moves",
                report.moves.stream()
                        .map(move -> Map.of(
                                "range", move.range(),
                                "from", move.from().orElse(""),
                                "to", move.to().orElse("")))
                        .toList());
        document.put(
                "stranded",
                report.stranded.stream()
                        .map(stranded -> Map.of(
                                "node", stranded.node(),
                                "entry", stranded.entry(),
                                "buckets", stranded.buckets(),
                                "bytes", stranded.bytes(),
                                "partly", stranded.partly()))
                        .toList());
        document.put("unknown", report.unknown);
        return document;
    }
}
