package dev.kv.router.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.admin.LocalClient;
import dev.kv.router.testing.Await;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;

/**
 * The class path of this test as jars alone, and a cache of the classes of a node that has started. A process with both starts in half the
 * CPU. Made once after each compilation, for all JVMs that run tests of this module.
 */
record ClassCache(String classPath, Path file) {
    /** The flags of the JVM with which the cache was made; with others it does not fit. */
    static final List<String> FLAGS =
            List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:CompileThresholdScaling=5");

    private static final ClassCache SHARED = make();

    static ClassCache shared() {
        return SHARED;
    }

    static String java() {
        return Path.of(System.getProperty("java.home"), "bin/java").toString();
    }

    private static ClassCache make() {
        try {
            Path folder = Files.createDirectories(Path.of("target/commands").toAbsolutePath());
            try (FileChannel channel = FileChannel.open(
                            folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock _ = channel.lock()) {
                List<Path> entries = entries();
                Path made = folder.resolve("of-" + lastChange(entries));
                List<Path> jars = new ArrayList<>();
                for (Path entry : entries) {
                    jars.add(Files.isDirectory(entry) ? made.resolve(jars.size() + ".jar") : entry);
                }
                ClassCache cache = new ClassCache(
                        String.join(
                                File.pathSeparator,
                                jars.stream().map(Path::toString).toList()),
                        made.resolve("kv.aot"));
                if (Files.notExists(cache.file)) {
                    removeAll(folder, "of-");
                    Files.createDirectory(made);
                    for (int i = 0; i < jars.size(); i++) {
                        if (!jars.get(i).equals(entries.get(i))) {
                            pack(entries.get(i), jars.get(i));
                        }
                    }
                    cache.train(made.resolve("training"));
                }
                return cache;
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Path> entries() {
        return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator, -1))
                .map(Path::of)
                .filter(Files::exists)
                .toList();
    }

    private static long lastChange(List<Path> entries) throws IOException {
        long last = 0;
        for (Path entry : entries) {
            for (Path file : files(entry)) {
                last = Math.max(last, Files.getLastModifiedTime(file).toMillis());
            }
        }
        return last;
    }

    /** The files in a folder and its subfolders; a file itself. */
    private static List<Path> files(Path entry) throws IOException {
        try (Stream<Path> files = Files.walk(entry)) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    private static void removeAll(Path folder, String prefix) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(
                            file -> folder.relativize(file).toString().startsWith(prefix))
                    .sorted(Comparator.reverseOrder())
                    .toList()) {
                Files.delete(file);
            }
        }
    }

    private static void pack(Path folder, Path jar) throws IOException {
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream out = new JarOutputStream(file)) {
            // Stored: it is read more often than written.
            out.setLevel(0);
            for (Path each : files(folder)) {
                out.putNextEntry(new JarEntry(folder.relativize(each).toString()));
                Files.copy(each, out);
            }
        }
    }

    /** Starts and stops a node. Its JVM writes the cache at its end. */
    private void train(Path folder) throws IOException {
        Path node = Files.createDirectories(folder.resolve("node"));
        List<String> command = new ArrayList<>(List.of(java()));
        command.addAll(FLAGS);
        command.addAll(List.of(
                "-XX:AOTCacheOutput=" + file,
                "-Dkv.home=" + folder,
                "-cp",
                classPath,
                Main.class.getName(),
                "run",
                "-Dkv.node.name=first@h",
                "-Dkv.node.dir=" + node,
                "-Dkv.router.host=127.0.0.1",
                "-Dkv.router.port=0"));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("out").toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("KV_"));
        Process process = builder.start();
        try {
            Await.until(
                    "the node of the cache runs",
                    () -> LocalClient.ask(node, "status", Duration.ofSeconds(10))
                            .document()
                            .isPresent());
            process.destroy();
            assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        } catch (Exception e) {
            throw new IOException(Files.readString(folder.resolve("out")), e);
        } finally {
            process.destroyForcibly();
        }
        assertThat(file).exists();
    }
}
