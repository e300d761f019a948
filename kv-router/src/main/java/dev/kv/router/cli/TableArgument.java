package dev.kv.router.cli;

import picocli.CommandLine.Parameters;

/** The argument of a command that takes a routing table. */
final class TableArgument {
    @Parameters(
            paramLabel = "FILE|-|TEXT",
            description = "The file with the table; -: standard input; or the table itself.")
    private String word = "";

    /** See {@link TableText#of}. */
    TableText text(int maxBytes) {
        return TableText.of(word, maxBytes);
    }
}
