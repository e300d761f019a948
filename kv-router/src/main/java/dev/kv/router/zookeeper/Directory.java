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

/** The nodes that are registered, and where each is or was last. One thread changes it, any may ask. */
final class Directory {
    private static final Logger LOG = LoggerFactory.getLogger(Directory.class);

    private static final String LIST_LOST =
            "the connection was lost over its list: delete children that are no nodes, or raise"
                    + " jute.maxbuffer in kv.router.zookeeper.client";

    private final ZooKeeperSettings settings;
    private final LastAddresses lastAddresses;
    private volatile Map<String, NodeDocument> nodes = Map.of();

    /** Where the nodes are, as {@code host:port}: those that are registered, and those that were last. */
    private volatile Map<String, String> addresses = Map.of();

    /** Where the nodes are by what {@code moved} has heard. */
    private final Map<String, String> told = new HashMap<>();

    /** How many times in succession the connection was lost when the list of the nodes was asked for. */
    private int listsLost;

    private long listAgainNanos;

    /**
     * @param folder where the addresses are kept
     */
    Directory(ZooKeeperSettings settings, Path folder) {
        this.settings = settings;
        this.lastAddresses = new LastAddresses(folder);
    }

    /** Takes the addresses of the disk. */
    void begin() {
        addresses = lastAddresses.read();
        told.putAll(addresses);
    }

    /**
     * Reads what the nodes say of themselves.
     *
     * @param named the nodes of the table, which come first where there are too many
     * @param moved hears of nodes that have another address than before
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
            // ZooKeeper's client ends the connection over a list that is too long for it. So from the second time on,
            // rounds go on
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
                // It left meanwhile, and the watch tells.
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
            ignored.add(path, "it cannot be read: " + e.code());
        }
        return Optional.empty();
    }

    /** Where the node registered that others reach it, now or last. Any thread. */
    Optional<InetSocketAddress> addressOf(String node) {
        return Optional.ofNullable(addresses.get(node)).flatMap(Addresses::parse);
    }

    /** What a node that is registered says of itself. Any thread. */
    Optional<NodeDocument> said(String node) {
        return Optional.ofNullable(nodes.get(node));
    }

    /** Why the addresses are not on the disk; empty if they are. Any thread. */
    Optional<String> trouble() {
        return lastAddresses.trouble();
    }
}
