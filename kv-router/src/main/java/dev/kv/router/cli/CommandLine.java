package dev.kv.router.cli;

import dev.kv.router.OperatorError;
import dev.kv.router.config.Spelling;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The words behind {@code bin/kv}: finds the command that they name, gives it its options and arguments, and runs it. */
final class CommandLine {
    private static final int FAILED = 1;
    private static final int WRONG = 2;

    private final List<String> words;

    /** The next of the words. */
    private int at;

    /** What helps if the words up to here are wrong. */
    private String hint = "kv help";

    private CommandLine(List<String> words) {
        this.words = words;
    }

    /** Runs the command of the words, and returns its exit status. */
    static int run(List<String> words) throws IOException, InterruptedException {
        CommandLine line = new CommandLine(words);
        try {
            return line.run("kv", new KvCommands());
        } catch (WrongWords e) {
            System.err.println("kv: " + oneLine(e.getMessage()));
            System.err.println("Try: " + line.hint);
            return WRONG;
        } catch (OperatorError e) {
            System.err.println("kv: " + oneLine(e.getMessage()));
            return FAILED;
        }
    }

    private static String oneLine(String text) {
        return text.replaceAll("\\s*\\R\\s*", " ");
    }

    private int run(String path, CommandGroup group) throws IOException, InterruptedException {
        if (at == words.size()) {
            throw new WrongWords("expected a command; " + path + " --help lists them");
        }
        String name = words.get(at++);
        if (name.equals("help")) {
            return help(path, group);
        }
        if (isHelp(name)) {
            return print(group.help().ofGroup(path, group.helps()));
        }
        Optional<CommandGroup> inner = group.group(name);
        if (inner.isPresent()) {
            hint = path + " help " + name;
            return run(path + " " + name, inner.get());
        }
        Command command = command(path, group, name);
        hint = path + " help " + command.help().name();
        if (words.subList(at, words.size()).stream()
                .takeWhile(word -> !word.equals("--"))
                .anyMatch(CommandLine::isHelp)) {
            return help(path, command);
        }
        give(command);
        return command.run();
    }

    private Command command(String path, CommandGroup group, String name) {
        Optional<Command> command = group.command(name);
        if (command.isPresent()) {
            return command.get();
        }
        if (name.startsWith("--config") || name.startsWith("-D")) {
            throw new WrongWords(name + " stands before the command: put it behind");
        }
        if (isOption(name)) {
            throw new WrongWords("unknown option " + name);
        }
        List<String> known = new ArrayList<>(group.names());
        known.add("help");
        String near = Spelling.nearest(name, known)
                .map(meant -> "did you mean " + meant + "? ")
                .orElse("");
        throw new WrongWords("unknown command %s; %s%s --help lists them".formatted(name, near, path));
    }

    /** Prints the help of the group, or of the command that the next words name. */
    private int help(String path, CommandGroup group) {
        if (at == words.size()) {
            return print(group.help().ofGroup(path, group.helps()));
        }
        String name = words.get(at++);
        Optional<CommandGroup> inner = group.group(name);
        return inner.isPresent() ? help(path + " " + name, inner.get()) : help(path, command(path, group, name));
    }

    private static int help(String path, Command command) {
        return print(command.help().of(path + " " + command.help().name(), command.words()));
    }

    private static int print(String help) {
        System.out.print(help);
        return 0;
    }

    /** Gives the command the rest of the words. */
    private void give(Command command) {
        List<Word> options = new ArrayList<>();
        List<Word> arguments = new ArrayList<>();
        for (Word word : command.words()) {
            (word.isArgument() ? arguments : options).add(word);
        }
        int given = 0;
        boolean areOptionsOver = false;
        while (at < words.size()) {
            String word = words.get(at++);
            if (word.equals("--") && !areOptionsOver) {
                areOptionsOver = true;
            } else if (!areOptionsOver && isOption(word)) {
                give(options, word);
            } else if (given < arguments.size()) {
                arguments.get(given++).give(word);
            } else {
                throw new WrongWords("unexpected argument " + word);
            }
        }
        for (Word argument : arguments) {
            if (argument.isNeeded() && !argument.isGiven()) {
                throw new WrongWords(argument.label() + " is missing");
            }
        }
    }

    private void give(List<Word> options, String word) {
        Word option = option(options, word);
        if (option.isGiven() && !option.isRepeated()) {
            throw new WrongWords(option.name() + " is given twice");
        }
        if (option.isFlag()) {
            option.give("");
            return;
        }
        String rest = word.substring(option.name().length());
        if (!rest.isEmpty()) {
            option.give(rest.startsWith("=") ? rest.substring(1) : rest);
        } else if (at < words.size() && find(options, words.get(at)).isEmpty()) {
            option.give(words.get(at++));
        } else {
            throw new WrongWords(option.name() + ": " + option.label() + " is missing");
        }
    }

    private static Word option(List<Word> options, String word) {
        return find(options, word).orElseThrow(() -> new WrongWords("unknown option " + word));
    }

    /** The option that the word names, alone or with a value behind it. */
    private static Optional<Word> find(List<Word> options, String word) {
        for (Word option : options) {
            String name = option.name();
            if (word.equals(name)
                    || (option.isRepeated() && word.startsWith(name))
                    || (!option.isFlag() && word.startsWith(name + "="))) {
                return Optional.of(option);
            }
        }
        return Optional.empty();
    }

    /** A hyphen alone stands for standard input. */
    private static boolean isOption(String word) {
        return word.startsWith("-") && word.length() > 1;
    }

    private static boolean isHelp(String word) {
        return word.equals("-h") || word.equals("--help");
    }
}
