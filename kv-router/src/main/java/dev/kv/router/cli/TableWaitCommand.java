package dev.kv.router.cli;

import dev.kv.router.config.Settings;
import dev.kv.router.table.RoutingTable;
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
            "Prints the state of each node. Ends with 3 as soon as a node refuses its table,",
            "with 6 if some have not applied theirs in time, with 7 if there is no table."
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
                Optional<List<Standing>> standings = standings(tables);
                if (standings.isEmpty()) {
                    System.err.println(options.absence(tables));
                    return TableOptions.NO_TABLE;
                }
                int status = status(standings.get());
                if (status != TableOptions.NOT_IN_TIME || System.nanoTime() - deadlineNanos > 0) {
                    TableOptions.tellUnread(tables);
                    print(standings.get());
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

    /** Where the nodes are with the tables that stand there now; empty if there is none. */
    private Optional<List<Standing>> standings(Tables tables) {
        Optional<SeenTable> common = tables.read(options.path(tables)).map(Stored::table);
        if (common.isEmpty()) {
            return Optional.empty();
        }
        List<String> withOwn = options.node().isPresent() ? List.of() : tables.nodesWithOwnTable();
        Set<String> named = options.node()
                .map(Set::of)
                .or(() -> common.get().table().map(RoutingTable::nodeNames))
                .orElse(Set.of());
        List<Standing> standings = new ArrayList<>();
        tables.nodes(named).forEach((name, said) -> {
            if (options.node().filter(only -> !only.equals(name)).isEmpty()) {
                Optional<SeenTable> own = withOwn.contains(name)
                        ? tables.read(tables.znodes().tableOf(name)).map(Stored::table)
                        : Optional.empty();
                standings.add(Standing.of(name, said, own.or(() -> common).get()));
            }
        });
        tables.unread().stream().filter(named::contains).map(Standing::unread).forEach(standings::add);
        options.node().filter(_ -> standings.isEmpty()).map(Standing::absent).ifPresent(standings::add);
        return Optional.of(standings);
    }

    private static int status(List<Standing> standings) {
        if (standings.stream().anyMatch(standing -> standing.state() == Standing.State.REJECTED)) {
            return TableOptions.REFUSED;
        }
        return standings.stream().allMatch(standing -> standing.state() == Standing.State.APPLIED)
                ? 0
                : TableOptions.NOT_IN_TIME;
    }

    private void print(List<Standing> standings) {
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
