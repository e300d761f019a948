package dev.kv.router.config;

import java.time.Duration;
import java.util.Map;

/** The effective configuration as its readers see it. */
@SuppressWarnings("DoNotCallSuggester")
public final class Settings {
    /** The text of {@code key}, possibly empty. */
    public String text(String key) {
        throw new UnsupportedOperationException(key);
    }

    /** A port: 0 (any free one) to 65535. */
    public int port(String key) {
        throw new UnsupportedOperationException(key);
    }

    /** A whole number from {@code min} to {@code max}. */
    public int count(String key, int min, int max) {
        throw new UnsupportedOperationException(key);
    }

    /** A duration from {@code min} to {@code max}, both included. */
    public Duration duration(String key, Duration min, Duration max) {
        throw new UnsupportedOperationException(key);
    }

    /** A size in bytes from {@code min} to {@code max}, both included. */
    public long size(String key, long min, long max) {
        throw new UnsupportedOperationException(key);
    }

    /** The texts of an open section, such as {@code kv.router.peers}, in order. */
    public Map<String, String> texts(String key) {
        throw new UnsupportedOperationException(key);
    }

    /** Why the start ends: names the key, its file and line, and its value, then says {@code why}. */
    public BadStart bad(String key, String why) {
        throw new UnsupportedOperationException(key + why);
    }
}
