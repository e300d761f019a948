package dev.kv.router.cli;

import dev.kv.router.spi.Engine;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "repair",
        description = {
            "Sets aside what is damaged of what a node keeps, so that it can start.",
            "The node must not run. Prints what is damaged as verify does; a key that is",
            "named is lost, or goes back to what it was before. The bytes are in the folder",
            "damaged in kv.storage.dir then. A backup is the better choice where there is",
            "one; a folder in which a file is missing needs it. Ends with 0 if all that is",
            "left is sound, else with 1."
        },
        footer = {"", "Example:", "  bin/kv repair && bin/kv start"})
final class RepairCommand implements Callable<Integer> {
    @Mixin
    private Options options = new Options();

    @Option(names = "--json", description = "Prints a JSON object.")
    private boolean json;

    @Override
    public Integer call() {
        Engine.Ready storage = KeptData.of(options).atRest();
        Findings findings = new Findings(json);
        findings.end(storage.repair(new Progress(), findings));
        return 0;
    }
}
