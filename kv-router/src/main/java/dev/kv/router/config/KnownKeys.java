package dev.kv.router.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValueType;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** The keys that a configuration may and must have: those of each {@code reference.conf}, and any name in an open section. */
final class KnownKeys {
    /** Sections whose keys are names that the site chooses. */
    private static final List<String> OPEN = List.of("kv.log.loggers", "kv.router.peers", "kv.router.zookeeper.client");

    /** Sections of modules that a release may lack: one file can serve hosts of all roles. */
    private static final List<String> OPTIONAL = List.of("kv.server", "kv.storage");

    /** Renamed keys, with their new names. */
    private static final Map<String, String> RENAMED = Map.of("kv.router.patience", "kv.router.timeout");

    private final Set<String> known = new TreeSet<>();

    /**
     * @param reference the modules' own configuration, one value for each key
     */
    KnownKeys(Config reference) {
        reference.entrySet().forEach(entry -> known.add(entry.getKey()));
    }

    /** The sections that the configuration has for modules that this release lacks. */
    List<String> ignored(Config effective) {
        return OPTIONAL.stream()
                .filter(section ->
                        effective.hasPath(section) && known.stream().noneMatch(key -> Settings.isWithin(section, key)))
                .toList();
    }

    /** Refuses keys that do not exist, and sections in the place of values, with a {@link BadStart}. */
    void check(Settings settings) {
        refuseUnknown(settings);
        refuseMissing(settings);
    }

    private void refuseUnknown(Settings settings) {
        settings.leaves().forEach((key, value) -> {
            Optional<String> open = OPEN.stream()
                    .filter(section -> Settings.isWithin(section, key))
                    .findFirst();
            if (OPEN.contains(key) || known.stream().anyMatch(other -> Settings.isWithin(key, other))) {
                throw settings.bad(key, "this is a section with keys of its own");
            }
            if (RENAMED.containsKey(key)) {
                throw settings.bad(key, "this key is now " + RENAMED.get(key));
            }
            if (open.isEmpty() && !known.contains(key)) {
                throw settings.bad(key, "no such key" + nearest(key));
            }
            if (open.isPresent() && ConfigUtil.splitPath(key).size() > 1 + parts(open.get())) {
                throw settings.bad(key, "put what follows " + open.get() + " in quotes: it is one name");
            }
            if (value.valueType() == ConfigValueType.LIST) {
                throw settings.bad(key, "expected a single value");
            }
        });
    }

    private void refuseMissing(Settings settings) {
        for (String key : known) {
            boolean isOpen = OPEN.stream().anyMatch(section -> Settings.isWithin(section, key));
            if (!isOpen && !settings.leaves().containsKey(key)) {
                throw settings.bad(key, "expected a single value");
            }
        }
    }

    private static int parts(String key) {
        return ConfigUtil.splitPath(key).size();
    }

    private String nearest(String key) {
        String whole = "kv." + key;
        return Optional.of(whole)
                .filter(known::contains)
                .or(() -> Spelling.nearest(key, known))
                .map(other -> "; did you mean " + other + "?")
                .orElse("");
    }
}
