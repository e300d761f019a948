package dev.kv.router.zookeeper;

import dev.kv.router.config.Json;
import dev.kv.router.net.Addresses;
import dev.kv.router.table.RoutingTable;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.zookeeper.KeeperException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The registered nodes, and the last known addresses of nodes. One thread changes it, any thread may read. */
final class Directory {
    private static final Logger LOG = LoggerFactory.getLogger(Directory.class);

    private static final String LIST_LOST =
            "the connection was lost over its list: delete children that are no nodes, or raise"
                    + " jute.maxbuffer in kv.router.zookeeper.client";

    private final ZooKeeperSettings settings;
    private final LastAddresses lastAddresses;
    private volatile Map<String, NodeDocument> nodes = Map.of();

    /** Addresses of registered nodes and last addresses of others, as {@code host:port}. */
    private volatile Map<String, String> addresses = Map.of();

    /** The addresses that {@code moved} knows. */
    private final Map<String, String> told = new HashMap<>();

    /** The number of times in succession that the connection was lost while the list of nodes was read. */
    private int listsLost;

    private long listAgainNanos;

    /**
     * @param folder the folder for the file of addresses
     */
    Directory(ZooKeeperSettings settings, Path folder) {
        this.settings = settings;
        this.lastAddresses = new LastAddresses(folder);
    }

    /** Reads the addresses from the disk. */
    void begin() {
        addresses = lastAddresses.read();
        told.putAll(addresses);
    }

    /**
     * Reads the documents of the nodes.
     *
     * @param named the nodes of the table, which have priority if there are too many
     * @param moved gets the names of nodes whose address has changed
     */
    void read(ZooKeeperSession zookeeper, Set<String> named, Ignored ignored, Consumer<String> moved) throws Exception {
        Optional<List<String>> names = names(zookeeper, named, ignored);
        if (names.isEmpty()) {
            return;
        }
        Map<String, NodeDocument> read = new HashMap<>();
        for (String name : names.get()) {
            read(zookeeper, name, ignored).ifPresent(said -> read.put(name, said));
        }
        nodes = Map.copyOf(read);
        Map<String, String> known = new HashMap<>(addresses);
        known.keySet()
                .removeIf(
                        name -> known.size() > settings.nodesMax() && !read.containsKey(name) && !named.contains(name));
        read.forEach((name, said) -> {
            if (!said.peer().isEmpty()) {
                known.put(name, said.peer());
            }
        });
        lastAddresses.keep(known);
        addresses = Map.copyOf(known);
        told.keySet().retainAll(known.keySet());
        known.forEach((name, address) -> {
            String before = told.getOrDefault(name, address);
            if (!address.equals(before)) {
                LOG.info("{} is at {} now; it was at {}", name, address, before);
                moved.accept(name);
            }
            told.put(name, address);
        });
    }

    /** The names of the nodes; empty if they cannot be listed. */
    private Optional<List<String>> names(ZooKeeperSession zookeeper, Set<String> named, Ignored ignored)
            throws Exception {
        String path = zookeeper.znodes().nodes();
        if (listsLost > 1 && System.nanoTime() - listAgainNanos < 0) {
            ignored.add(path, LIST_LOST);
            return Optional.empty();
        }
        List<String> children;
        try {
            children = zookeeper.children(path);
            listsLost = 0;
        } catch (KeeperException.ConnectionLossException e) {
            // ZooKeeper's client closes the connection if the list is too long for it. From the second loss on, rounds
            // do
            // without the list for a while.
            listsLost++;
            listAgainNanos = System.nanoTime() + settings.poll().toNanos();
            throw e;
        }
        List<String> strangers = children.stream()
                .filter(name -> !RoutingTable.Node.isName(name))
                .sorted()
                .toList();
        if (!strangers.isEmpty()) {
            String first = strangers.getFirst();
            ignored.add(
                    path + "/" + first.substring(0, Math.min(first.length(), 64)),
                    strangers.size() == 1
                            ? "this is no node's name"
                            : strangers.size() + " such children have no node's name");
        }
        List<String> names = children.stream()
                .filter(RoutingTable.Node::isName)
                .sorted(Comparator.comparing((String name) -> !named.contains(name))
                        .thenComparing(Comparator.naturalOrder()))
                .toList();
        if (names.size() > settings.nodesMax()) {
            ignored.add(
                    path,
                    "it has %d nodes, %d are read (kv.router.zookeeper.nodes-max)"
                            .formatted(names.size(), settings.nodesMax()));
        }
        return Optional.of(names.stream().limit(settings.nodesMax()).toList());
    }

    private Optional<NodeDocument> read(ZooKeeperSession zookeeper, String name, Ignored ignored) throws Exception {
        String path = zookeeper.znodes().node(name);
        try {
            Optional<byte[]> json = zookeeper.look(path);
            if (json.isEmpty()) {
                // The node has left since; the watch starts another round.
                return Optional.empty();
            }
            NodeDocument said = NodeDocument.read(json.get(), settings.documentMaxBytes());
            if (!said.peer().isEmpty() && Addresses.parse(said.peer()).isEmpty()) {
                ignored.add(path, "its peer is not host:port");
                return Optional.empty();
            }
            return Optional.of(said);
        } catch (Json.Unreadable e) {
            ignored.add(path, e.getMessage());
        } catch (KeeperException e) {
            if (ZooKeeperSession.isGone(e)) {
                throw e;
            }
            ignored.add(path, "it cannot be read: ZooKeeper " + ZooKeeperSession.meaning(e));
        }
        return Optional.empty();
    }

    /** The registered address of the node, now or the last time. Any thread. */
    Optional<InetSocketAddress> addressOf(String node) {
        return Optional.ofNullable(addresses.get(node)).flatMap(Addresses::parse);
    }

    /** The document of a registered node. Any thread. */
    Optional<NodeDocument> said(String node) {
        return Optional.ofNullable(nodes.get(node));
    }

    /** Why the addresses could not be written to the disk; empty if they were. Any thread. */
    Optional<String> trouble() {
        return lastAddresses.trouble();
    }
}
