package dev.kv.router.node;

import dev.kv.router.net.Addresses;
import dev.kv.router.zookeeper.ZooKeeperSettings;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.util.Optional;

/** The address that a node registers for the others. */
final class Advertised {
    private Advertised() {}

    /**
     * The configured address, else the address of the listener, else the host of the node's name if that is this machine, else
     * the local address of the connection to ZooKeeper.
     *
     * @param door what the door for other nodes is bound to
     * @return {@code host:port}
     */
    static String address(NodeSettings settings, InetSocketAddress door) {
        String said = settings.advertise();
        if (!said.isEmpty()) {
            return Addresses.parse(said).isPresent() ? said : said + ":" + door.getPort();
        }
        if (!door.getAddress().isAnyLocalAddress()) {
            return Addresses.text(door);
        }
        String host = settings.name().substring(settings.name().indexOf('@') + 1);
        if (isHere(host)) {
            return host + ":" + door.getPort();
        }
        InetAddress local = settings.zookeeper().flatMap(Advertised::wayTo).orElseGet(InetAddress::getLoopbackAddress);
        return Addresses.text(new InetSocketAddress(local, door.getPort()));
    }

    private static boolean isHere(String host) {
        try {
            return NetworkInterface.getByInetAddress(InetAddress.getByName(host)) != null;
        } catch (IOException e) {
            return false;
        }
    }

    /** The local address from which packets to ZooKeeper would be sent; sends none. */
    private static Optional<InetAddress> wayTo(ZooKeeperSettings zookeeper) {
        String first = zookeeper.connect().split("[,/]", 2)[0];
        return Addresses.parse(first).flatMap(server -> {
            try (DatagramSocket socket = new DatagramSocket()) {
                socket.connect(new InetSocketAddress(InetAddress.getByName(server.getHostString()), server.getPort()));
                return Optional.of(socket.getLocalAddress());
            } catch (IOException e) {
                return Optional.empty();
            }
        });
    }
}
