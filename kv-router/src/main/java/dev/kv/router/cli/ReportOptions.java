package dev.kv.router.cli;

import picocli.CommandLine.Option;

/** The options of commands that report in lines, or as a JSON object. */
final class ReportOptions extends Options {
    @Option(names = "--json", description = "Prints a JSON object.")
    private boolean json;

    boolean json() {
        return json;
    }
}
