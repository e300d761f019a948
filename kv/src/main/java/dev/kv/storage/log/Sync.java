package dev.kv.storage.log;

import dev.kv.router.config.BadStart;
import dev.kv.router.config.Settings;
import java.time.Duration;
import java.util.Optional;

/**
 * When writes are forced onto the disk. With every setting, an acknowledged write survives the end of the process.
 *
 * @param isAlways whether a write is acknowledged only when it is on the disk
 * @param interval longest time between two syncs; empty for no limit, but a full segment is synced at once
 */
public record Sync(boolean isAlways, Optional<Duration> interval) {
    private static final Duration MIN = Duration.ofMillis(10);
    private static final Duration MAX = Duration.ofHours(1);

    public static Sync of(Settings settings, String key) {
        return switch (settings.text(key)) {
            case "always" -> new Sync(true, Optional.empty());
            case "os" -> new Sync(false, Optional.empty());
            default -> new Sync(false, Optional.of(interval(settings, key)));
        };
    }

    private static Duration interval(Settings settings, String key) {
        try {
            return settings.duration(key, MIN, MAX);
        } catch (BadStart noDuration) {
            throw settings.bad(key, "expected always, os, or a duration from 10ms to 1h");
        }
    }
}
