package dev.kv.router.cli;

import java.util.List;
import org.slf4j.LoggerFactory;

/**
 * The command line of a release: runs its node, or talks to the running one.
 *
 * <p>Only results go to standard output. A command that fails prints one line on standard error and ends with status 1, or 2 for
 * a wrong command line.
 */
public final class Main {
    private Main() {}

    /** Ends the process with the status of the command. */
    public static void main(String[] words) {
        int status = 1;
        try {
            status = CommandLine.run(List.of(words));
        } catch (Throwable e) {
            // A fault of the program. Other threads would keep the process alive: end it here.
            LoggerFactory.getLogger(Main.class).error("kv has failed", e);
        }
        System.exit(status);
    }
}
