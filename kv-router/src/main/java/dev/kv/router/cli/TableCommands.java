package dev.kv.router.cli;

import java.util.List;
import java.util.Optional;

/** The commands of {@code bin/kv table}. */
final class TableCommands implements CommandGroup {
    @Override
    public Help help() {
        return new Help("table", """
                Checks, shows and changes routing tables in ZooKeeper.
                The common table, or with --node the table of one node. No node needs to run on
                this host; kv.router.zookeeper.connect names the ZooKeeper servers. Ends with 0
                on success, 1 on failure, 2 for a wrong command line, and with
                  3  if the table is rejected, here or by a node (check, set, rollback, wait)
                  4  if the table is not the expected one, or has changed (set, rollback)
                  5  if nodes hold buckets that it sends to other nodes (set, rollback)
                  6  if not all nodes have applied the table in time (wait)
                  7  if there is no such table (show, wait, rollback)
                """, "bin/kv table set 'a..m=foo@red,n..z=bar@blue' && bin/kv table wait");
    }

    @Override
    public List<String> names() {
        return List.of("check", "show", "set", "wait", "history", "rollback");
    }

    @Override
    public Optional<Command> command(String name) {
        return Optional.ofNullable(
                switch (name) {
                    case "check" -> new TableCheckCommand();
                    case "show" -> new TableShowCommand();
                    case "set" -> new TableSetCommand();
                    case "wait" -> new TableWaitCommand();
                    case "history" -> new TableHistoryCommand();
                    case "rollback" -> new TableRollbackCommand();
                    default -> null;
                });
    }
}
