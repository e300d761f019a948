package dev.kv.router.cli;

import dev.kv.router.config.Settings;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.zookeeper.NodeDocument;
import dev.kv.router.zookeeper.SeenTable;
import dev.kv.router.zookeeper.Standing;
import dev.kv.router.zookeeper.Tables;
import dev.kv.router.zookeeper.Tables.Stored;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "wait",
        description = {
            "Waits until all registered nodes have applied their routing table.",
            "Their table is /kv/table, or the one of the node alone where there is one.",
            "Prints the state of each node. Ends with 3 as soon as a node rejects its table,",
            "with 6 if some have not applied theirs in time or none is registered, with 7 if",
            "there is no table."
        },
        footer = {"", "Example:", "  bin/kv table wait --timeout 10s"})
final class TableWaitCommand implements Callable<Integer> {
    private static final Duration PAUSE = Duration.ofMillis(100);

    @Mixin
    private TableOptions options = new TableOptions();

    @Option(
            names = "--timeout",
            paramLabel = "DURATION",
            defaultValue = "30s",
            description = "How long to wait, such as 500ms, 10s or 5m. Default: ${DEFAULT-VALUE}.")
    private String timeout = "";

    @Override
    public Integer call() {
        long deadlineNanos = System.nanoTime() + timeout().toNanos();
        try (Tables tables = options.open()) {
            while (true) {
                Optional<Nodes> nodes = nodes(tables);
                if (nodes.isEmpty()) {
                    System.err.println(options.absence(tables));
                    return TableOptions.NO_TABLE;
                }
                int status = status(nodes.get().standings());
                if (status != TableOptions.NOT_IN_TIME || System.nanoTime() - deadlineNanos > 0) {
                    TableOptions.tellUnread(tables);
                    print(nodes.get());
                    return status;
                }
                LockSupport.parkNanos(PAUSE.toNanos());
            }
        }
    }

    private Duration timeout() {
        return Settings.durationOf(timeout)
                .filter(duration -> !duration.isNegative())
                .orElseThrow(() -> options.usage(
                        "--timeout " + timeout + ": expected a number with a unit, such as 500ms, 10s or 5m"));
    }

    /**
     * The nodes that are waited for.
     *
     * @param standings where the registered ones are with the tables that stand there now
     * @param absent those that the table names and that are not registered
     */
    private record Nodes(List<Standing> standings, Set<String> absent) {}

    /** Empty if there is no table, or none for one of the registered nodes. */
    private Optional<Nodes> nodes(Tables tables) {
        Optional<SeenTable> common = tables.read(options.path(tables)).map(Stored::table);
        List<String> withOwn = options.node().isPresent() ? List.of() : tables.nodesWithOwnTable();
        Set<String> named = options.node()
                .map(Set::of)
                .or(() -> common.flatMap(SeenTable::table).map(RoutingTable::nodeNames))
                .orElse(Set.of());
        Set<String> absent = new TreeSet<>(named);
        List<Standing> standings = new ArrayList<>();
        for (Map.Entry<String, Optional<NodeDocument>> node :
                tables.nodes(named).entrySet()) {
            String name = node.getKey();
            absent.remove(name);
            if (options.node().filter(only -> !only.equals(name)).isPresent()) {
                continue;
            }
            Optional<SeenTable> own = withOwn.contains(name)
                    ? tables.read(tables.znodes().tableOf(name)).map(Stored::table)
                    : Optional.empty();
            Optional<SeenTable> meant = own.or(() -> common);
            if (meant.isEmpty()) {
                return Optional.empty();
            }
            standings.add(Standing.of(name, node.getValue(), meant.get()));
        }
        tables.unread().forEach(absent::remove);
        tables.unread().stream().filter(named::contains).map(Standing::unread).forEach(standings::add);
        if (standings.isEmpty()) {
            if (common.isEmpty()) {
                return Optional.empty();
            }
            options.node().map(Standing::absent).ifPresent(standings::add);
        }
        return Optional.of(new Nodes(standings, absent));
    }

    private static int status(List<Standing> standings) {
        if (standings.stream().anyMatch(standing -> standing.state() == Standing.State.REJECTED)) {
            return TableOptions.REJECTED;
        }
        return !standings.isEmpty()
                        && standings.stream().allMatch(standing -> standing.state() == Standing.State.APPLIED)
                ? 0
                : TableOptions.NOT_IN_TIME;
    }

    private void print(Nodes nodes) {
        List<Standing> standings = nodes.standings();
        if (options.node().isEmpty() && !nodes.absent().isEmpty()) {
            System.err.println("kv: not registered, though the table names them: " + String.join(", ", nodes.absent()));
        }
        if (options.json()) {
            Results.json(standings.stream()
                    .map(standing -> Map.of(
                            "name", standing.node(),
                            "state", standing.state().name().toLowerCase(Locale.ROOT),
                            "says", standing.says()))
                    .toList());
        } else if (standings.isEmpty()) {
            Results.line("no node is registered");
        } else {
            standings.forEach(standing -> Results.line(standing.node() + "  " + standing.says()));
        }
    }
}
