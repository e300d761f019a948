package dev.kv.router.cli;

import dev.kv.router.spi.Engine;
import java.util.List;

final class RepairCommand implements Command {
    private final ReportOptions options = new ReportOptions();

    @Override
    public Help help() {
        return new Help("repair", """
                Moves damaged data of a stopped node aside, so that the node can start.
                Prints each damage as verify does. A key that is named there is lost, or has an
                older value. The damaged bytes are kept in the folder damaged in
                kv.storage.dir. Restore a backup instead if there is one; a missing file can
                only be restored. Ends with 0 if all that is left is sound, else with 1.
                """, "bin/kv repair && bin/kv start");
    }

    @Override
    public List<Word> words() {
        return Word.list(options.taken());
    }

    @Override
    public int run() {
        Engine.Ready storage = KeptData.of(options).atRest();
        Findings findings = new Findings(options.json());
        Engine.Checked repaired = storage.repair(new Progress(), findings);
        findings.end(repaired);
        return 0;
    }
}
