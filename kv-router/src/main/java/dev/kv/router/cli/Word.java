package dev.kv.router.cli;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** An option or an argument of a command, and what the command line has for it. */
final class Word {
    private final Kind kind;
    private final String name;
    private final String label;
    private final String description;
    private final List<String> values = new ArrayList<>();

    private enum Kind {
        FLAG,
        OPTION,
        /** An option that may be given more than once. */
        REPEATED,
        ARGUMENT,
        OPTIONAL_ARGUMENT
    }

    private Word(Kind kind, String name, String label, String description) {
        this.kind = kind;
        this.name = name;
        this.label = label;
        this.description = description;
    }

    /** An option without a value; not in the help if the description is empty. */
    static Word flag(String name, String description) {
        return new Word(Kind.FLAG, name, "", description);
    }

    /** An option with a value, {@code --name value} or {@code --name=value}. */
    static Word option(String name, String label, String description) {
        return new Word(Kind.OPTION, name, label, description);
    }

    /** An option of one letter, as {@code -D}, whose value follows at once, and which may be given more than once. */
    static Word repeated(String name, String label, String description) {
        return new Word(Kind.REPEATED, name, label, description);
    }

    static Word argument(String label, String description) {
        return new Word(Kind.ARGUMENT, "", label, description);
    }

    static Word optional(String label, String description) {
        return new Word(Kind.OPTIONAL_ARGUMENT, "", label, description);
    }

    /** Words that several commands take, and those of one. */
    static List<Word> list(List<Word> shared, Word... own) {
        List<Word> all = new ArrayList<>(shared);
        all.addAll(List.of(own));
        return all;
    }

    /** The name of the option; of an argument its label. */
    String name() {
        return isArgument() ? label : name;
    }

    /** What stands for the value in the help; empty for a flag. */
    String label() {
        return label;
    }

    String description() {
        return description;
    }

    boolean isFlag() {
        return kind == Kind.FLAG;
    }

    boolean isArgument() {
        return kind == Kind.ARGUMENT || kind == Kind.OPTIONAL_ARGUMENT;
    }

    boolean isRepeated() {
        return kind == Kind.REPEATED;
    }

    /** Whether the command fails without it. */
    boolean isNeeded() {
        return kind == Kind.ARGUMENT;
    }

    /** As in the help: {@code --json}, {@code --config FILE}, {@code -DKEY=VALUE} or {@code DIR}. */
    String shown() {
        return switch (kind) {
            case FLAG -> name;
            case OPTION -> name + " " + label;
            case REPEATED -> name + label;
            case ARGUMENT, OPTIONAL_ARGUMENT -> label;
        };
    }

    void give(String value) {
        values.add(value);
    }

    boolean isGiven() {
        return !values.isEmpty();
    }

    /** Empty if it was not given. */
    Optional<String> value() {
        return isGiven() ? Optional.of(values.getFirst()) : Optional.empty();
    }

    /** The value of an argument or option that is given. */
    String text() {
        return values.getFirst();
    }

    /** The value of an argument or option that is given, which is a path. */
    Path path() {
        try {
            return Path.of(text());
        } catch (InvalidPathException e) {
            throw expected(text(), label);
        }
    }

    /** The values in their order. */
    List<String> values() {
        return values;
    }

    /** This was given a value that it does not take. */
    WrongWords expected(String value, String what) {
        return new WrongWords((isArgument() ? "" : name + " ") + value + ": expected " + what);
    }
}
