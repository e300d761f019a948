package dev.kv.router.peer;

import dev.kv.router.Bytes;
import dev.kv.router.RoutingTable;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;

/**
 * What the way to other nodes needs to know.
 *
 * @param self this node's name
 * @param cookie the secret that the nodes share
 * @param addresses where nodes are that are not at the host of their name, by their names; unresolved
 * @param patience how long to wait for another node without any progress
 * @param reconnectMax the longest pause between two attempts to connect
 * @param connectionsMax how many links other nodes may open to this one
 * @param inFlightMax how many requests of one link may wait for their replies
 * @param unsentMaxBytes how much may wait to be sent on one link
 * @param messageMaxBytes the longest request or reply
 */
public record PeerSettings(
        String self,
        Bytes cookie,
        Map<String, InetSocketAddress> addresses,
        Duration patience,
        Duration reconnectMax,
        int connectionsMax,
        int inFlightMax,
        long unsentMaxBytes,
        long messageMaxBytes) {
    /** The port of the door for other nodes, where nothing else is said. */
    public static final int DEFAULT_PORT = 4041;

    public PeerSettings {
        addresses = Map.copyOf(addresses);
    }

    /** Where the node is, unresolved: the port in the table, then {@code kv.router.peers}, then the host of its name. */
    InetSocketAddress addressOf(RoutingTable.Node node) {
        if (node.port() != 0) {
            return InetSocketAddress.createUnresolved(node.host(), node.port());
        }
        InetSocketAddress known = addresses.get(node.name());
        return known != null ? known : InetSocketAddress.createUnresolved(node.host(), DEFAULT_PORT);
    }
}
