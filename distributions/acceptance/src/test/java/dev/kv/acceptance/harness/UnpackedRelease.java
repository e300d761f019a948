package dev.kv.acceptance.harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.stream.Stream;

/**
 * One of the tarballs of this build, unpacked.
 *
 * @param home the folder that it unpacked to
 */
public record UnpackedRelease(Path home) {
    /** The flag of the JVM with which {@code kv start} makes no cache of classes; that takes some seconds. */
    public static final String WITHOUT_CLASS_CACHE = "-XX:AOTMode=off";

    /**
     * The flag of the JVM with which it compiles only once, and for most tests takes less time: a node of a test lives for seconds.
     */
    public static final String SHORT_LIVED = "-XX:TieredStopAtLevel=1";

    private static final ConcurrentMap<Role, UnpackedRelease> SHARED = new ConcurrentHashMap<>();

    /** The role of a tarball. */
    public enum Role {
        STORAGE,
        SERVER,
        COMBINED;

        /** As in the names of files. */
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** The top folder in the tarball. */
        public String folder() {
            return "kv-" + text() + "-" + System.getProperty("kv.version");
        }

        public Path tarball() {
            return Path.of(System.getProperty("kv.tarballs"), folder() + "-" + platform() + ".tar.gz")
                    .toAbsolutePath()
                    .normalize();
        }

        public static String platform() {
            return System.getProperty("kv.platform");
        }
    }

    /**
     * The release that all tests share, which write nothing into it. It stays where it is until there is another tarball.
     */
    public static UnpackedRelease of(Role role) {
        return SHARED.computeIfAbsent(role, absent -> {
            try {
                return share(absent);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    /** Unpacks it, unless another JVM that runs tests has done so. */
    private static UnpackedRelease share(Role role) throws IOException {
        Path shared = Files.createDirectories(
                Path.of(System.getProperty("kv.releases")).toAbsolutePath());
        Path folder = shared.resolve(
                role.text() + "-" + Files.getLastModifiedTime(role.tarball()).toMillis());
        try (FileChannel channel =
                        FileChannel.open(shared.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock _ = channel.lock()) {
            Path done = folder.resolve("done");
            if (Files.notExists(done)) {
                Ended.of("sh", "-c", "rm -rf \"$0\"/" + role.text() + "-*", shared.toString());
                UnpackedRelease release = unpack(role, Files.createDirectory(folder));
                if (role == Role.COMBINED) {
                    // Most nodes of the tests run this release. The cache halves the time of a start.
                    release.makeClassCache(folder);
                }
                Files.createFile(done);
            }
            return new UnpackedRelease(folder.resolve(role.folder()));
        }
    }

    /** Starts and stops a node in the background, which makes the cache of classes. */
    private void makeClassCache(Path folder) throws IOException {
        NodeProcess node = new NodeProcess(this, folder, "first");
        for (String command : List.of("start", "stop")) {
            Ended ended = node.kv(command);
            if (ended.status() != 0) {
                throw new AssertionError(ended.err());
            }
        }
    }

    /** Unpacks a release for one test into an existing folder. */
    public static UnpackedRelease unpack(Role role, Path folder) {
        Ended tar = Ended.of("tar", "-xzf", role.tarball().toString(), "-C", folder.toString());
        if (tar.status() != 0) {
            throw new AssertionError(tar.err());
        }
        return new UnpackedRelease(folder.resolve(role.folder()));
    }

    /** The names of the files in a folder. */
    public static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }

    public Path program() {
        return home.resolve("bin/kv");
    }

    /** Runs a command of the release to its end. */
    public Ended kv(String... words) {
        return kv(Map.of(), words);
    }

    /** Likewise, with variables of the environment. */
    public Ended kv(Map<String, String> environment, String... words) {
        return Ended.of(command(environment, words));
    }

    /** A command of the release, without the variables of the environment that begin with KV_ or JAVA_, which would change it. */
    public ProcessBuilder command(Map<String, String> environment, String... words) {
        ProcessBuilder command = new ProcessBuilder(program().toString());
        command.command().addAll(List.of(words));
        command.environment().keySet().removeIf(name -> name.startsWith("KV_") || name.startsWith("JAVA_"));
        command.environment().putAll(environment);
        return command;
    }
}
