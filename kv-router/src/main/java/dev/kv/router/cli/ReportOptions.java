package dev.kv.router.cli;

import java.util.List;

/** The options of commands that report in lines, or as JSON. */
final class ReportOptions extends Options {
    private final Word json;

    ReportOptions() {
        this("Prints a JSON object.");
    }

    /**
     * @param json what the help says of {@code --json}
     */
    ReportOptions(String json) {
        this.json = Word.flag("--json", json);
    }

    @Override
    List<Word> taken() {
        return Word.list(super.taken(), json);
    }

    boolean json() {
        return json.isGiven();
    }
}
