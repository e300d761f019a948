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
import java.util.List;
import java.util.Map;

final class ZooKeeperCommand implements Command {
    private static final String PORT = "2181";
    private static final String HOST = "127.0.0.1";

    /** Every command takes these; a server of ZooKeeper has no use for them. */
    private final Options options = new Options();

    private final Word port =
            Word.option("--port", "PORT", "The port for its clients; 0: any free one. Default: " + PORT + ".");

    private final Word host = Word.option("--host", "HOST", "The address that it listens on. Default: " + HOST + ".");

    private final Word data =
            Word.option("--data", "DIR", "Where its data is. Default: zookeeper in the release's folder.");

    @Override
    public Help help() {
        return new Help("zookeeper", """
                Runs a standalone ZooKeeper server in the foreground.
                For development and small sites. Prints one line when it answers; SIGTERM or
                SIGINT ends it. Old snapshots and logs are purged every hour. Anybody who can
                connect to its port can change the routing of all nodes.
                """, "bin/kv zookeeper --data /var/lib/zookeeper");
    }

    @Override
    public List<Word> words() {
        return Word.list(options.taken(), port, host, data);
    }

    @Override
    public int run() {
        InetSocketAddress address = address();
        Path folder = (data.isGiven() ? data.path() : Options.home().resolve("zookeeper")).toAbsolutePath();
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
        InetSocketAddress address = new InetSocketAddress(host.value().orElse(HOST), port());
        if (address.isUnresolved()) {
            throw new CommandFailed("--host " + host.text() + ": no such host");
        }
        return address;
    }

    private int port() {
        String text = port.value().orElse(PORT);
        int number;
        try {
            number = Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw port.expected(text, port.label());
        }
        if (number < 0 || number > 0xFFFF) {
            throw port.expected(text, "a port from 0 to 65535");
        }
        return number;
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
