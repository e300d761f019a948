package dev.kv.router.testing;

import dev.kv.router.Command;
import dev.kv.router.Reply;
import java.util.Collections;
import java.util.List;

/** Replies of a store that need not tell commands on several names from commands on one. */
public final class Replies {
    private Replies() {}

    /** The commands that one consists of: itself, or those of a {@link Command.Each}. */
    public static List<Command> commandsOf(Command command) {
        return command instanceof Command.Each(List<Command> commands) ? commands : List.of(command);
    }

    /** The reply to a command if each that it consists of is answered like this. */
    public static Reply toEach(Command command, Reply one) {
        return command instanceof Command.Each(List<Command> commands)
                ? new Reply.Many(Collections.nCopies(commands.size(), one))
                : one;
    }
}
