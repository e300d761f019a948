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
            "Fails with a configuration that the node could not start with, and leaves the",
            "node as it is then."
        },
        footer = {"", "Example:", "  bin/kv restart"})
final class RestartCommand implements Callable<Integer> {
    @Mixin
    private Options options = new Options();

    @Override
    public Integer call() throws IOException {
        Node.Ready ready = options.configure();
        // While the node still serves.
        AotCache.makeIfMissing(ready.settings().name());
        StopCommand.stop(options);
        return StartCommand.start(options);
    }
}
