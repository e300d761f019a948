package dev.kv.router.cli;

import com.typesafe.config.Config;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(
        name = "backup",
        description = {
            "Backs up all data of the node, as of one moment, but neither the cookie nor",
            "config/kv.conf: keep copies of these.",
            "The node may run. In a folder with an earlier backup only new files are stored:",
            "as hard links if DIR is on the same file system (which takes no space, and does",
            "not protect against a failure of that disk), else as copies. The checksums of",
            "new files are verified. The earlier backup stays valid until then. Ends with 0",
            "if the backup is complete, else with 1."
        },
        footer = {"", "Example:", "  bin/kv backup /backup/kv"})
final class BackupCommand implements Callable<Integer> {
    @Mixin
    private ReportOptions options = new ReportOptions();

    @Parameters(
            paramLabel = "DIR",
            description = "A new or empty folder, or one with a backup of this node; not inside its data folder.")
    private Path folder = Path.of("");

    @Override
    public Integer call() {
        KeptData data = KeptData.of(options);
        Path to = folder.toAbsolutePath().normalize();
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
