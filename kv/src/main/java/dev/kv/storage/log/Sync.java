package dev.kv.storage.log;

import dev.kv.router.config.Settings;
import java.time.Duration;
import java.util.Optional;

/**
 * When what was written goes onto the disk. Whatever it says, what was acknowledged outlives the process.
 *
 * @param isAlways whether a write is acknowledged only when it is on the disk
 * @param interval how long what was acknowledged may not be on the disk; empty: as long as the system likes, less when a segment
 *     is full
 */
public record Sync(boolean isAlways, Optional<Duration> interval) {
    private static final Duration MIN = Duration.ofMillis(10);
    private static final Duration MAX = Duration.ofHours(1);

    public static Sync of(Settings settings, String key) {
        return switch (settings.text(key)) {
            case "always" -> new Sync(true, Optional.empty());
            case "os" -> new Sync(false, Optional.empty());
            default -> new Sync(false, Optional.of(settings.duration(key, MIN, MAX)));
        };
    }
}
