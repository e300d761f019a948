package dev.kv.storage.log;

import dev.kv.router.config.Settings;
import java.time.Duration;

/**
 * How long a pinned segment stays readable after compaction has replaced it. Until then it takes space on the disk and in the address
 * space, though its file is removed.
 *
 * @param max the longest time
 * @param maxWhenFull the longest time while writes are refused because the disk is full
 */
public record PinLimits(Duration max, Duration maxWhenFull) {
    private static final String MAX = "kv.storage.pin-max";
    private static final String MAX_WHEN_FULL = "kv.storage.pin-max-when-full";
    private static final Duration LEAST = Duration.ofSeconds(1);
    private static final Duration MOST = Duration.ofDays(7);

    public static PinLimits of(Settings settings) {
        return new PinLimits(settings.duration(MAX, LEAST, MOST), settings.duration(MAX_WHEN_FULL, LEAST, MOST));
    }

    public Duration limit(boolean isFull) {
        return isFull && maxWhenFull.compareTo(max) < 0 ? maxWhenFull : max;
    }

    /** The message for a reader whose segment was unmapped. */
    public String cutOff(String what) {
        return "%s was cut off: compaction has replaced what it reads, and keeps that for %ds (%s), or for %ds on a full disk (%s): use a faster reader, or raise these"
                .formatted(what, max.toSeconds(), MAX, maxWhenFull.toSeconds(), MAX_WHEN_FULL);
    }
}
