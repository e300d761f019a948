package dev.kv.router.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Option;

@Command(
        name = "table",
        description = {
            "Checks, shows and changes routing tables in ZooKeeper.",
            "The one of all nodes, or with --node that of one node alone. No node needs to",
            "run here; kv.router.zookeeper.connect says where ZooKeeper is. Ends with 0 when",
            "done, 1 when it failed, 2 for a command line that makes no sense, and",
            "  3  it is refused, here or by a node (check, set, rollback, wait)",
            "  4  the table is not as expected, or has changed meanwhile (set, rollback)",
            "  5  nodes hold buckets that the table sends elsewhere (set, rollback)",
            "  6  not all nodes have applied the table in time (wait)",
            "  7  there is no such table (show, wait, rollback)"
        },
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            TableCheckCommand.class,
            TableShowCommand.class,
            TableSetCommand.class,
            TableWaitCommand.class,
            TableHistoryCommand.class,
            TableRollbackCommand.class,
            HelpCommand.class
        },
        footer = {"", "Example:", "  bin/kv table set 'a..m=foo@red,n..z=bar@blue' && bin/kv table wait"})
final class TableCommand {
    @SuppressWarnings("UnusedVariable") // picocli looks at it
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Prints this text.")
    private boolean help;
}
