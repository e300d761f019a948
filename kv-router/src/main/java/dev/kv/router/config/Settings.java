package dev.kv.router.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/**
 * The effective configuration as its readers see it. Immutable.
 *
 * <p>Every reader refuses a value that it cannot use with a {@link BadStart}; one that asks for a key which no
 * {@code reference.conf} holds is a fault of the program.
 */
public final class Settings {
    private static final String HIDDEN = "(hidden)";
    /** Messages show no more of a value, such as a routing table. */
    private static final int SHOWN_CHARACTERS_MAX = 256;

    /** A number alone, other than zero: the library takes it for milliseconds, and who writes it may mean seconds. */
    private static final Pattern UNITLESS = Pattern.compile("\\s*(?!0+\\s*$)[0-9]+(\\.[0-9]*)?\\s*");

    private static final String DURATION_UNITS = " (units: ms, s, m, h)";
    private static final String SIZE_UNITS = " (units: KiB, MiB, GiB; without one, bytes)";

    private final Path home;
    private final Config effective;
    private final List<String> ignored;

    private Settings(Path home, Config effective, List<String> ignored) {
        this.home = home;
        this.effective = effective;
        this.ignored = ignored;
    }

    /** The settings of {@code effective}, which holds the keys of {@code reference} with one value each, and no others. */
    static Settings checked(Path home, Config reference, Config effective) {
        KnownKeys known = new KnownKeys(reference);
        List<String> ignored = known.ignored(effective);
        Settings settings = new Settings(home, without(ignored, effective), ignored);
        known.check(settings);
        return settings;
    }

    private static Config without(List<String> sections, Config config) {
        for (String section : sections) {
            config = config.withoutPath(section);
        }
        return config;
    }

    static boolean isWithin(String section, String key) {
        return key.startsWith(section + ".");
    }

    /** The text of {@code key}, possibly empty. */
    public String text(String key) {
        return effective.getString(key);
    }

    /** The path of {@code key}, made absolute from the release's folder. */
    public Path path(String key) {
        String text = text(key);
        if (text.isEmpty()) {
            throw bad(key, "expected a path");
        }
        try {
            return home.resolve(text).normalize();
        } catch (InvalidPathException e) {
            throw bad(key, "expected a path");
        }
    }

    /** One of the constants of {@code type}, written in lower case. */
    public <E extends Enum<E>> E choice(String key, Class<E> type) {
        String text = text(key);
        List<E> constants = List.of(type.getEnumConstants());
        return constants.stream()
                .filter(constant -> written(constant).equals(text))
                .findFirst()
                .orElseThrow(() -> bad(
                        key,
                        "expected one of "
                                + String.join(
                                        ", ",
                                        constants.stream()
                                                .map(Settings::written)
                                                .toList())));
    }

