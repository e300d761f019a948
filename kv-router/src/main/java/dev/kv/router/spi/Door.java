package dev.kv.router.spi;

import dev.kv.router.Limits;
import dev.kv.router.Store;
import dev.kv.router.config.Settings;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.net.Loops;
import dev.kv.router.table.TableInForce;
import java.net.InetSocketAddress;
import java.util.function.Supplier;

/**
 * The service by which a release faces clients ({@link java.util.ServiceLoader}); a release without one is storage-only. Its
 * configuration is the section {@code kv.server}.
 */
public interface Door {
    /** Reads and checks the configuration; opens nothing yet. */
    Ready configure(Settings settings);

    /** A door whose configuration is sound. */
    @FunctionalInterface
    interface Ready {
        /**
         * Opens the door.
         *
         * @param stores makes a store for each client: the commands of one client on one bucket run in their order
         * @param loops the I/O loops of this node
         * @param node what it may tell clients of its node
         */
        Open start(Supplier<Store> stores, Loops loops, Facts node);
    }

    /**
     * What is known of a node. Any thread.
     *
     * @param name the node's name
     * @param role what its release makes it
     * @param version the release's version
     * @param limits what is too large for it
     * @param table the routing table in force
     * @param metrics what its parts measure and report
     */
    record Facts(
            String name, String role, String version, Limits limits, Supplier<TableInForce> table, Metrics metrics) {}

    /** A door that clients may enter. */
    interface Open extends Running {
        /** The address that was bound, with the port that was given where any free one was asked for. */
        InetSocketAddress address();
    }
}
