package dev.kv.router.cli;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import dev.kv.router.admin.LocalAnswer;
import dev.kv.router.node.NodeFolder;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "status",
        description = {
            "Prints whether the node runs, and its state.",
            "Prints its name, folder, role, addresses, routing table, and the metrics of its",
            "parts.",
            "Ends with 0 if it runs, 3 if not, and 4 if its process is starting, stopping or",
            "not answering."
        },
        footer = {"", "Example:", "  bin/kv status --json"})
final class StatusCommand implements Callable<Integer> {
    private static final int RUNNING = 0;
    private static final int NOT_RUNNING = 3;
    private static final int UNDECIDED = 4;

    /** The {@code kv.node.dir} in which the command looks for the node. */
    private static final String FOLDER = "folder";

    @Mixin
    private ReportOptions options = new ReportOptions();

    @Override
    public Integer call() {
        Remote node = Remote.of(options.settings());
        Config status;
        switch (node.status()) {
            case LocalAnswer.Document document -> status = document.content();
            case LocalAnswer.Refused refused -> {
                return undecided(node, refused.why());
            }
            case LocalAnswer.Broken broken -> {
                return undecided(node, "it closed the connection before its answer: " + broken.how());
            }
            case LocalAnswer.Silent _ -> {
                return undecided(node, "no answer in time");
            }
            case LocalAnswer.Absent _ -> {
                if (node.runs()) {
                    return undecided(node, "it has no socket in " + node.folder());
                }
                print(
                        node,
                        "not running",
                        NodeFolder.lost(node.folder())
                                .map(pid -> Map.of("why", "its last run, process " + pid + ", ended without a stop"))
                                .orElse(Map.of()));
                return NOT_RUNNING;
            }
        }
        ConfigObject found = status.root()
                .withValue(FOLDER, ConfigValueFactory.fromAnyRef(node.folder().toString()));
        if (options.json()) {
            Results.json(found);
        } else {
            Results.facts(facts(found.toConfig()));
        }
        return Remote.isRunning(status) ? RUNNING : UNDECIDED;
    }

    private int undecided(Remote node, String why) {
        print(node, "not answering", Map.of("why", why));
        return UNDECIDED;
    }

    private void print(Remote node, String state, Map<String, String> more) {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("name", node.name());
        facts.put("state", state);
        facts.put(FOLDER, node.folder().toString());
        facts.putAll(more);
        if (options.json()) {
            Results.json(facts);
        } else {
            Results.facts(facts);
        }
    }

    private static Map<String, String> facts(Config status) {
        Map<String, String> facts = new LinkedHashMap<>();
        String doing = status.getString("doing");
        facts.put("name", status.getString("name"));
        facts.put("state", status.getString("state") + (doing.isEmpty() ? "" : ", " + doing));
        facts.put(FOLDER, status.getString(FOLDER));
        facts.put("role", status.getString("role"));
        facts.put("version", status.getString("version"));
        facts.put("process", status.getString("pid"));
        facts.put("uptime", written(Duration.ofSeconds(status.getLong("uptimeSeconds"))));
        new TreeMap<>(status.getObject("addresses")).forEach((door, address) -> facts.put(door + " at", text(address)));
        if (status.hasPath("data")) {
            facts.put("data in", status.getString("data"));
        }
        if (status.hasPath("table")) {
            describe(status.getConfig("table"), facts);
        }
        new TreeMap<>(status.getObject("parts")).forEach((part, report) -> {
            String said = ((ConfigObject) report)
                    .entrySet().stream()
                            .map(entry -> entry.getKey() + " " + text(entry.getValue()))
                            .sorted()
                            .collect(Collectors.joining(", "));
            facts.put(part, said);
        });
        return facts;
    }

    private static void describe(Config table, Map<String, String> facts) {
        String absence = table.getString("absence");
        if (!absence.isEmpty()) {
            facts.put("table", "none yet: " + absence);
            return;
        }
        facts.put(
                "table",
                table.getString("version") + " from " + table.getString("source") + ", in force since "
                        + table.getString("since"));
        facts.put("", "[" + table.getString("text") + "]");
    }

    private static String text(ConfigValue value) {
        return String.valueOf(value.unwrapped());
    }

    /** Such as {@code 26h3m12s}. */
    private static String written(Duration duration) {
        return duration.toString().substring("PT".length()).toLowerCase(Locale.ROOT);
    }
}
