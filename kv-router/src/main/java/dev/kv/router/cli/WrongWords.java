package dev.kv.router.cli;

import dev.kv.router.config.Spelling;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** What is wrong with a command line, in the words of kv. */
final class WrongWords {
    /** Options that every command takes behind its name. */
    private static final Set<String> BEHIND_THE_COMMAND = Set.of("--config", "-D");

    private WrongWords() {}

    /** The reason why picocli, or a command itself, refuses the words. */
    static String reason(ParameterException e) {
        return switch (e) {
            case UnmatchedArgumentException unmatched -> unmatched(unmatched);
            case CommandLine.MissingParameterException missing -> missing(missing.getMissing());
            case CommandLine.OverwrittenOptionException twice -> name(twice.getOverwritten()) + " is given twice";
            default -> value(e);
        };
    }

    /** The words of {@code command} end before the name of one of its commands. */
    static ParameterException noCommand(CommandSpec command) {
        return new ParameterException(
                command.commandLine(), "expected a command; " + command.qualifiedName() + " --help lists them");
    }

    private static String unmatched(UnmatchedArgumentException e) {
        String word = e.getUnmatched().getFirst();
        CommandLine command = e.getCommandLine();
        if (!e.isUnknownOption()) {
            return command.getSubcommands().isEmpty() ? "unexpected argument " + word : unknown(word, command);
        }
        boolean isTooEarly = !command.getSubcommands().isEmpty()
                && BEHIND_THE_COMMAND.stream().anyMatch(word::startsWith);
        return isTooEarly ? word + " stands before the command: put it behind" : "unknown option " + word;
    }

    private static String unknown(String word, CommandLine command) {
        String near = Spelling.nearest(word, command.getSubcommands().keySet())
                .map(name -> "did you mean " + name + "? ")
                .orElse("");
        return "unknown command %s; %s%s --help lists them"
                .formatted(word, near, command.getCommandSpec().qualifiedName());
    }

    private static String missing(List<ArgSpec> missing) {
        return missing.stream()
                        .map(argument -> argument.isOption()
                                ? name(argument) + ": " + argument.paramLabel()
                                : argument.paramLabel())
                        .collect(Collectors.joining(", "))
                + " is missing";
    }

    private static String value(ParameterException e) {
        if (e.getValue() == null) {
            return e.getMessage();
        }
        if (e.getArgSpec() == null) {
            // Of `help`: it is asked about a command that does not exist.
            return unknown(e.getValue(), e.getCommandLine());
        }
        return "%s %s: expected %s"
                .formatted(name(e.getArgSpec()), e.getValue(), e.getArgSpec().paramLabel());
    }

    private static String name(ArgSpec argument) {
        return argument instanceof OptionSpec option ? option.longestName() : argument.paramLabel();
    }
}
