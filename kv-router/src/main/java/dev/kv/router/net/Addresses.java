package dev.kv.router.net;

import java.net.InetSocketAddress;
import java.net.SocketAddress;

/** Addresses as {@code host:port}, the way people type them. */
public final class Addresses {
    private Addresses() {}

    /** The address as {@code host:port}, an IPv6 host in brackets; without a look-up of names. */
    public static String text(SocketAddress address) {
        if (!(address instanceof InetSocketAddress inet)) {
            return String.valueOf(address);
        }
        String host = inet.getAddress() == null
                ? inet.getHostString()
                : inet.getAddress().getHostAddress();
        return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + inet.getPort();
    }
}
