package dev.kv.router.cli;

import dev.kv.router.admin.NodeAnswers;
import dev.kv.router.spi.Engine;
import java.nio.file.Path;
import java.util.List;

final class RestoreCommand implements Command {
    private final ReportOptions options = new ReportOptions();

    private final Word folder = Word.argument("DIR", "A folder that kv backup wrote.");

    @Override
    public Help help() {
        return new Help("restore", """
                Copies a backup into the data folder of a stopped node.
                kv.storage.dir must be empty or missing. All checksums are verified before and
                after the copy. The backup is not changed; the next backup of the node needs
                another folder. Ends with 0 if all data is there, else with 1.
                """, "bin/kv restore /backup/kv && bin/kv start");
    }

    @Override
    public List<Word> words() {
        return Word.list(options.taken(), folder);
    }

    @Override
    public int run() {
        KeptData data = KeptData.of(options);
        Path from = folder.path().toAbsolutePath().normalize();
        Engine.Copied copied = data.atRest().restore(from);
        if (options.json()) {
            Results.json(NodeAnswers.document(copied));
        } else {
            Results.line("%s from %s: files: %d, bytes: %d, verified: %d records"
                    .formatted(data.node().name(), from, copied.files(), copied.bytes(), copied.records()));
        }
        return 0;
    }
}
