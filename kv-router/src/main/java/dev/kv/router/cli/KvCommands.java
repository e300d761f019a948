package dev.kv.router.cli;

import java.util.List;
import java.util.Optional;

/** The commands of {@code bin/kv}. */
final class KvCommands implements CommandGroup {
    @Override
    public Help help() {
        return new Help("kv", """
                Runs the node of this release, or talks to the running node.
                  --version   Prints what `kv version` prints.
                """, "bin/kv start && bin/kv status");
    }

    @Override
    public List<String> names() {
        return List.of(
                "run",
                "start",
                "stop",
                "restart",
                "status",
                "config",
                "version",
                "route",
                "table",
                "nodes",
                "zookeeper",
                "backup",
                "restore",
                "verify",
                "repair",
                "export",
                "import");
    }

    @Override
    public Optional<CommandGroup> group(String name) {
        return name.equals("table") ? Optional.of(new TableCommands()) : Optional.empty();
    }

    @Override
    public Optional<Command> command(String name) {
        return Optional.ofNullable(
                switch (name) {
                    case "run" -> new RunCommand();
                    case "start" -> new StartCommand();
                    case "stop" -> new StopCommand();
                    case "restart" -> new RestartCommand();
                    case "status" -> new StatusCommand();
                    case "config" -> new ConfigCommand();
                    case "version", "--version" -> new VersionCommand();
                    case "route" -> new RouteCommand();
                    case "nodes" -> new NodesCommand();
                    case "zookeeper" -> new ZooKeeperCommand();
                    case "backup" -> new BackupCommand();
                    case "restore" -> new RestoreCommand();
                    case "verify" -> new VerifyCommand();
                    case "repair" -> new RepairCommand();
                    case "export" -> new ExportCommand();
                    case "import" -> new ImportCommand();
                    default -> null;
                });
    }
}
