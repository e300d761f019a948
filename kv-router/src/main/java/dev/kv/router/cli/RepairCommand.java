package dev.kv.router.cli;

import dev.kv.router.spi.Engine;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "repair",
        description = {
            "Moves damaged data of a stopped node aside, so that the node can start.",
            "Prints each damage as verify does. A key that is named there is lost, or has an",
            "older value. The damaged bytes are kept in the folder damaged in",
            "kv.storage.dir. Restore a backup instead if there is one; a missing file can",
            "only be restored. Ends with 0 if all that is left is sound, else with 1."
        },
        footer = {"", "Example:", "  bin/kv repair && bin/kv start"})
final class RepairCommand implements Callable<Integer> {
    @Mixin
    private ReportOptions options = new ReportOptions();

    @Override
    public Integer call() {
        Engine.Ready storage = KeptData.of(options).atRest();
        Findings findings = new Findings(options.json());
        Engine.Checked repaired = storage.repair(new Progress(), findings);
        findings.end(repaired);
        return 0;
    }
}
