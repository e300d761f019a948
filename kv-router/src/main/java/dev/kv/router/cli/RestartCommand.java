package dev.kv.router.cli;

import dev.kv.router.node.Node;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "restart",
        description = {
            "Stops the node if it runs, and starts it in the background.",
            "Checks the configuration first: if the node could not start with it, the",
            "command fails and the node keeps running."
        },
        footer = {"", "Example:", "  bin/kv restart"})
final class RestartCommand implements Callable<Integer> {
    @Mixin
    private Options options = new Options();

    @Override
    public Integer call() throws IOException {
        Node.Ready ready = options.configure();
        // Checked before the node is stopped.
        AotCache.makeIfMissing(ready.settings().name());
        StopCommand.stop(options);
        return StartCommand.start(options);
    }
}
