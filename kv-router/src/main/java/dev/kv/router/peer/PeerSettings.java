package dev.kv.router.peer;

import dev.kv.router.Bytes;
import dev.kv.router.table.RoutingTable;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;

/**
 * What the way to other nodes needs to know.
 *
 * @param self this node's name
 * @param cookie the secret that the nodes share
 * @param addresses where a node is, by its name, if that is known; unresolved; any thread may ask
 * @param timeout how long to wait for another node without any progress
 * @param reconnectMax the longest pause between two attempts to connect
 * @param connectionsMax how many links other nodes may open to this one
 * @param handshakesMax how many connections to this node may be about their handshake
 * @param handshakeTimeout how long a handshake may take
 * @param inFlightMax how many requests of one link may wait for their replies
 * @param unsentMaxBytes how much may wait to be sent on one link
 * @param messageMaxBytes the longest request or reply
 * @param room the memory for long requests and replies of other nodes, on all links
 * @param replies the memory for long replies to other nodes that were built whole and wait to be sent, on all links
 */
public record PeerSettings(
        String self,
        Bytes cookie,
        Function<String, Optional<InetSocketAddress>> addresses,
        Duration timeout,
        Duration reconnectMax,
        int connectionsMax,
        int handshakesMax,
        Duration handshakeTimeout,
        int inFlightMax,
        long unsentMaxBytes,
        long messageMaxBytes,
        Room room,
        Room replies) {
    /** The port of the door for other nodes, where nothing else is said. */
    public static final int DEFAULT_PORT = 4041;

    /** Where the node is, unresolved: the port in the table, then what is known of it, then the host of its name. */
    InetSocketAddress addressOf(RoutingTable.Node node) {
        if (node.port() != 0) {
            return InetSocketAddress.createUnresolved(node.host(), node.port());
        }
        return addresses
                .apply(node.name())
                .orElseGet(() -> InetSocketAddress.createUnresolved(node.host(), DEFAULT_PORT));
    }
}
