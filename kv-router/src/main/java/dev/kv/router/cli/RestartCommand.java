package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.Config;
import dev.kv.router.net.Addresses;
import dev.kv.router.node.Node;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "restart",
        description = {
            "Stops the node if it runs, and starts it in the background.",
            "Checks the configuration, the cookie, the data folder, the ports and the flags",
            "of the JVM first: if a start would refuse one, the command fails and the node",
            "keeps running. What is wrong with the data itself is found when the node has",
            "been stopped."
        },
        footer = {"", "Example:", "  bin/kv restart"})
final class RestartCommand implements Callable<Integer> {
    @Mixin
    private Options options = new Options();

    @Override
    public Integer call() throws IOException, InterruptedException {
        Node.Ready ready = options.configure();
        Remote node = new Remote(ready.settings().name(), ready.settings().folder());
        node.status().document().ifPresent(running -> {
            check(ready, running);
            tellOfVersions(node, running.getString("version"), options.release().version());
        });
        AotCache.makeIfMissing(node.name());
        checkJvm();
        StopCommand.stop(options);
        return StartCommand.start(options);
    }

    /** Starts a JVM with the options of that of a node, which ends at once. */
    private static void checkJvm() throws IOException, InterruptedException {
        Process jvm = new ProcessBuilder(Options.home().resolve("bin/kv").toString(), "run", "--help")
                .redirectErrorStream(true)
                .start();
        String output = new String(jvm.getInputStream().readAllBytes(), UTF_8);
        if (jvm.waitFor() != 0) {
            throw new CommandFailed("no JVM starts with the options of config/jvm.options and KV_JAVA_OPTIONS: "
                    + output.strip().replace("\n", "; "));
        }
    }

    private static void tellOfVersions(Remote node, String before, String after) {
        if (!before.equals(after)) {
            System.err.println(node.name() + ": the release changes from version " + before + " to " + after);
        }
    }

    private static void check(Node.Ready ready, Config running) {
        Options.warn(Map.of());
        Set<Integer> ports = running.getConfig("addresses").root().values().stream()
                .flatMap(address -> Addresses.parse(address.unwrapped().toString()).stream())
                .map(InetSocketAddress::getPort)
                .collect(Collectors.toSet());
        Optional<Path> data =
                running.hasPath("data") ? Optional.of(Path.of(running.getString("data"))) : Optional.empty();
        ready.check(ports, data);
    }
}
