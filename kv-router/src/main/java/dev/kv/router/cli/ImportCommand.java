package dev.kv.router.cli;

import com.typesafe.config.Config;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "import",
        description = {
            "Creates a bucket, or a value, on the running node from standard input.",
            "The input is a stream of export. The node reads and checks all of it first: a",
            "truncated or damaged stream changes nothing. The bucket may have another name",
            "than the exported one. Ends with 0 if the bucket is on the disk, else with 1."
        },
        footer = {
            "",
            "Example:",
            "  bin/kv import shopping < shopping.kv",
            "  bin/kv export shopping | ssh red kv/bin/kv import shopping"
        })
final class ImportCommand implements Callable<Integer> {
    @Mixin
    private ReportOptions options = new ReportOptions();

    @Option(names = "--replace", description = "Replaces the bucket if it exists.")
    private boolean replace;

    @Mixin
    private BucketName bucket = new BucketName();

    @Override
    public Integer call() {
        String name = bucket.printable();
        String line = (replace ? "replace " : "import ") + name;
        Config done;
        try {
            done = KeptData.of(options).node().ask(line, System.in, OutputStream.nullOutputStream());
        } catch (UncheckedIOException e) {
            throw new CommandFailed("standard input cannot be read: " + e.getMessage(), e);
        }
        long keys = done.getLong("keys");
        if (options.json()) {
            Results.json(Map.of("bucket", name, "keys", keys));
        } else {
            Results.line("%s: %d %s imported".formatted(name, keys, keys == 1 ? "key" : "keys"));
        }
        return 0;
    }
}
