package dev.kv.router.cli;

import dev.kv.router.OperatorError;
import java.util.List;
import java.util.concurrent.Callable;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

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
        footer = {"", "Example:", "  bin/kv start && bin/kv status"})
public final class Main implements Callable<Integer> {
    private static final List<Class<?>> COMMANDS = List.of(
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
            HelpCommand.class);

    @SuppressWarnings("UnusedVariable") // picocli reads it
    @Mixin
    private HelpOption help = new HelpOption();

    @Option(names = "--version", description = "Prints what `kv version` prints.")
    private boolean version;

    @Spec
    private CommandSpec spec;

    private Main() {}

    @Override
    public Integer call() {
        if (version) {
            return new VersionCommand().call();
        }
        throw WrongWords.noCommand(spec);
    }

    /** Ends the process with the status of the command. */
    public static void main(String[] words) {
        int status = ExitCode.SOFTWARE;
        try {
            status = commandLine(words).execute(words);
        } catch (Throwable e) {
            // A fault of the program. Other threads would keep the process alive: end it here.
            LoggerFactory.getLogger(Main.class).error("kv has failed", e);
        }
        System.exit(status);
    }

    /**
     * The command line with the command that the first word names, or with all commands if it names none. picocli reads the class
     * of each command by reflection: with all of them each start of a process takes 0.1 s of a processor longer.
     */
    static CommandLine commandLine(String... words) {
        CommandLine kv = new CommandLine(new Main());
        List<Class<?>> named = COMMANDS.stream()
                .filter(command -> words.length > 0 && isNamed(words[0], command))
                .toList();
        (named.isEmpty() ? COMMANDS : named).forEach(kv::addSubcommand);
        describeHelp(kv);
        return kv
                // The name of a bucket may begin with @: it is not the name of a file with arguments.
                .setExpandAtFiles(false)
                .setParameterExceptionHandler((e, _) -> {
                    CommandSpec command = e.getCommandLine().getCommandSpec();
                    System.err.println("kv: " + oneLine(WrongWords.reason(e)));
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

    /** The texts of picocli's command {@code help}, here and below, in the words of kv. */
    private static void describeHelp(CommandLine parent) {
        parent.getSubcommands().forEach((name, command) -> {
            if (name.equals("help")) {
                command.getCommandSpec()
                        .usageMessage()
                        .header("Prints the help of a command.")
                        .description("Without a command it prints the list of all.");
            }
            describeHelp(command);
        });
    }

    /** Whether the word is the name of the command, which is the begin of its class's name. {@code help} needs the other commands. */
    private static boolean isNamed(String word, Class<?> command) {
        return command != HelpCommand.class && command.getSimpleName().equalsIgnoreCase(word + "Command");
    }

    private static String oneLine(String text) {
        return text.replaceAll("\\s*\\R\\s*", " ");
    }
}
