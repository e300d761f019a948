package dev.kv.router.cli;

import dev.kv.router.admin.NodeAnswers;
import dev.kv.router.spi.Engine;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(
        name = "restore",
        description = {
            "Copies a backup into the data folder of a stopped node.",
            "kv.storage.dir must be empty or missing. All checksums are verified before and",
            "after the copy. The backup is not changed; the next backup of the node needs",
            "another folder. Call it as the user of the node, to whom the files then belong.",
            "Ends with 0 if all data is there, else with 1."
        },
        footer = {"", "Example:", "  bin/kv restore /backup/kv && bin/kv start"})
final class RestoreCommand implements Callable<Integer> {
    @Mixin
    private ReportOptions options = new ReportOptions();

    @Parameters(paramLabel = "DIR", description = "A folder that kv backup wrote.")
    private Path folder = Path.of("");

    @Override
    public Integer call() {
        KeptData data = KeptData.of(options);
        Path from = folder.toAbsolutePath().normalize();
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
