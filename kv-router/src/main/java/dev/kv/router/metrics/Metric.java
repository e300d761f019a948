package dev.kv.router.metrics;

import java.util.Optional;

/**
 * A value that a part of a node measures or reports: a description and a way to read the value now. The part keeps the value in
 * whatever its threads write at the least cost (a plain field of one loop, a {@link java.util.concurrent.atomic.LongAdder}); it
 * is read only when somebody asks. Any thread may read.
 */
public sealed interface Metric permits Counter, Gauge, State {
    /** Lower-case words with one blank between them, unique in the part; the last word is that of the unit, if that has one. */
    String name();

    /** One sentence that explains the value to an operator. */
    String help();

    /** The value now, as text; empty if there is nothing to report. */
    Optional<String> text();

    /** Refuses a name or a help that breaks the rules above: a fault of the program. */
    static void check(String name, Unit unit, String help) {
        if (!name.matches("[a-z]+( [a-z]+)*") || !name.endsWith(unit.word())) {
            throw new IllegalArgumentException("a metric in " + unit + " cannot have the name `" + name + "`");
        }
        if (help.isBlank() || !help.endsWith(".") || help.contains("\n")) {
            throw new IllegalArgumentException("the help of `" + name + "` is not one sentence: `" + help + "`");
        }
    }
}
