package dev.kv.router.cli;

import com.typesafe.config.Config;
import dev.kv.router.config.Settings;
import dev.kv.router.node.NodeSettings;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "route",
        description = {
            "Tells the way that a request for a bucket takes from the running node.",
            "For each node on the way it prints the version of the node's table, and line,",
            "column and text of the entry that matches. The bucket need not exist. Fails if",
            "the way does not end at a node that keeps data."
        },
        footer = {"", "Example:", "  bin/kv route shopping", "  bin/kv route shopping%%20list"})
final class RouteCommand implements Callable<Integer> {
    @Mixin
    private Options options = new Options();

    @Option(names = "--json", description = "Prints a JSON object.")
    private boolean json;

    @Mixin
    private BucketName bucket = new BucketName();

    @Override
    public Integer call() {
        Settings settings = options.settings();
        Remote node = Remote.of(settings);
        Config way = node.route(bucket.bytes(), NodeSettings.timeout(settings));
        if (json) {
            Results.json(way.root());
        } else {
            way.getConfigList("hops").forEach(hop -> Results.line(text(hop)));
        }
        if (way.hasPath("failure")) {
            throw new CommandFailed(way.getString("failure.word") + " " + way.getString("failure.message"));
        }
        return 0;
    }

    private static String text(Config hop) {
        String table = hop.getString("node") + ": table " + hop.getString("table");
        return hop.getString("entry").isEmpty()
                ? table + ", no entry matches"
                : "%s, line %d, column %d: %s"
                        .formatted(table, hop.getInt("line"), hop.getInt("column"), hop.getString("entry"));
    }
}
