package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.OperatorError;
import dev.kv.router.config.Layers;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * The file {@code runtime/kv.aot} of a release: the classes of a node that has started, loaded and linked, as they lie in memory.
 * {@code bin/kv run} maps it where it is, for a quicker start in less memory. The JVM writes it (JEP 483, 514), at the end of a
 * node that is started for nothing else; it does without one that does not fit its flags or the jars.
 */
final class AotCache {
    /** Bounds of a node that is started for the cache alone, with an empty folder. A failure costs nothing but the cache. */
    private static final Duration START_MAX = Duration.ofSeconds(30);

    private static final Duration END_MAX = Duration.ofSeconds(60);
    private static final Duration PAUSE = Duration.ofMillis(20);
    private static final String UNFINISHED = "kv.aot.";
    private static final String NODE = "aot@localhost";
    private static final String WRITTEN = "AOTCache creation is complete";

    private AotCache() {}

    /**
     * Makes the file if it is missing, which takes some seconds. Does nothing if the folder is not writable or KV_JAVA_OPTIONS
     * has options for such files. Any other failure is reported on standard error.
     *
     * @param name the node for whose start it is
     */
    static void makeIfMissing(String name) {
        Path cache = Options.home().resolve("runtime/kv.aot");
        String flags = System.getenv().getOrDefault("KV_JAVA_OPTIONS", "");
        if (Files.exists(cache) || !isWritable(cache.getParent()) || flags.contains("AOT")) {
            return;
        }
        System.err.println(name + ": making the cache of classes that shortens each start from now on");
        // A temporary name first: a node that starts in the meantime finds a complete file or none.
        Path whole = cache.resolveSibling(UNFINISHED + ProcessHandle.current().pid());
        removeUnfinished(cache.getParent());
        try (Leftovers leftovers = new Leftovers(Files.createTempDirectory("kv-aot"), whole)) {
            train(leftovers, flags + " -XX:AOTCacheOutput=kv.aot");
            Files.copy(leftovers.folder.resolve("kv.aot"), whole);
            Files.move(whole, cache, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            System.err.println(name + ": " + cache + " could not be made: " + OperatorError.reason(e));
        }
    }

    /** Removes what processes that were killed have left. */
    private static void removeUnfinished(Path folder) {
        try (DirectoryStream<Path> unfinished = Files.newDirectoryStream(folder, UNFINISHED + "*")) {
            for (Path file : unfinished) {
                String process = file.getFileName().toString().substring(UNFINISHED.length());
                if (process.matches("[0-9]{1,10}")
                        && ProcessHandle.of(Long.parseLong(process)).isEmpty()) {
                    Files.delete(file);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            System.err.println(
                    "kv: files " + folder.resolve(UNFINISHED + "*") + " could not be removed: " + e.getMessage());
        }
    }

    /** The node that is trained and its files. They are removed at the end, also when a signal ends this process before. */
    private static final class Leftovers implements AutoCloseable {
        private final Path folder;
        private final Path whole;
        private final Thread atExit = new Thread(this::remove, "kv-aot-end");
        private Optional<Process> node = Optional.empty();
        private boolean isRemoved;

        /**
         * @param folder the folder of the node
         * @param whole the copy of the cache in the release, which may be incomplete
         */
        Leftovers(Path folder, Path whole) {
            this.folder = folder;
            this.whole = whole;
            Runtime.getRuntime().addShutdownHook(atExit);
        }

        synchronized Process start(ProcessBuilder builder) throws IOException {
            if (isRemoved) {
                throw new InterruptedIOException("it was interrupted");
            }
            Process process = builder.start();
            node = Optional.of(process);
            return process;
        }

        @Override
        public void close() {
            remove();
            try {
                Runtime.getRuntime().removeShutdownHook(atExit);
            } catch (IllegalStateException shutsDown) {
                // The hook runs, and finds everything removed.
            }
        }

        private synchronized void remove() {
            if (isRemoved) {
                return;
            }
            isRemoved = true;
            node.ifPresent(Leftovers::kill);
            try {
                Files.deleteIfExists(whole);
                delete(folder);
            } catch (IOException e) {
                System.err.println("kv: " + folder + " could not be removed: " + OperatorError.reason(e));
            }
        }

        /** Kills the node and waits for its end: until then it writes into its folder. */
        private static void kill(Process process) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            try {
                process.waitFor(END_MAX.toMillis(), TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** The mode counts for the superuser as well: a read-only folder is meant to stay as it is. */
    private static boolean isWritable(Path folder) {
        try {
            return Files.isWritable(folder)
                    && Files.getPosixFilePermissions(folder).contains(PosixFilePermission.OWNER_WRITE);
        } catch (IOException e) {
            return false;
        }
    }

    /** Runs a node, alone on ports of its own, until it has started. */
    private static void train(Leftovers leftovers, String flags) throws IOException {
        Path folder = leftovers.folder;
        Map<String, String> settings = Map.of(
                "kv.node.name",
                NODE,
                "kv.node.dir",
                folder.resolve("node").toString(),
                "kv.router.cookie-file",
                folder.resolve("cookie").toString(),
                "kv.router.table",
                "*=" + NODE,
                "kv.router.zookeeper.connect",
                "",
                "kv.router.host",
                "127.0.0.1",
                "kv.router.port",
                "0");
        // Keys that only some roles have.
        Map<String, String> variables = Map.of(
                "KV_DATA",
                folder.resolve("data").toString(),
                "KV_HOST",
                "127.0.0.1",
                "KV_PORT",
                "0",
                "KV_JAVA_OPTIONS",
                flags);
        List<String> command =
                new ArrayList<>(List.of(Options.home().resolve("bin/kv").toString(), "run"));
        settings.forEach((key, value) -> command.add("-D" + key + "=" + value));
        Path console = folder.resolve("console");
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(console.toFile())
                .redirectErrorStream(true);
        builder.environment().keySet().removeIf(variable -> variable.startsWith("KV_"));
        builder.environment().putAll(variables);
        Process process = leftovers.start(builder);
        try {
            Remote node = Remote.of(Layers.of(Options.home(), settings).load());
            long deadlineNanos = System.nanoTime() + START_MAX.toNanos();
            while (process.isAlive() && !node.isRunning() && System.nanoTime() - deadlineNanos < 0) {
                LockSupport.parkNanos(PAUSE.toNanos());
            }
            process.destroy();
            boolean ended = process.waitFor(END_MAX.toMillis(), TimeUnit.MILLISECONDS);
            List<String> said = Files.readAllLines(console, UTF_8);
            if (!ended || said.stream().noneMatch(line -> line.startsWith(WRITTEN))) {
                throw new IOException(said.isEmpty() ? "the JVM printed nothing" : said.getLast());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("it was interrupted");
        }
    }

    private static void delete(Path folder) throws IOException {
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path visited, IOException fault) throws IOException {
                Files.delete(visited);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
