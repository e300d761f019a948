package dev.kv.server.resp;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * An argument of a command, as {@code COMMAND DOCS} shows it.
 *
 * @param token the word before it, or the word itself for a pure token; empty if there is none
 * @param access for a key, how the command uses it, in Redis's words: {@code RW}, {@code update} and so on
 * @param parts of a block, one after another, or of a choice, one of them; else empty
 */
record Argument(
        String name,
        Type type,
        String token,
        boolean isOptional,
        boolean isMultiple,
        List<String> access,
        List<Argument> parts) {

    /** The types that commands here have, of those of Redis. */
    enum Type {
        STRING,
        INTEGER,
        DOUBLE,
        KEY,
        PATTERN,
        UNIX_TIME,
        PURE_TOKEN,
        ONEOF,
        BLOCK;

        /** The name in Redis. */
        String text() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    Argument optional() {
        return new Argument(name, type, token, true, isMultiple, access, parts);
    }

    Argument multiple() {
        return new Argument(name, type, token, isOptional, true, access, parts);
    }

    Argument after(String word) {
        return new Argument(name, type, word, isOptional, isMultiple, access, parts);
    }

    /** The least number of words that it takes, if it is there. */
    int words() {
        int ahead = token.isEmpty() || type == Type.PURE_TOKEN ? 0 : 1;
        return ahead
                + switch (type) {
                    case BLOCK -> words(parts);
                    case ONEOF -> parts.stream().mapToInt(Argument::words).min().orElseThrow();
                    default -> 1;
                };
    }

    /** The least number of words of the arguments together. */
    static int words(List<Argument> arguments) {
        return arguments.stream()
                .filter(argument -> !argument.isOptional)
                .mapToInt(Argument::words)
                .sum();
    }

    /** Whether it always takes the same number of words. */
    boolean isFixed() {
        return !isOptional
                && !isMultiple
                && parts.stream().allMatch(Argument::isFixed)
                && (type != Type.ONEOF
                        || parts.stream().mapToInt(Argument::words).distinct().count() == 1);
    }

    /** The argument as the manual of Redis writes it: {@code field value [field value ...]}. */
    String shown() {
        String inner = switch (type) {
            case PURE_TOKEN -> token;
            case BLOCK -> shown(parts, " ");
            case ONEOF -> isOptional && token.isEmpty() ? shown(parts, " | ") : "<" + shown(parts, " | ") + ">";
            default -> name;
        };
        String once = token.isEmpty() || type == Type.PURE_TOKEN ? inner : token + " " + inner;
        String again = type == Type.ONEOF ? " ..." : " [" + inner + " ...]";
        String all = isMultiple ? once + again : once;
        return isOptional ? "[" + all + "]" : all;
    }

    static String shown(List<Argument> arguments, String between) {
        return arguments.stream().map(Argument::shown).collect(Collectors.joining(between));
    }
}
