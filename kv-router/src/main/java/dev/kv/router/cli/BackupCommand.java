package dev.kv.router.cli;

import com.typesafe.config.Config;
import java.nio.file.Path;
import java.util.List;

final class BackupCommand implements Command {
    private final ReportOptions options = new ReportOptions();

    private final Word folder = Word.argument(
            "DIR", "A new or empty folder, or one with a backup of this node; not inside its data folder.");

    @Override
    public Help help() {
        return new Help("backup", """
                Backs up all data of the node, as of one moment.
                The node may run. In a folder with an earlier backup only new files are stored:
                as hard links if DIR is on the same file system (which takes no space, and does
                not protect against a failure of that disk), else as copies. The checksums of
                new files are verified. The earlier backup stays valid until then. Ends with 0
                if the backup is complete, else with 1.
                """, "bin/kv backup /backup/kv");
    }

    @Override
    public List<Word> words() {
        return Word.list(options.taken(), folder);
    }

    @Override
    public int run() {
        KeptData data = KeptData.of(options);
        Path to = folder.path().toAbsolutePath().normalize();
        Config done = data.backup(to);
        if (options.json()) {
            Results.json(done.root());
        } else {
            Results.line(
                    "%s in %s: files: %d, bytes: %d, copied: %d (%d bytes), linked: %d, there before: %d, verified: %d records"
                            .formatted(
                                    data.node().name(),
                                    to,
                                    done.getLong("files"),
                                    done.getLong("bytes"),
                                    done.getLong("copied"),
                                    done.getLong("copiedBytes"),
                                    done.getLong("linked"),
                                    done.getLong("kept"),
                                    done.getLong("records")));
        }
        return 0;
    }
}
