package dev.kv.router.node;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.config.BadStart;
import dev.kv.router.config.WholeFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder of a node, locked while the node runs. The lock decides whether a node runs: the system releases it when the process
 * ends in any way. The file pid is only information for people.
 *
 * <p>It is a POSIX record lock: {@link #isHeld} in the process that holds the lock would release it.
 */
public final class NodeFolder implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NodeFolder.class);

    /** {@link #isHeld} in another process takes the lock for a moment. */
    private static final Duration TIMEOUT = Duration.ofMillis(500);

    private static final Duration PAUSE = Duration.ofMillis(20);
    private static final String UNKNOWN = "unknown";

    /** More than any id of a process or an instance takes. */
    private static final int FILE_MAX_BYTES = 128;

    private final Path path;
    private final FileChannel lock;
    private final Optional<String> lost;

    private NodeFolder(Path path, FileChannel lock, Optional<String> lost) {
        this.path = path;
        this.lock = lock;
        this.lost = lost;
    }

    /** The folder, which is made for its owner alone if there is none; empty if another node holds it. */
    public static Optional<NodeFolder> hold(Path path) throws IOException {
        make(path);
        refuseIrregular(lockFile(path));
        FileChannel lock = FileChannel.open(
                lockFile(path), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        long deadlineNanos = System.nanoTime() + TIMEOUT.toNanos();
        while (tryLock(lock, false).isEmpty()) {
            if (System.nanoTime() - deadlineNanos > 0) {
                lock.close();
                return Optional.empty();
            }
            LockSupport.parkNanos(PAUSE.toNanos());
        }
        Optional<String> lost = lost(path);
        writePid(path);
        return Optional.of(new NodeFolder(path, lock, lost));
    }

    /** A node starts without the file, too, so that it can make room on a full disk. */
    private static void writePid(Path path) {
        try {
            Files.deleteIfExists(pidFile(path));
            Files.writeString(pidFile(path), ProcessHandle.current().pid() + "\n");
        } catch (IOException e) {
            LOG.warn("{} could not be written: {}", pidFile(path), BadStart.reason(e));
        }
    }

    /** Makes the folder, and those above it, unless they exist. */
    public static void make(Path path) throws IOException {
        Files.createDirectories(
                path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    /** Whether a node runs in the folder. */
    public static boolean isHeld(Path path) {
        try {
            refuseIrregular(lockFile(path));
            try (FileChannel lock = FileChannel.open(lockFile(path), StandardOpenOption.READ)) {
                return tryLock(lock, true).isEmpty();
            }
        } catch (NoSuchFileException e) {
            return false;
        } catch (IOException e) {
            throw new BadStart(lockFile(path) + " cannot be read: " + BadStart.reason(e), e);
        }
    }

    /** The id of the process that holds the folder, for people; stale if the folder is not held. */
    public static String pid(Path path) {
        try {
            String pid = readShort(pidFile(path));
            return pid.isEmpty() ? UNKNOWN : pid;
        } catch (IOException e) {
            return UNKNOWN;
        }
    }

    /** The id of the process of the last run if that ended without a stop, and if it is known. For a folder that is not held. */
    public static Optional<String> lost(Path path) {
        return Optional.of(pid(path)).filter(pid -> !pid.equals(UNKNOWN));
    }

    /** The same of the run before this one. */
    Optional<String> lostBefore() {
        return lost;
    }

    /** An id that distinguishes this node from another one of its name; created if there is none. */
    static String instance(Path path) {
        Path file = path.resolve("instance");
        try {
            // Empty: what a full disk leaves of a file.
            if (!Files.exists(file) || readShort(file).isEmpty()) {
                WholeFile.replace(file, (UUID.randomUUID() + "\n").getBytes(UTF_8));
            }
            return readShort(file);
        } catch (IOException e) {
            throw new BadStart(file + " cannot be used: " + BadStart.reason(e), e);
        }
    }

    /** Refuses a FIFO, for one: to open it would not end. */
    private static void refuseIrregular(Path file) throws IOException {
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw new IOException("it is no regular file");
        }
    }

    /** The content of a regular file, without white space at its ends; at most {@link #FILE_MAX_BYTES} of it. */
    private static String readShort(Path file) throws IOException {
        refuseIrregular(file);
        try (InputStream content = Files.newInputStream(file)) {
            return new String(content.readNBytes(FILE_MAX_BYTES), UTF_8).strip();
        }
    }

    /** The folder for the log of a node that was started in the background. */
    public static Path log(Path path) {
        return path.resolve("log");
    }

    private static Path lockFile(Path path) {
        return path.resolve("lock");
    }

    private static Path pidFile(Path path) {
        return path.resolve("pid");
    }

    private static Optional<FileLock> tryLock(FileChannel channel, boolean shared) throws IOException {
        try {
            return Optional.ofNullable(channel.tryLock(0, Long.MAX_VALUE, shared));
        } catch (OverlappingFileLockException heldInThisProcess) {
            return Optional.empty();
        }
    }

    @Override
    public void close() throws IOException {
        Files.deleteIfExists(pidFile(path));
        lock.close();
    }
}
