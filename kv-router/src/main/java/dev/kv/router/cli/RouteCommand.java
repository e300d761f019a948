package dev.kv.router.cli;

import com.typesafe.config.Config;
import dev.kv.router.config.Settings;
import dev.kv.router.node.NodeSettings;
import dev.kv.router.table.TableInForce;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "route",
        description = {
            "Prints the path of a request for a bucket, from the running node on.",
            "For each node on the path it prints the version of its table, and line, column",
            "and text of the matching entry. The bucket need not exist. Ends with 1 if the",
            "path does not end at a node that keeps data."
        },
        footer = {"", "Example:", "  bin/kv route shopping", "  bin/kv route shopping%%20list"})
final class RouteCommand implements Callable<Integer> {
    @Mixin
    private ReportOptions options = new ReportOptions();

    @Mixin
    private BucketName bucket = new BucketName();

    @Override
    public Integer call() {
        Settings settings = options.settings();
        Remote node = Remote.of(settings);
        Config way = node.route(bucket.bytes(), NodeSettings.timeout(settings));
        if (options.json()) {
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
        if (hop.getString("table").equals(TableInForce.NONE)) {
            return hop.getString("node") + ": no routing table";
        }
        String table = hop.getString("node") + ": table " + hop.getString("table");
        return hop.getString("entry").isEmpty()
                ? table + ", no entry matches"
                : "%s, line %d, column %d: %s"
                        .formatted(table, hop.getInt("line"), hop.getInt("column"), hop.getString("entry"));
    }
}
