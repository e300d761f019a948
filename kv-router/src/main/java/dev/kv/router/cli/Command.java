package dev.kv.router.cli;

import java.io.IOException;
import java.util.List;

/** A command of {@code bin/kv}. An instance runs once. */
interface Command {
    Help help();

    /** The options and arguments that it takes. Before it runs, they are given what the command line has for them. */
    List<Word> words();

    /**
     * Returns the exit status.
     *
     * @throws WrongWords if it does not take a value
     */
    int run() throws IOException, InterruptedException;
}
