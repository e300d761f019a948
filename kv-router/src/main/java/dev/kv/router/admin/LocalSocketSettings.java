package dev.kv.router.admin;

import dev.kv.router.config.Settings;
import java.time.Duration;

/**
 * The bounds of the local socket, section {@code kv.node.socket}.
 *
 * @param callersMax how many callers are served at once; more wait until one of them ends
 * @param lineMaxBytes the longest line that a caller may send
 * @param timeout how long a caller may take to send its line, and to take the answer
 * @param pieceTimeout how long a caller may take for each piece of a stream (export, import)
 * @param longMax how many backups, exports and imports run at once, fewer than {@code callersMax}; more are refused
 */
public record LocalSocketSettings(
        int callersMax, int lineMaxBytes, Duration timeout, Duration pieceTimeout, int longMax) {
    private static final Duration WAIT_MIN = Duration.ofMillis(50);
    private static final Duration WAIT_MAX = Duration.ofHours(1);

    /** Reads them; refuses what is out of range. */
    public static LocalSocketSettings of(Settings settings) {
        int callersMax = settings.count("kv.node.socket.callers-max", 2, 1024);
        int longMax = settings.count("kv.node.socket.long-max", 1, 1023);
        return new LocalSocketSettings(
                callersMax,
                (int) settings.size("kv.node.socket.line-max", 1024, 16 * 1024 * 1024),
                settings.duration("kv.node.socket.timeout", WAIT_MIN, WAIT_MAX),
                settings.duration("kv.node.socket.piece-timeout", WAIT_MIN, WAIT_MAX),
                Math.min(longMax, callersMax - 1));
    }
}
