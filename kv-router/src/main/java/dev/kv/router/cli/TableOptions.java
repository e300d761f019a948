package dev.kv.router.cli;

import dev.kv.router.config.Settings;
import dev.kv.router.node.NodeSettings;
import dev.kv.router.spi.Logging;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.zookeeper.NodeDocument;
import dev.kv.router.zookeeper.Tables;
import dev.kv.router.zookeeper.ZooKeeperSettings;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import picocli.CommandLine;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The options of the commands on routing tables, and their connection to ZooKeeper. */
final class TableOptions {
    /** Exit statuses beside those of every command: 0 success, 1 failure, 2 wrong command line. */
    static final int REJECTED = 3;

    static final int CHANGED_MEANWHILE = 4;
    static final int WOULD_STRAND = 5;
    static final int NOT_IN_TIME = 6;
    static final int NO_TABLE = 7;

    @Mixin
    private Options options = new Options();

    @Option(
            names = "--node",
            paramLabel = "NAME",
            description = "Uses the table of this node in place of the common one.")
    private Optional<String> node = Optional.empty();

    @Option(names = "--json", description = "Prints a JSON document.")
    private boolean json;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    boolean json() {
        return json;
    }

    Optional<String> node() {
        if (node.isPresent() && !RoutingTable.Node.isName(node.get())) {
            throw usage("--node " + node.get() + ": expected name@host");
        }
        return node;
    }

    Settings settings() {
        return options.settings();
    }

    /** The largest table that is read. */
    int tableMaxBytes() {
        return (int) NodeSettings.tableMaxBytes(settings());
    }

    /** The tables in the ZooKeeper of the configuration. */
    Tables open() {
        // Reports a malformed name before it connects.
        node();
        return open(settings());
    }

    static Tables open(Settings settings) {
        ZooKeeperSettings zookeeper = ZooKeeperSettings.of(settings)
                .orElseThrow(() -> settings.bad(
                        "kv.router.zookeeper.connect",
                        "expected host:port, set in config/kv.conf or KV_ZOOKEEPER: this command needs ZooKeeper"));
        // The client's messages on attempts and threads: a command reports the outcome in one line.
        Options.warn(Map.of("org.apache.zookeeper", Logging.Level.OFF, "org.apache.curator", Logging.Level.OFF));
        return Tables.open(zookeeper, NodeSettings.tableMaxBytes(settings));
    }

    /**
     * The registered nodes with their documents; says on standard error if they are not all.
     *
     * @param first the names of the nodes that are not left out for others
     */
    static SortedMap<String, Optional<NodeDocument>> nodes(Tables tables, Set<String> first) {
        SortedMap<String, Optional<NodeDocument>> nodes = tables.nodes(first);
        tellUnread(tables);
        return nodes;
    }

    static void tellUnread(Tables tables) {
        if (!tables.unread().isEmpty()) {
            System.err.println("kv: " + tables.unread().size()
                    + " more registered nodes are not looked at: raise kv.router.zookeeper.nodes-max");
        }
    }

    /** The znode of the table that these options select. */
    String path(Tables tables) {
        return node().map(tables.znodes()::tableOf).orElse(tables.znodes().table());
    }

    /** The message that there is no such table. */
    String absence(Tables tables) {
        return "kv: " + path(tables) + " does not exist"
                + node().map(name -> ": " + name + " follows " + tables.znodes().table())
                        .orElse("");
    }

    CommandLine.ParameterException usage(String what) {
        return new CommandLine.ParameterException(spec.commandLine(), what);
    }
}
