package dev.kv.router.cli;

import com.typesafe.config.Config;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "backup",
        description = {
            "Backs up all that the node keeps, as it is at one moment.",
            "The node may run. A folder with an earlier backup is brought up to date: what",
            "is there already is not copied again, and what is new is linked where that is",
            "possible, which takes no room but is no copy on another disk; then it is read",
            "and checked. Until all is done, the backup before stays. Ends with 0 if it is",
            "complete, else with 1."
        },
        footer = {"", "Example:", "  bin/kv backup /backup/kv"})
final class BackupCommand implements Callable<Integer> {
    @Mixin
    private Options options = new Options();

    @Option(names = "--json", description = "Prints a JSON object.")
    private boolean json;

    @Parameters(
            paramLabel = "DIR",
            description = "An empty folder, one with a backup of this node, or one that is made; not in its own data.")
    private Path folder = Path.of("");

    @Override
    public Integer call() {
        KeptData data = KeptData.of(options);
        Path to = folder.toAbsolutePath().normalize();
        Config done = data.backup(to);
        if (json) {
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
