package dev.kv.router.cli;

import dev.kv.router.OperatorError;
import dev.kv.router.net.Addresses;
import dev.kv.router.node.NodeFolder;
import dev.kv.router.spi.Logging;
import dev.kv.router.zookeeper.StandaloneServer;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "zookeeper",
        description = {
            "Runs a standalone ZooKeeper server in the foreground.",
            "For development and small sites. Prints one line when it answers; SIGTERM or",
            "SIGINT ends it. Old snapshots and logs are purged every hour. Anybody who can",
            "connect to its port can change the routing of all nodes."
        },
        footer = {"", "Example:", "  bin/kv zookeeper --data /var/lib/zookeeper"})
final class ZooKeeperCommand implements Callable<Integer> {
    @SuppressWarnings("UnusedVariable") // every command takes these; a server of ZooKeeper has no use for them
    @Mixin
    private Options options = new Options();

    @Option(
            names = "--port",
            paramLabel = "PORT",
            defaultValue = "2181",
            description = "The port for its clients; 0: any free one. Default: ${DEFAULT-VALUE}.")
    private String port = "";

    @Option(
            names = "--host",
            paramLabel = "HOST",
            defaultValue = "127.0.0.1",
            description = "The address that it listens on. Default: ${DEFAULT-VALUE}.")
    private String host = "";

    @Option(
            names = "--data",
            paramLabel = "DIR",
            description = "Where its data is. Default: zookeeper in the release's folder.")
    private Optional<Path> data = Optional.empty();

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        InetSocketAddress address = address();
        Path folder = data.orElseGet(() -> Options.home().resolve("zookeeper")).toAbsolutePath();
        hold(folder);
        // Of clients that break off, or come before it is ready, it would tell with stack traces.
        Options.warn(Map.of(
                "org.apache.zookeeper.server.NIOServerCnxn", Logging.Level.ERROR,
                "org.apache.zookeeper.server.WorkerService", Logging.Level.ERROR));
        // Set to work when the server answers: a start that fails does not end with success.
        Thread success = new Thread(() -> Runtime.getRuntime().halt(0), "kv-stop");
        try {
            StandaloneServer.run(address, folder, at -> {
                Runtime.getRuntime().addShutdownHook(success);
                Results.line("ZooKeeper answers at " + Addresses.text(at) + ", its data is in " + folder);
            });
        } catch (BindException e) {
            throw new CommandFailed(
                    "cannot listen at " + Addresses.text(address) + ": " + OperatorError.reason(e)
                            + "; --port names another port, --host another address",
                    e);
        } catch (IOException e) {
            Runtime.getRuntime().removeShutdownHook(success);
            throw new CommandFailed("ZooKeeper in " + folder + ": " + OperatorError.reason(e), e);
        }
        return 0;
    }

    private InetSocketAddress address() {
        InetSocketAddress address = new InetSocketAddress(host, number());
        if (address.isUnresolved()) {
            throw new CommandFailed("--host " + host + ": no such host");
        }
        return address;
    }

    private int number() {
        try {
            int number = Integer.parseInt(port);
            if (number >= 0 && number <= 0xFFFF) {
                return number;
            }
        } catch (NumberFormatException notANumber) {
            // Reported below, like a number out of range.
        }
        throw new CommandLine.ParameterException(
                spec.commandLine(), "--port " + port + ": expected a port from 0 to 65535");
    }

    /** Keeps other servers out until the process ends: two would ruin each other's data. */
    private static void hold(Path folder) {
        try {
            if (NodeFolder.hold(folder).isEmpty()) {
                throw new CommandFailed("a ZooKeeper server runs in " + folder + " already (process "
                        + NodeFolder.pid(folder) + "): stop it, or give this one another folder with --data");
            }
        } catch (IOException e) {
            throw new CommandFailed(
                    "cannot write in " + folder + ": " + OperatorError.reason(e) + "; --data names another folder", e);
        }
    }
}