    private static String written(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    /** A port: 0 (any free one) to 65535. */
    public int port(String key) {
        return within(key, 0, 0xFFFF, "a port", String::valueOf, () -> Integer.valueOf(text(key)), "");
    }

    /** A whole number from {@code min} to {@code max}. */
    public int count(String key, int min, int max) {
        return within(key, min, max, "a whole number", String::valueOf, () -> Integer.valueOf(text(key)), "");
    }

    /** A duration from {@code min} to {@code max}, both included. */
    public Duration duration(String key, Duration min, Duration max) {
        String text = text(key);
        if (UNITLESS.matcher(text).matches()) {
            throw bad(key, "expected a duration with a unit, such as " + text + "s or " + text + "ms");
        }
        return within(key, min, max, "a duration", Settings::written, () -> effective.getDuration(key), DURATION_UNITS);
    }

    /** A duration in the syntax of the configuration, such as {@code 500ms}; empty if the text is none. */
    public static Optional<Duration> durationOf(String text) {
        try {
            return UNITLESS.matcher(text).matches()
                    ? Optional.empty()
                    : Optional.of(
                            ConfigValueFactory.fromAnyRef(text).atKey("it").getDuration("it"));
        } catch (ConfigException e) {
            return Optional.empty();
        }
    }

    /** A size in bytes from {@code min} to {@code max}, both included. */
    public long size(String key, long min, long max) {
        return within(key, min, max, "a size", Settings::written, () -> effective.getBytes(key), SIZE_UNITS);
    }

    private <T extends Comparable<T>> T within(
            String key, T min, T max, String kind, Function<T, String> written, Supplier<T> read, String units) {
        try {
            T value = read.get();
            if (value.compareTo(min) >= 0 && value.compareTo(max) <= 0) {
                return value;
            }
        } catch (ConfigException | NumberFormatException notOfThatKind) {
            // Reported below, like a value out of range.
        }
        throw bad(key, "expected " + kind + " from " + written.apply(min) + " to " + written.apply(max) + units);
    }

    private static String written(Duration duration) {
        long amount = duration.toMillis();
        int unit = 0;
        for (int next : new int[] {1000, 60, 60}) {
            if (amount == 0 || amount % next != 0) {
                break;
            }
            amount /= next;
            unit++;
        }
        return amount + List.of("ms", "s", "m", "h").get(unit);
    }

    private static String written(long bytes) {
        int unit = bytes == 0 ? 0 : Math.min(Long.numberOfTrailingZeros(bytes) / 10, 3);
        return (bytes >> (10 * unit)) + List.of("", "KiB", "MiB", "GiB").get(unit);
    }

    /** The texts of an open section, such as {@code kv.router.peers}, by name and in the order of the names. */
    public Map<String, String> texts(String section) {
        Map<String, String> texts = new LinkedHashMap<>();
        for (String key : leaves().keySet()) {
            if (isWithin(section, key)) {
                texts.put(ConfigUtil.splitPath(key).getLast(), text(key));
            }
        }
        return texts;
    }

    /** The key of {@code name} in an open section. */
    public static String key(String section, String name) {
        return section + "." + ConfigUtil.joinPath(name);
    }

    /** The sections for modules that this release lacks. */
    public List<String> ignored() {
        return ignored;
    }

    /** All settings, sorted by key. */
    public List<Setting> all() {
        return leaves().entrySet().stream()
                .map(entry -> new Setting(
                        entry.getKey(),
                        isSecret(entry.getKey(), entry.getValue())
                                ? HIDDEN
                                : entry.getValue().unwrapped(),
                        origin(entry.getValue())))
                .toList();
    }

    /**
     * One setting, for people.
     *
     * @param value a text, a number or a truth value; a secret is hidden
     * @param origin the file and line, the variable or the option that it comes from, or more than one of them
     */
    public record Setting(String key, Object value, String origin) {
        /** The setting as a line of a configuration file. */
        @Override
        public String toString() {
            return key + " = " + written(ConfigValueFactory.fromAnyRef(value));
        }
    }

    /** Why the start ends: names the key, its file and line, and its value, then says {@code why}. */
    public BadStart bad(String key, String why) {
        ConfigValue value = effective.root();
        for (String name : ConfigUtil.splitPath(key)) {
            value = ((ConfigObject) value).get(name);
        }
        String shown = isSecret(key, value) ? HIDDEN : written(value);
        if (shown.length() > SHOWN_CHARACTERS_MAX) {
            shown = shown.substring(0, SHOWN_CHARACTERS_MAX) + "...";
        }
        return new BadStart(key + " = " + shown + " (" + origin(value) + "): " + why);
    }

    /** Whether a setting is a secret; an empty one is none. */
    private static boolean isSecret(String key, ConfigValue value) {
        String plain = key.replace("\"", "");
        return (plain.endsWith(".password") || plain.endsWith(".auth")) && !"".equals(value.unwrapped());
    }

    private static String written(ConfigValue value) {
        return value.render(ConfigRenderOptions.concise());
    }

    /** The library's description, with a {@code reference.conf} as a jar of the release has it, and without "merge of". */
    private static String origin(ConfigValue value) {
        return value.origin()
                .description()
                .replaceAll("reference\\.conf @ jar:\\S*/(lib/[^/]+\\.jar!/reference\\.conf: \\d+)", "$1")
                .replaceAll("(reference\\.conf) @ \\S*: (\\d+)", "$1: $2")
                .replaceFirst("^merge of ", "")
                .replace(",", ", ");
    }

    /** The values by their keys. */
    SortedMap<String, ConfigValue> leaves() {
        SortedMap<String, ConfigValue> leaves = new TreeMap<>();
        effective.entrySet().forEach(entry -> leaves.put(entry.getKey(), entry.getValue()));
        return leaves;
    }
}
