package dev.kv.router.cli;

import dev.kv.router.config.Settings;
import dev.kv.router.config.Settings.Setting;
import dev.kv.router.node.Node;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "config",
        description = {
            "Prints the effective configuration and the origin of each value.",
            "Secrets are hidden. Ends with 1 if the node could not start with it."
        },
        footer = {"", "Example:", "  bin/kv config --config /etc/kv/foo.conf -Dkv.server.port=4140"})
final class ConfigCommand implements Callable<Integer> {
    /** Longer lines, such as those of routing tables, do not push the origins of the others aside. */
    private static final int ALIGNED_MAX = 60;

    @Mixin
    private Options options = new Options();

    @Option(names = "--json", description = "Prints a JSON object: by key, value and origin.")
    private boolean json;

    @Override
    public Integer call() {
        Settings settings = options.settings();
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            for (Setting setting : settings.all()) {
                document.put(setting.key(), Map.of("value", setting.value(), "origin", setting.origin()));
            }
            Results.json(document);
        } else {
            List<Setting> all = settings.all();
            int width = all.stream()
                    .mapToInt(setting -> setting.toString().length())
                    .filter(length -> length <= ALIGNED_MAX)
                    .max()
                    .orElse(0);
            for (Setting setting : all) {
                Results.line(("%-" + width + "s  # %s").formatted(setting, setting.origin()));
            }
        }
        options.warnOfIdleVariables();
        Node.Ready _ = Node.configure(settings, options.release());
        return 0;
    }
}
