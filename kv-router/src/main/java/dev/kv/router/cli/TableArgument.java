package dev.kv.router.cli;

/** The argument of a command that takes a routing table. */
final class TableArgument {
    private final Word word =
            Word.argument("FILE|-|TEXT", "The file with the table; -: standard input; or the table itself.");

    Word word() {
        return word;
    }

    /** See {@link TableText#of}. */
    TableText text(int maxBytes) {
        return TableText.of(word.text(), maxBytes);
    }
}
