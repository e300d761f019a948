package dev.kv.router.cli;

import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigValueFactory;
import java.util.Map;

/** How commands print their results. */
final class Results {
    private Results() {}

    static void line(String line) {
        System.out.println(line);
    }

    /** Names and values, in two columns. */
    static void facts(Map<String, String> facts) {
        int width = facts.keySet().stream().mapToInt(String::length).max().orElse(0);
        facts.forEach((name, value) -> line(name + " ".repeat(width - name.length() + 2) + value));
    }

    /** A JSON document of maps, lists and single values, indented. */
    static void json(Object document) {
        line(ConfigValueFactory.fromAnyRef(document)
                .render(ConfigRenderOptions.concise().setFormatted(true))
                .stripTrailing());
    }
}
