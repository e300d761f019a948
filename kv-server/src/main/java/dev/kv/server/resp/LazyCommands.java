package dev.kv.server.resp;

import dev.kv.router.Command;
import java.util.AbstractList;
import java.util.function.IntFunction;

/** Commands that are made when they are asked for: a request may name a million keys. */
final class LazyCommands extends AbstractList<Command> {
    private final int size;
    private final IntFunction<Command> command;

    LazyCommands(int size, IntFunction<Command> command) {
        this.size = size;
        this.command = command;
    }

    @Override
    public Command get(int index) {
        return command.apply(index);
    }

    @Override
    public int size() {
        return size;
    }
}
