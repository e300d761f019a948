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
 * A ZooKeeper server without an ensemble, which takes its process for itself. What it answers is on disk by then: it may be
 * ended in any way at any time.
 */
public final class StandaloneServer extends ZooKeeperServerMain {
    private static final int TICK_MILLIS = 2000;
    private static final int CONNECTIONS_MAX = 1024;
    private static final int PURGE_INTERVAL_HOURS = 1;
    /** What ZooKeeper's documentation advises, and the least that it takes. */
    private static final int KEPT_SNAPSHOTS = 3;

    private final InetAddress host;
    private final Consumer<InetSocketAddress> answers;

    private StandaloneServer(InetAddress host, Consumer<InetSocketAddress> answers) {
        this.host = host;
        this.answers = answers;
    }

    /**
     * Serves for as long as it can. A fault that ZooKeeper does not survive ends the process with ZooKeeper's own status.
     *
     * @param address where it listens; port 0: any free one
     * @param folder its data, which no other server uses
     * @param answers is told the address once it answers
     * @throws java.net.BindException if it cannot listen there
     * @throws IOException if it cannot serve what is in the folder
     */
    public static void run(InetSocketAddress address, Path folder, Consumer<InetSocketAddress> answers)
            throws IOException {
        // It would ask for a web server, which no release has.
        System.setProperty("zookeeper.admin.enableServer", "false");
        System.setProperty("zookeeper.maxCnxns", String.valueOf(CONNECTIONS_MAX));
        // Past the hooks of an orderly end, which this is not.
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

    /** What a file zoo.cfg would say. */
    private static final class Configuration extends ServerConfig {
        Configuration(InetSocketAddress address, File files) {
            clientPortAddress = address;
            dataDir = files;
            dataLogDir = files;
            tickTime = TICK_MILLIS;
        }
    }
}
