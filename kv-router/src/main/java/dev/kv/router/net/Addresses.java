package dev.kv.router.net;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Addresses as {@code host:port}, the way people type them. */
public final class Addresses {
    /** A name or an IPv4 address, or an IPv6 address in brackets. */
    private static final Pattern HOST_AND_PORT =
            Pattern.compile("(?:([^\\[\\]:/\\s]+)|\\[([0-9A-Fa-f:.]+)]):([0-9]{1,5})");

    private Addresses() {}

    /** The address of {@code host:port} with a port from 1 to 65535, without a look-up of names; empty for other texts. */
    public static Optional<InetSocketAddress> parse(String text) {
        Matcher matcher = HOST_AND_PORT.matcher(text);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        String host = matcher.group(1) == null ? matcher.group(2) : matcher.group(1);
        int port = Integer.parseInt(matcher.group(3));
        return port < 1 || port > 65535
                ? Optional.empty()
                : Optional.of(InetSocketAddress.createUnresolved(host, port));
    }

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
