package dev.kv.router.cli;

import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigValueFactory;
import java.util.Iterator;
import java.util.Map;
import java.util.stream.Stream;

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
        line(rendered(document));
    }

    /** A JSON list, of which each element is printed before the next but one is asked for. */
    static void jsonList(Stream<?> elements) {
        Iterator<?> remaining = elements.iterator();
        line("[");
        while (remaining.hasNext()) {
            String element = rendered(remaining.next()).indent(4).stripTrailing();
            line(element + (remaining.hasNext() ? "," : ""));
        }
        line("]");
    }

    private static String rendered(Object document) {
        return ConfigValueFactory.fromAnyRef(document)
                .render(ConfigRenderOptions.concise().setFormatted(true))
                .stripTrailing();
    }
}
