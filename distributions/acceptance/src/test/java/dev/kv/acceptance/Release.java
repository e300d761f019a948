package dev.kv.acceptance;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * A release of this build as a host has it: one of the tarballs, unpacked.
 *
 * @param home the folder that it unpacked to
 */
record Release(Path home) {
    private static final ConcurrentMap<Role, Release> SHARED = new ConcurrentHashMap<>();

    /** What the tarballs are made for. */
    enum Role {
        STORAGE,
        SERVER,
        COMBINED;

        /** As names of files have it. */
        String text() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** The folder in the tarball that holds all the rest. */
        String folder() {
            return "kv-" + text() + "-" + System.getProperty("kv.version");
        }

        Path tarball() {
            return Path.of(System.getProperty("kv.tarballs"), folder() + "-" + platform() + ".tar.gz")
                    .toAbsolutePath()
                    .normalize();
        }

        static String platform() {
            return System.getProperty("kv.platform");
        }
    }

    /** The release that all tests of this process share, which write nothing into it; the first start makes its cache of classes. */
    static Release of(Role role) {
        return SHARED.computeIfAbsent(role, absent -> {
            try {
                Path folder = Files.createTempDirectory("kv-release");
                Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(folder)));
                return unpack(absent, folder);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    /** A release of a test's own, in a folder that exists. */
    static Release unpack(Role role, Path folder) {
        Ended tar = Ended.of("tar", "-xzf", role.tarball().toString(), "-C", folder.toString());
        if (tar.status() != 0) {
            throw new AssertionError(tar.err());
        }
        return new Release(folder.resolve(role.folder()));
    }

    private static void delete(Path folder) {
        Ended.of("rm", "-rf", folder.toString());
    }

    Path program() {
        return home.resolve("bin/kv");
    }

    /** Runs a command of the release to its end. */
    Ended kv(String... words) {
        return kv(Map.of(), words);
    }

    /** Likewise, with variables of the environment. */
    Ended kv(Map<String, String> environment, String... words) {
        return Ended.of(command(environment, words));
    }

    /** A command of the release, which does not see those variables of the test's own environment that would change it. */
    ProcessBuilder command(Map<String, String> environment, String... words) {
        ProcessBuilder command = new ProcessBuilder(program().toString());
        command.command().addAll(List.of(words));
        command.environment().keySet().removeIf(name -> name.startsWith("KV_") || name.startsWith("JAVA_"));
        command.environment().putAll(environment);
        return command;
    }
}
