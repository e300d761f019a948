package dev.kv.server.resp;

import dev.kv.router.spi.Door;
import java.net.InetSocketAddress;
import java.time.Duration;

/** What commands of RESP tell of the door through which their client came. Any thread. */
public interface RespDoor {
    Door.Facts node();

    Clients clients();

    Statistics statistics();

    /** Sets all counts of {@code INFO} to 0. */
    default void resetStatistics() {
        statistics().reset();
        clients().reset();
    }

    /** The address that was bound. */
    InetSocketAddress address();

    /** The number of open connections. */
    int connections();

    int connectionsMax();

    /** The message for a client above {@link #connectionsMax}, without its first word. */
    String tooManyConnections();

    /** The time after which a silent connection is closed; zero for never. */
    Duration idle();

    /** The longest bulk string of a request. */
    int bulkMaxBytes();
}
