package dev.kv.server.line;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import java.util.Optional;
import java.util.function.Function;

/**
 * A command of the line protocol.
 *
 * @param name its first word, in upper case
 * @param arity the number of its words, its name included
 * @param command makes the command of the words
 */
public record LineCommand(Bytes name, int arity, Function<Words, Command> command) {
    private static final LineCommand[] TABLE = {
        row("CREATE", 2, words -> new Command.Create(words.at(1))),
        row("PUT", 4, words -> new Command.Put(words.at(1), words.at(2), words.at(3))),
        row("GET", 3, words -> new Command.Get(words.at(1), words.at(2))),
        row("DELETE", 3, words -> new Command.Delete(words.at(1), words.at(2))),
    };

    private static final Bytes LOGIN = Bytes.of("AUTH");

    private static LineCommand row(String name, int arity, Function<Words, Command> command) {
        return new LineCommand(Bytes.of(name), arity, command);
    }

    /** Whether the line is {@code AUTH password}, which is no command on a bucket. */
    public static boolean isLogin(Words words) {
        return words.count() == 2 && words.is(0, LOGIN);
    }

    /** Whether the first word is the name of a command, or {@code AUTH}. */
    static boolean isNamed(Words words) {
        if (words.count() > 0 && words.is(0, LOGIN)) {
            return true;
        }
        for (LineCommand row : TABLE) {
            if (words.count() > 0 && words.is(0, row.name)) {
                return true;
            }
        }
        return false;
    }

    /** The command of the words; empty if the table has no row for them. */
    public static Optional<Command> parse(Words words) {
        for (LineCommand row : TABLE) {
            if (words.count() == row.arity && words.is(0, row.name)) {
                return Optional.of(row.command.apply(words));
            }
        }
        return Optional.empty();
    }
}
