package dev.kv.router.zookeeper;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.apache.zookeeper.server.DatadirCleanupManager;
import org.apache.zookeeper.server.ServerConfig;
import org.apache.zookeeper.server.ZooKeeperServerMain;
import org.apache.zookeeper.server.admin.AdminServer.AdminServerException;
import org.apache.zookeeper.util.ServiceUtils;

/**
 * A ZooKeeper server without an ensemble, in a process of its own. It forces writes onto the disk before it answers, so it may be
 * killed at any time.
 */
public final class StandaloneServer extends ZooKeeperServerMain {
    /** ZooKeeper's own default. Sessions last 2 to 20 ticks. */
    private static final int TICK_MILLIS = 2000;
    /** More than a small site has; larger ones run ZooKeeper's own server with its own configuration. */
    private static final int CONNECTIONS_MAX = 1024;

    private static final int PURGE_INTERVAL_HOURS = 1;
    /** The value that ZooKeeper's documentation recommends, and the lowest that it accepts. */
    private static final int KEPT_SNAPSHOTS = 3;

    private final InetAddress host;
    private final Consumer<InetSocketAddress> answers;

    private StandaloneServer(InetAddress host, Consumer<InetSocketAddress> answers) {
        this.host = host;
        this.answers = answers;
    }

    /**
     * Serves until it fails. A fault that ZooKeeper does not survive ends the process with ZooKeeper's own exit status.
     *
     * @param address the address to listen on; port 0: any free port
     * @param folder its data folder, used by no other server
     * @param answers gets the bound address once the server answers
     * @throws java.net.BindException if it cannot listen there
     * @throws IOException if it cannot serve what is in the folder
     */
    public static void run(InetSocketAddress address, Path folder, Consumer<InetSocketAddress> answers)
            throws IOException {
        // The admin server needs a web server, which no release contains.
        System.setProperty("zookeeper.admin.enableServer", "false");
        System.setProperty("zookeeper.maxCnxns", String.valueOf(CONNECTIONS_MAX));
        // Without the shutdown hooks, which would end the process with status 0.
        ServiceUtils.setSystemExitProcedure(Runtime.getRuntime()::halt);
        File files = folder.toFile();
        new DatadirCleanupManager(files, files, KEPT_SNAPSHOTS, PURGE_INTERVAL_HOURS).start();
        try {
            new StandaloneServer(address.getAddress(), answers).runFromConfig(new Configuration(address, files));
        } catch (AdminServerException e) {
            throw new IllegalStateException("there is no such server", e);
        }
        throw new IOException("the server has ended by itself");
    }

    @Override
    protected void serverStarted() {
        answers.accept(new InetSocketAddress(host, getClientPort()));
    }

    /** The settings of a file zoo.cfg. */
    private static final class Configuration extends ServerConfig {
        Configuration(InetSocketAddress address, File files) {
            clientPortAddress = address;
            dataDir = files;
            dataLogDir = files;
            tickTime = TICK_MILLIS;
        }
    }
}
