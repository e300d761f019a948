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
            "Checks the keys and values of the configuration first: if one is wrong,",
            "the command fails and the node keeps running. A port in use, the cookie or",
            "a folder that cannot be used is found when the node has been stopped."
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
