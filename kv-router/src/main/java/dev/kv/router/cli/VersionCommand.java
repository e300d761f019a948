package dev.kv.router.cli;

import dev.kv.router.node.Release;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

final class VersionCommand implements Command {
    private final ReportOptions options = new ReportOptions();

    @Override
    public Help help() {
        return new Help("version", """
                Prints version, commit, role and Java runtime of this release.
                """, "bin/kv version");
    }

    @Override
    public List<Word> words() {
        return Word.list(options.taken());
    }

    @Override
    public int run() {
        Release release = options.release();
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("version", release.version());
        facts.put("commit", release.commit());
        facts.put("role", release.role());
        facts.put("runtime", "Java " + Runtime.version());
        if (options.json()) {
            Results.json(facts);
        } else {
            Results.facts(facts);
        }
        return 0;
    }
}
