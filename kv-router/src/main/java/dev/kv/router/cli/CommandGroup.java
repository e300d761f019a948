package dev.kv.router.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Commands under one name: {@code kv} itself, or {@code kv table}. Only those objects are made that the command line names: each class
 * costs a start of {@code bin/kv} some time.
 */
interface CommandGroup {
    Help help();

    /** The names of its commands and groups, in the order of the help. */
    List<String> names();

    /** The command of this name; empty if there is none, or if it is that of a group. */
    Optional<Command> command(String name);

    /** The group of this name in this one; empty if there is none. */
    default Optional<CommandGroup> group(String name) {
        return Optional.empty();
    }

    /** What the help says about each of them. */
    default List<Help> helps() {
        List<Help> helps = new ArrayList<>();
        for (String name : names()) {
            helps.add(group(name)
                    .map(CommandGroup::help)
                    .orElseGet(() -> command(name).orElseThrow().help()));
        }
        return helps;
    }
}
