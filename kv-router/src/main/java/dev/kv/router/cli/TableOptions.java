package dev.kv.router.cli;

import dev.kv.router.config.Settings;
import dev.kv.router.node.NodeSettings;
import dev.kv.router.spi.Logging;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.zookeeper.Tables;
import dev.kv.router.zookeeper.ZooKeeperSettings;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What the commands on routing tables take, and how they reach ZooKeeper. */
final class TableOptions {
    /** Statuses beside those of every command: 0 done, 1 failed, 2 a command line that makes no sense. */
    static final int REFUSED = 3;

    static final int CHANGED_MEANWHILE = 4;
    static final int WOULD_STRAND = 5;
    static final int NOT_IN_TIME = 6;
    static final int NO_TABLE = 7;

    @Mixin
    private Options options = new Options();

    @Option(names = "--node", paramLabel = "NAME", description = "The table of this node alone.")
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
        // A name that is none is told first.
        node();
        return open(settings());
    }

    static Tables open(Settings settings) {
        ZooKeeperSettings zookeeper = ZooKeeperSettings.of(settings)
                .orElseThrow(() ->
                        settings.bad("kv.router.zookeeper.connect", "expected host:port: this command asks ZooKeeper"));
        // What its client has to say of attempts and threads, a command says in one line.
        Options.warn(Map.of("org.apache.zookeeper", Logging.Level.OFF, "org.apache.curator", Logging.Level.OFF));
        return Tables.open(zookeeper, NodeSettings.tableMaxBytes(settings));
    }

    /** The znode that these options mean. */
    String path(Tables tables) {
        return node().map(tables.znodes()::tableOf).orElse(tables.znodes().table());
    }

    /** Says that there is no such table. */
    String absence(Tables tables) {
        return "kv: " + path(tables) + " does not exist"
                + node().map(name -> ": " + name + " follows " + tables.znodes().table())
                        .orElse("");
    }

    CommandLine.ParameterException usage(String what) {
        return new CommandLine.ParameterException(spec.commandLine(), what);
    }
}
