package dev.kv.router.cli;

import dev.kv.router.OperatorError;
import dev.kv.router.config.Spelling;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The command line of a release: runs its node, or talks to the running one.
 *
 * <p>Only results go to standard output. A command that fails prints one line on standard error and ends with status 1, or 2 for
 * a wrong command line.
 */
@Command(
        name = "kv",
        description = "Runs the node of this release, or talks to the running node.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            RunCommand.class,
            StartCommand.class,
            StopCommand.class,
            RestartCommand.class,
            StatusCommand.class,
            ConfigCommand.class,
            VersionCommand.class,
            RouteCommand.class,
            TableCommand.class,
            NodesCommand.class,
            ZooKeeperCommand.class,
            BackupCommand.class,
            RestoreCommand.class,
            VerifyCommand.class,
            RepairCommand.class,
            ExportCommand.class,
            ImportCommand.class,
            HelpCommand.class
        },
        footer = {"", "Example:", "  bin/kv start && bin/kv status"})
public final class Main {
    @SuppressWarnings("UnusedVariable") // picocli reads it
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Prints this help.")
    private boolean help;

    private Main() {}

    /** Ends the process with the status of the command. */
    public static void main(String[] words) {
        int status = ExitCode.SOFTWARE;
        try {
            status = commandLine().execute(words);
        } catch (Throwable e) {
            // A fault of the program. Other threads would keep the process alive: end it here.
            LoggerFactory.getLogger(Main.class).error("kv has failed", e);
        }
        System.exit(status);
    }

    static CommandLine commandLine() {
        return new CommandLine(new Main())
                // The name of a bucket may begin with @: it is not the name of a file with arguments.
                .setExpandAtFiles(false)
                .setParameterExceptionHandler((e, words) -> {
                    CommandSpec command = e.getCommandLine().getCommandSpec();
                    System.err.println("kv: "
                            + oneLine(e instanceof UnmatchedArgumentException u ? unmatched(u) : e.getMessage()));
                    System.err.println(
                            command.parent() == null
                                    ? "Try: kv help"
                                    : "Try: " + command.parent().qualifiedName() + " help " + command.name());
                    return ExitCode.USAGE;
                })
                .setExecutionExceptionHandler((e, commandLine, parsed) -> {
                    if (!(e instanceof OperatorError)) {
                        throw e;
                    }
                    System.err.println("kv: " + oneLine(e.getMessage()));
                    return ExitCode.SOFTWARE;
                });
    }

    private static String unmatched(UnmatchedArgumentException e) {
        String word = e.getUnmatched().getFirst();
        CommandLine command = e.getCommandLine();
        if (e.isUnknownOption()) {
            return "unknown option " + word;
        }
        if (command.getSubcommands().isEmpty()) {
            return "unexpected argument " + word;
        }
        String near = Spelling.nearest(word, command.getSubcommands().keySet())
                .map(name -> "did you mean " + name + "? ")
                .orElse("");
        return "unknown command %s; %s%s --help lists them"
                .formatted(word, near, command.getCommandSpec().qualifiedName());
    }

    private static String oneLine(String text) {
        return text.replaceAll("\\s*\\R\\s*", " ");
    }
}
