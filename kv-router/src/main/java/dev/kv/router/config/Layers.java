package dev.kv.router.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigResolver;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * The layers of the configuration, from the bottom to the top: the {@code reference.conf} of every module on the class path,
 * {@code config/kv.conf} under {@code home}, {@code file}, {@code environment} and {@code overrides}. Each overrides those
 * below it, and substitutions see the result: {@code ${kv.node.name}} in a file follows a name given on the command line.
 *
 * <p>The {@code environment.conf} of each module maps variables to keys.
 *
 * @param home the release's folder, where relative paths start
 * @param file one more file, which has to exist
 * @param environment the variables of the environment; an empty one counts as unset
 * @param overrides texts by key, as {@code -Dkey=value} gives them
 */
public record Layers(Path home, Optional<Path> file, Map<String, String> environment, Map<String, String> overrides) {
    /** The variable that {@code bin/kv} reads. */
    private static final String OF_THE_SCRIPT = "KV_JAVA_OPTIONS";

    private static final ClassLoader MODULES = Layers.class.getClassLoader();

    public Layers {
        home = home.toAbsolutePath();
        environment = Map.copyOf(environment);
        overrides = Map.copyOf(overrides);
    }

    /** The defaults and {@code config/kv.conf} under {@code home} if there is one, with {@code overrides} on top. */
    public static Layers of(Path home, Map<String, String> overrides) {
        return new Layers(home, Optional.empty(), Map.of(), overrides);
    }

    /**
     * The effective configuration, in which every key is known and has a single value.
     *
     * @throws BadStart if a layer cannot be read, or if the result has an unknown key or one without a value
     */
    public Settings load() {
        try {
            Config reference = ConfigFactory.parseResources(MODULES, "reference.conf");
            Config effective = commandLine()
                    .withFallback(variables())
                    .withFallback(files())
                    .withFallback(reference)
                    .resolve(ConfigResolveOptions.defaults().appendResolver(new HostName()));
            return Settings.checked(home, reference, effective);
        } catch (ConfigException.IO e) {
            throw new BadStart("cannot read the configuration: " + e.getCause().getMessage(), e);
        } catch (ConfigException e) {
            throw new BadStart(
                    e.getMessage()
                            .replaceAll("\\s+", " ")
                            .replace(", or you may be able to rename the file .properties rather than .conf", "")
                            .replace(
                                    "expecting a close parentheses ')' here, not: end of file",
                                    "expected } before the end of the file"),
                    e);
        }
    }

    /** A line for each variable of the environment that begins with {@code KV_} and sets nothing. */
    public List<String> idleVariables() {
        Set<String> known = new TreeSet<>(Set.of(OF_THE_SCRIPT));
        ConfigFactory.parseResources(MODULES, "environment.conf")
                .resolveWith(
                        ConfigFactory.empty(),
                        ConfigResolveOptions.noSystem().appendResolver(new VariableNames(known)));
        return environment.keySet().stream()
                .filter(name -> name.startsWith("KV_")
                        && !known.contains(name)
                        && !environment.get(name).isEmpty())
                .sorted()
                .map(name -> "the variable " + name + " sets no key of this release"
                        + Spelling.nearest(name, known)
                                .map(other -> "; did you mean " + other + "?")
                                .orElse(""))
                .toList();
    }

    /** Collects the names of the variables for which {@code environment.conf} asks. */
    private record VariableNames(Set<String> names) implements ConfigResolver {
        @Override
        public ConfigValue lookup(String path) {
            names.add(path);
            return null;
        }

        @Override
        public ConfigResolver withFallback(ConfigResolver fallback) {
            return this;
        }
    }

    private Config commandLine() {
        Config config = ConfigFactory.empty();
        for (Map.Entry<String, String> override : overrides.entrySet()) {
            String option = "-D" + override.getKey();
            try {
                config =
                        config.withValue(override.getKey(), ConfigValueFactory.fromAnyRef(override.getValue(), option));
            } catch (ConfigException.BadPath e) {
                throw new BadStart(
                        option + ": this is no key, which is words with dots between them; put a part with other"
                                + " characters in quotes, as in '-Dkv.router.peers.\"foo@red\"=red:4141'",
                        e);
            }
        }
        return config;
    }

    private Config variables() {
        Map<String, ConfigValue> set = new HashMap<>();
        environment.forEach((name, value) -> {
            if (!value.isEmpty()) {
                set.put(name, ConfigValueFactory.fromAnyRef(value, "environment " + name));
            }
        });
        Config declared = ConfigFactory.parseResources(MODULES, "environment.conf")
                .resolveWith(ConfigValueFactory.fromMap(set).toConfig(), ConfigResolveOptions.noSystem());
        // Only values: an empty section would override a value of a file in its place.
        Config config = ConfigFactory.empty();
        for (Map.Entry<String, ConfigValue> entry : declared.entrySet()) {
            config = config.withValue(entry.getKey(), entry.getValue());
        }
        return config;
    }

    private Config files() {
        Path site = home.resolve("config/kv.conf");
        Config config = Files.exists(site) ? parse(site) : ConfigFactory.empty();
        return file.map(path -> parse(path).withFallback(config)).orElse(config);
    }

    private static Config parse(Path path) {
        // Otherwise an unreadable file would count as missing.
        ConfigParseOptions mustBeRead = ConfigParseOptions.defaults().setAllowMissing(false);
        return ConfigFactory.parseFile(path.toFile(), mustBeRead);
    }

    /** Answers {@code ${host-name}} with the name of this machine. */
    private static final class HostName implements ConfigResolver {
        @Override
        public ConfigValue lookup(String path) {
            return path.equals("host-name") ? ConfigValueFactory.fromAnyRef(read(), "this machine's name") : null;
        }

        @Override
        public ConfigResolver withFallback(ConfigResolver fallback) {
            return this;
        }

        /** Asks the kernel first: the JDK also asks the name server, which may be slow or unreachable. */
        private static String read() {
            try {
                return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
            } catch (IOException notLinux) {
                try {
                    return InetAddress.getLocalHost().getHostName();
                } catch (UnknownHostException e) {
                    return "localhost";
                }
            }
        }
    }
}
