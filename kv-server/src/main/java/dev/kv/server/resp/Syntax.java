package dev.kv.server.resp;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * The name of a command and its arguments, written on one line close to the manual of Redis:
 *
 * <pre>{@code
 * hset key<RW,update> field_value:(field value) ...
 * hscan key<RO,access> cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [NOVALUES]
 * set key<RW,access,update> value [condition:(NX | XX)] [GET]
 * }</pre>
 *
 * A name alone is a string, {@code name:type} has a type, {@code <...>} stands behind a key and says how it is used. A word in upper
 * case is a token, of the argument behind it if there is one. {@code [..]} is optional, {@code ...} stands behind what may be there
 * several times, {@code name:(a b)} is a block and {@code name:(a | b)} a choice. The name of a subcommand is {@code command|name}.
 *
 * <p>The number of words and the positions of keys follow from it.
 *
 * @param name in lower case
 */
record Syntax(String name, List<Argument> arguments) {
    private static final Pattern PART = Pattern.compile("[\\[\\]()|]|\\.\\.\\.|[^\\s\\[\\]()|.]+");
    private static final Pattern TOKEN = Pattern.compile("[A-Z][A-Z0-9-]*");

    /**
     * Where keys are among the words of a request.
     *
     * @param first the position of the first one; the name of the command is at 0
     * @param last the position of the last one, counted from the end if negative
     * @param step from one key to the next
     * @param access see {@link Argument#access}
     */
    record Keys(int first, int last, int step, List<String> access) {}

    /**
     * The syntax of the text.
     *
     * @throws IllegalArgumentException if the text is none
     */
    static Syntax of(String text) {
        int end = text.indexOf(' ') < 0 ? text.length() : text.indexOf(' ');
        List<String> parts = PART.matcher(text.substring(end))
                .results()
                .map(result -> result.group())
                .toList();
        Parser parser = new Parser(text, parts);
        List<Argument> arguments = parser.sequence();
        if (parser.at < parts.size()) {
            throw parser.wrong();
        }
        return new Syntax(text.substring(0, end), arguments);
    }

    /** The number of words of the name. */
    private int nameWords() {
        return name.indexOf('|') < 0 ? 1 : 2;
    }

    /** The number of words of a request, or the least number as a negative one. */
    int arity() {
        int words = nameWords() + Argument.words(arguments);
        return arguments.stream().allMatch(Argument::isFixed) ? words : -words;
    }

    /** The keys of each argument that has some. */
    List<Keys> keys() {
        List<Keys> all = new ArrayList<>();
        int at = nameWords();
        for (Argument argument : arguments) {
            Argument first =
                    argument.type() == Argument.Type.BLOCK ? argument.parts().getFirst() : argument;
            if (first.type() == Argument.Type.KEY) {
                all.add(
                        argument.isMultiple()
                                ? new Keys(at, -1, argument.words(), first.access())
                                : new Keys(at, at, 1, first.access()));
            }
            if (!argument.isFixed()) {
                break;
            }
            at += argument.words();
        }
        return all;
    }

    /** The command as the manual of Redis writes it: {@code HSET key field value [field value ...]}. */
    String shown() {
        String words = name.replace('|', ' ').toUpperCase(Locale.ROOT);
        return arguments.isEmpty() ? words : words + " " + Argument.shown(arguments, " ");
    }

    private static final class Parser {
        private final String text;
        private final List<String> parts;
        private int at;

        Parser(String text, List<String> parts) {
            this.text = text;
            this.parts = parts;
        }

        IllegalArgumentException wrong() {
            return new IllegalArgumentException("part " + at + " of the arguments of: " + text);
        }

        private boolean takes(String part) {
            boolean is = at < parts.size() && parts.get(at).equals(part);
            at += is ? 1 : 0;
            return is;
        }

        private void expect(String part) {
            if (!takes(part)) {
                throw wrong();
            }
        }

        private boolean isAtArgument() {
            return at < parts.size() && !List.of("]", ")", "|", "...").contains(parts.get(at));
        }

        List<Argument> sequence() {
            List<Argument> all = new ArrayList<>();
            while (isAtArgument()) {
                Argument one = argument();
                all.add(takes("...") ? one.multiple() : one);
            }
            return all;
        }

        private Argument argument() {
            if (takes("[")) {
                List<Argument> inner = sequence();
                expect("]");
                if (inner.size() != 1) {
                    throw wrong();
                }
                return inner.getFirst().optional();
            }
            String word = parts.get(at++);
            if (TOKEN.matcher(word).matches()) {
                boolean isAlone = !isAtArgument()
                        || parts.get(at).equals("[")
                        || TOKEN.matcher(parts.get(at)).matches();
                return isAlone
                        ? leaf(word.toLowerCase(Locale.ROOT), Argument.Type.PURE_TOKEN, List.of())
                                .after(word)
                        : argument().after(word);
            }
            if (word.endsWith(":")) {
                return group(word.substring(0, word.length() - 1));
            }
            int access = word.indexOf('<');
            if (access > 0) {
                List<String> words =
                        List.of(word.substring(access + 1, word.length() - 1).split(","));
                return leaf(word.substring(0, access), Argument.Type.KEY, words);
            }
            int type = word.indexOf(':');
            return type < 0
                    ? leaf(word, Argument.Type.STRING, List.of())
                    : leaf(word.substring(0, type), typeOf(word.substring(type + 1)), List.of());
        }

        private static Argument.Type typeOf(String text) {
            return Argument.Type.valueOf(text.toUpperCase(Locale.ROOT).replace('-', '_'));
        }

        private static Argument leaf(String name, Argument.Type type, List<String> access) {
            return new Argument(name, type, "", false, false, access, List.of());
        }

        private Argument group(String name) {
            expect("(");
            List<List<Argument>> choices = new ArrayList<>();
            do {
                choices.add(sequence());
            } while (takes("|"));
            expect(")");
            if (choices.size() == 1) {
                return new Argument(name, Argument.Type.BLOCK, "", false, false, List.of(), choices.getFirst());
            }
            List<Argument> parts = choices.stream()
                    .map(choice -> choice.size() == 1
                            ? choice.getFirst()
                            : new Argument(name, Argument.Type.BLOCK, "", false, false, List.of(), choice))
                    .toList();
            return new Argument(name, Argument.Type.ONEOF, "", false, false, List.of(), parts);
        }
    }
}
