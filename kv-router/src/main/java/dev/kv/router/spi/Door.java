package dev.kv.router.spi;

import dev.kv.router.Limits;
import dev.kv.router.Store;
import dev.kv.router.config.Settings;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.net.Loops;
import dev.kv.router.table.TableInForce;
import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The service that serves clients ({@link java.util.ServiceLoader}); a release without one is storage-only. Its configuration is
 * the section {@code kv.server}.
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
         * @param stores makes a store for each client, which runs the client's commands on one bucket in order
         * @param loops the I/O loops of this node
         * @param node the facts that clients may read
         */
        Open start(Supplier<Store> stores, Loops loops, Facts node);

        /** The address that it will listen at; empty if it listens at none. */
        default Optional<InetSocketAddress> address() {
            return Optional.empty();
        }
    }

    /**
     * Facts about a node. Any thread.
     *
     * @param name the node's name
     * @param role {@code combined} or {@code server}
     * @param version the release's version
     * @param limits the bounds of names, keys, values and replies
     * @param table the routing table in force
     * @param metrics what its parts measure and report
     */
    record Facts(
            String name, String role, String version, Limits limits, Supplier<TableInForce> table, Metrics metrics) {}

    /** A door that accepts clients. */
    interface Open extends Running {
        /** The bound address, with the actual port if port 0 was asked for. */
        InetSocketAddress address();
    }
}
