package dev.kv.router.cli;

import dev.kv.router.spi.Engine;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

final class VerifyCommand implements Command {
    private static final int SOUND = 0;
    private static final int DAMAGED = 1;

    private final ReportOptions options = new ReportOptions();

    private final Word backup = Word.optional("DIR", "A backup; without it, the node's own data.");

    @Override
    public Help help() {
        return new Help("verify", """
                Verifies all checksums of a stopped node or of a backup.
                Changes nothing. Prints each damage with file and offset, and bucket and key
                where they can be read. Ends with 0 if all is sound, 1 if something is damaged
                or cannot be checked.
                """, "bin/kv verify", "bin/kv verify /backup/kv");
    }

    @Override
    public List<Word> words() {
        return Word.list(options.taken(), backup);
    }

    @Override
    public int run() {
        KeptData data = KeptData.of(options);
        Optional<Path> from =
                backup.isGiven() ? Optional.of(backup.path().toAbsolutePath().normalize()) : Optional.empty();
        Engine.Ready storage = from.isPresent() ? data.storage() : data.atRest();
        Findings findings = new Findings(options.json());
        Engine.Checked checked = storage.verify(from, new Progress(), findings);
        findings.end(checked);
        return checked.damages() == 0 ? SOUND : DAMAGED;
    }
}
