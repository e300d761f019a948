package dev.kv.server;

import dev.kv.router.Bytes;
import dev.kv.router.config.Settings;
import dev.kv.server.auth.Password;
import java.net.InetSocketAddress;
import java.time.Duration;

/**
 * The section {@code kv.server}; {@code reference.conf} says what the keys mean.
 *
 * @param address the address to listen on
 * @param idle zero for never
 * @param connectionsMax 0 for as many as the file descriptors allow
 * @param loginsMax the largest number of clients that have not logged in, with a password
 * @param loginTimeout the time in which one of these must log in
 * @param largeMax the most requests of one client that wait for a thread for large ones or for their bucket
 * @param bufferMaxBytes 0 for a part of the heap
 * @param heldMaxBytes the most bytes of large values that are held for clients
 * @param heldTime the longest time for which a value is held
 * @param stalledTime the longest time without progress while others wait for memory
 */
record ServerSettings(
        InetSocketAddress address,
        int lineMaxBytes,
        Duration idle,
        int connectionsMax,
        int loginsMax,
        Duration loginTimeout,
        int repliesMax,
        long requestsMaxBytes,
        int largeMax,
        long unsentMaxBytes,
        long bufferMaxBytes,
        long heldMaxBytes,
        Duration heldTime,
        Duration stalledTime,
        Password password) {

    private static final long KIB = 1024;
    private static final long GIB = 1024 * 1024 * KIB;

    /** The buffer of an incomplete line is at most twice as long as the line, and exists twice while it grows. */
    static final int BUFFERS_PER_LINE = 4;

    static ServerSettings from(Settings settings) {
        Duration idle = settings.duration("kv.server.idle", Duration.ZERO, Duration.ofDays(1));
        if (!idle.isZero() && idle.toSeconds() == 0) {
            throw settings.bad("kv.server.idle", "expected 0 or at least 1s");
        }
        int lineMaxBytes = (int) settings.size("kv.server.line-max", KIB, GIB / BUFFERS_PER_LINE);
        long bufferMaxBytes = settings.size("kv.server.buffer-max", 0, 1024 * GIB);
        if (bufferMaxBytes != 0 && bufferMaxBytes / BUFFERS_PER_LINE < lineMaxBytes) {
            throw settings.bad("kv.server.buffer-max", "expected 0, or at least four times kv.server.line-max");
        }
        return new ServerSettings(
                address(settings),
                lineMaxBytes,
                idle,
                settings.count("kv.server.connections-max", 0, 1_000_000),
                settings.count("kv.server.logins-max", 1, 1_000_000),
                settings.duration("kv.server.login-timeout", Duration.ofMillis(50), Duration.ofHours(1)),
                settings.count("kv.server.replies-max", 1, 1024 * 1024),
                settings.size("kv.server.requests-max", KIB, GIB),
                settings.count("kv.server.large-max", 1, 1024 * 1024),
                settings.size("kv.server.unsent-max", KIB, GIB),
                bufferMaxBytes,
                settings.size("kv.server.held-max", GIB, 1024 * GIB),
                settings.duration("kv.server.held-time", Duration.ofMillis(100), Duration.ofHours(1)),
                settings.duration("kv.server.stalled-time", Duration.ofMillis(100), Duration.ofHours(1)),
                new Password(Bytes.of(settings.text("kv.server.password"))));
    }

    private static InetSocketAddress address(Settings settings) {
        String host = settings.text("kv.server.host");
        InetSocketAddress address = new InetSocketAddress(host, settings.port("kv.server.port"));
        if (host.isBlank() || address.isUnresolved()) {
            throw settings.bad("kv.server.host", "expected an address of this machine, or a name for one");
        }
        return address;
    }
}
