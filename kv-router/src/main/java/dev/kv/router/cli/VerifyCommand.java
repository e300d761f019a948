package dev.kv.router.cli;

import dev.kv.router.spi.Engine;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(
        name = "verify",
        description = {
            "Verifies all checksums of a stopped node or of a backup.",
            "Changes nothing. Prints each damage with file and offset, and bucket and key",
            "where they can be read. Ends with 0 if all is sound, 1 if something is damaged",
            "or cannot be checked."
        },
        footer = {"", "Example:", "  bin/kv verify", "  bin/kv verify /backup/kv"})
final class VerifyCommand implements Callable<Integer> {
    private static final int SOUND = 0;
    private static final int DAMAGED = 1;

    @Mixin
    private ReportOptions options = new ReportOptions();

    @Parameters(paramLabel = "DIR", arity = "0..1", description = "A backup; without it, the node's own data.")
    private Optional<Path> backup = Optional.empty();

    @Override
    public Integer call() {
        KeptData data = KeptData.of(options);
        Optional<Path> from = backup.map(path -> path.toAbsolutePath().normalize());
        Engine.Ready storage = from.isPresent() ? data.storage() : data.atRest();
        Findings findings = new Findings(options.json());
        Engine.Checked checked = storage.verify(from, new Progress(), findings);
        findings.end(checked);
        return checked.damages() == 0 ? SOUND : DAMAGED;
    }
}
