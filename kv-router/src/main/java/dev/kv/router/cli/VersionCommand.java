package dev.kv.router.cli;

import dev.kv.router.node.Release;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "version",
        description = {"Prints version, commit, role and Java runtime of this release."},
        footer = {"", "Example:", "  bin/kv version"})
final class VersionCommand implements Callable<Integer> {
    @Mixin
    private ReportOptions options = new ReportOptions();

    @Override
    public Integer call() {
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
