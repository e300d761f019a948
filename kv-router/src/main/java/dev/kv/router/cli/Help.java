package dev.kv.router.cli;

import java.util.List;

/**
 * What the help says about a command, beside its options and arguments.
 *
 * @param name its name, without those of the commands that it belongs to
 * @param text lines; the first says what it does
 */
record Help(String name, String text, List<String> examples) {
    /** The width of a terminal. */
    private static final int WIDTH = 80;

    Help(String name, String text, String... examples) {
        this(name, text, List.of(examples));
    }

    /** The first line. */
    String summary() {
        return text.substring(0, text.indexOf('\n'));
    }

    /** The help of a command with options and arguments. */
    String of(String qualifiedName, List<Word> words) {
        StringBuilder help = new StringBuilder("Usage: " + qualifiedName + " [OPTION]...");
        words.stream()
                .filter(Word::isArgument)
                .forEach(word -> help.append(word.isNeeded() ? " " + word.label() : " [" + word.label() + "]"));
        help.append('\n').append(text);
        List<Word> shown = words.stream()
                .filter(word -> !word.description().isEmpty())
                .sorted((one, other) -> Boolean.compare(other.isArgument(), one.isArgument()))
                .toList();
        int width = shown.stream().mapToInt(word -> word.shown().length()).max().orElse(0);
        shown.forEach(word -> row(help, word.shown(), width, word.description()));
        row(help, "-h, --help", width, "Prints this help.");
        return end(help);
    }

    /** The help of a group with these commands. */
    String ofGroup(String qualifiedName, List<Help> commands) {
        StringBuilder help = new StringBuilder("Usage: " + qualifiedName + " COMMAND\n" + text + "Commands:\n");
        int width = commands.stream()
                .mapToInt(command -> command.name().length())
                .max()
                .orElse(0);
        commands.forEach(command -> row(help, command.name(), width, command.summary()));
        row(help, "help", width, "Prints the help of a command.");
        return end(help);
    }

    /** A row of two columns; the second has as many lines as it needs. */
    private static void row(StringBuilder help, String first, int width, String second) {
        int column = width + 4;
        help.append("  ").append(first).repeat(" ", column - 2 - first.length());
        int at = column;
        for (String word : second.split(" ", -1)) {
            if (at + word.length() > WIDTH) {
                help.append('\n').repeat(" ", column);
                at = column;
            }
            help.append(at == column ? "" : " ").append(word);
            at += word.length() + 1;
        }
        help.append('\n');
    }

    private String end(StringBuilder help) {
        help.append("\nExample:\n");
        examples.forEach(example -> help.append("  ").append(example).append('\n'));
        return help.toString();
    }
}
