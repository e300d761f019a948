package dev.kv.router.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
        name = "table",
        description = {
            "Checks, shows and changes routing tables in ZooKeeper.",
            "The common table, or with --node the table of one node. No node needs to run on",
            "this host; kv.router.zookeeper.connect names the ZooKeeper servers. Ends with 0",
            "on success, 1 on failure, 2 for a wrong command line, and with",
            "  3  if the table is rejected, here or by a node (check, set, rollback, wait)",
            "  4  if the table is not the expected one, or has changed (set, rollback)",
            "  5  if nodes hold buckets that it sends to other nodes (set, rollback)",
            "  6  if not all nodes have applied the table in time (wait)",
            "  7  if there is no such table (show, wait, rollback)"
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
final class TableCommand implements Callable<Integer> {
    @SuppressWarnings("UnusedVariable") // picocli reads it
    @Mixin
    private HelpOption help = new HelpOption();

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        throw WrongWords.noCommand(spec);
    }
}
