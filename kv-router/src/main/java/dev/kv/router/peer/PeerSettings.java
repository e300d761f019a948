package dev.kv.router.peer;

import dev.kv.router.Bytes;
import dev.kv.router.table.RoutingTable;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;

/**
 * The settings of the links between nodes.
 *
 * @param self this node's name
 * @param cookie the secret that the nodes share
 * @param addresses the known address of a node by its name, unresolved; any thread
 * @param timeout the longest time without progress of another node
 * @param reconnectMax the longest pause between two attempts to connect
 * @param connectionsMax the most links of other nodes to this one
 * @param handshakesMax the most connections to this node that are in their handshake
 * @param handshakeTimeout the longest time for a handshake
 * @param inFlightMax the most requests of one link that wait for their replies
 * @param unsentMaxBytes the most bytes that wait to be sent on one link
 * @param messageMaxBytes the longest request or reply
 * @param room the memory for long requests and replies from other nodes, on all links
 * @param replies the memory for long replies to other nodes that are in memory until they are sent, on all links
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
    private static final long WAITING_LEAST_BYTES = 1 << 20;

    /** The default port for other nodes. */
    public static final int DEFAULT_PORT = 4041;

    /** The most bytes of requests of one link that wait for a slow disk, or for memory for their replies: a part of the heap, if that is small. */
    long waitingMaxBytes() {
        return Math.min(unsentMaxBytes, Math.max(WAITING_LEAST_BYTES, replies.bytes() / 4));
    }

    /** The address of the node, unresolved: with the port in the table, else its known address, else the host of its name. */
    InetSocketAddress addressOf(RoutingTable.Node node) {
        if (node.port() != 0) {
            return InetSocketAddress.createUnresolved(node.host(), node.port());
        }
        return addresses
                .apply(node.name())
                .orElseGet(() -> InetSocketAddress.createUnresolved(node.host(), DEFAULT_PORT));
    }
}
