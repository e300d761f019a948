package dev.kv.storage.format;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.kv.router.config.BadStart;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The data folder of a node, locked so that no other process uses it. {@code docs/format.md} lists its files. */
public final class Folder implements AutoCloseable {
    static final String LOCK = "lock";
    public static final String UNFINISHED = ".tmp";

    /** The names of files that are read, or removed, in a data folder or a backup. */
    private static final Pattern READ_FILES = Pattern.compile(
            "format|lock|mark|segments|manifest|reserve(-list|-compaction)?|.*[.](log|hint|tmp|putback)");

    /** What a folder may hold before it has a format: the first start was cut off, or it is the root of a file system. */
    private static final Set<String> OF_A_FIRST_START =
            Set.of(LOCK, SegmentList.FILE, SegmentList.FILE + UNFINISHED, Format.FILE + UNFINISHED, "lost+found");

    /** Advice for a folder with a file that is no regular file. */
    public static final String PUT_BACK =
            "put back the file that was here, or remove it and have `kv verify` look at the rest";

    private final Path path;
    private final FileChannel lock;

    /** The folder itself, open so that its fsync needs no file descriptor: a process may have none left. */
    private final FileChannel directory;

    private final Hash hash;
    private Format format;

    private Folder(Path path, FileChannel lock, FileChannel directory, Format format) {
        this.path = path;
        this.lock = lock;
        this.directory = directory;
        this.hash = new Hash(format.seed());
        this.format = format;
    }

    /**
     * Locks a data folder; makes it, readable by its owner alone, if it does not exist.
     *
     * @throws BadStart if another process holds it, or its format is unknown
     * @throws IOException if it cannot be read or written
     */
    public static Folder hold(Path path) throws IOException {
        make(path);
        refuseIrregular(path, PUT_BACK);
        refuseForeign(path);
        FileChannel lock = lock(path);
        try {
            if (!Files.exists(path.resolve(Format.FILE))) {
                makeFormat(path);
            }
            Format format = Format.read(path);
            return new Folder(path, lock, FileChannel.open(path, READ), format);
        } catch (IOException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    /**
     * Refuses a folder that was not made by a node, and has files: a node would remove and overwrite those with the names of its own.
     * Folders are left alone: {@code kv.node.dir} may be one of them.
     */
    private static void refuseForeign(Path path) throws IOException {
        if (Files.exists(path.resolve(Format.FILE)) || !segments(path).isEmpty()) {
            return;
        }
        try (Stream<Path> files = Files.list(path)) {
            Optional<Path> foreign = files.filter(file -> !Files.isDirectory(file)
                            && !OF_A_FIRST_START.contains(file.getFileName().toString()))
                    .findFirst();
            if (foreign.isPresent()) {
                throw new BadStart(path + " is no data folder, and is not empty ("
                        + foreign.get().getFileName()
                        + "): choose an empty folder, or one that does not exist (kv.storage.dir)");
            }
        }
    }

    /** Locks an existing data folder, as {@link #hold} does. */
    public static Folder holdExisting(Path path) throws IOException {
        if (!Files.exists(path.resolve(Format.FILE))
                && (!Files.isDirectory(path) || segments(path).isEmpty())) {
            throw new BadStart(path + " holds no buckets: check kv.storage.dir");
        }
        return hold(path);
    }

    /**
     * Refuses a folder in which a file that is read is no regular file: to open a FIFO, for one, does not end.
     *
     * @param advice what the operator can do
     * @throws BadStart if there is such a one
     */
    public static void refuseIrregular(Path path, String advice) throws IOException {
        try (Stream<Path> files = Files.list(path)) {
            Optional<Path> irregular = files.filter(file ->
                            READ_FILES.matcher(file.getFileName().toString()).matches() && !Files.isRegularFile(file))
                    .findFirst();
            if (irregular.isPresent()) {
                throw new BadStart(irregular.get() + " is no regular file: " + advice);
            }
        }
    }

    /** Makes a folder for its owner alone, unless it exists. */
    public static void make(Path path) throws IOException {
        Files.createDirectories(
                path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    /** Locks a folder against other processes until the channel is closed. */
    public static FileChannel lock(Path path) throws IOException {
        FileChannel lock = FileChannel.open(path.resolve(LOCK), CREATE, READ, WRITE);
        if (!isFree(lock)) {
            lock.close();
            throw new BadStart(path + " is in use by another process: stop that, or choose another folder");
        }
        return lock;
    }

    private static boolean isFree(FileChannel lock) throws IOException {
        try {
            return lock.tryLock() != null;
        } catch (OverlappingFileLockException heldInThisProcess) {
            return false;
        }
    }

    private static void makeFormat(Path path) throws IOException {
        if (!segments(path).isEmpty()) {
            throw new BadStart(
                    path.resolve(Format.FILE) + " is missing, and there are segments: restore it from a backup");
        }
        Format format = Format.fresh();
        // Before the format, so that a folder of which nothing but that is left is told from a new one.
        new SegmentList(format.id(), 0, List.of()).write(path);
        format.write(path);
    }

    /** Marks a folder as half restored: no node opens it until {@link Format#write}. */
    public static void beginRestored(Path path) throws IOException {
        Format.beginRestored(path);
    }

    /** The segments in the folder by number, then by rewrite. */
    public static List<SegmentName> segments(Path path) throws IOException {
        try (Stream<Path> files = Files.list(path)) {
            return files.map(file -> SegmentName.of(file.getFileName().toString()))
                    .filter(Objects::nonNull)
                    .sorted()
                    .toList();
        }
    }

    /** Whether a folder holds no files but its lock and leftovers. */
    public static boolean isEmpty(Path path) throws IOException {
        try (Stream<Path> files = Files.list(path)) {
            return files.map(file -> file.getFileName().toString())
                    .allMatch(List.of(LOCK, Format.FILE + UNFINISHED, "lost+found")::contains);
        }
    }

    public Path path() {
        return path;
    }

    /** Free space of the file system, in bytes. */
    public long usableBytes() throws IOException {
        return Files.getFileStore(path).getUsableSpace();
    }

    public Hash hash() {
        return hash;
    }

    public Format format() {
        return format;
    }

    /** Writes the newest format version, once the folder has all files of that version. */
    public void upgrade() throws IOException {
        if (format.version() < Layout.VERSION) {
            Format upgraded = format.upgraded();
            upgraded.write(path);
            format = upgraded;
        }
    }

    List<SegmentName> segments() throws IOException {
        return segments(path);
    }

    public Path log(SegmentName name) {
        return path.resolve(name.log());
    }

    public Path hint(SegmentName name) {
        return path.resolve(name.hint());
    }

    /** Path for an unfinished file; the next start removes it. */
    public Path unfinished(String name) {
        return path.resolve(name + UNFINISHED);
    }

    /** Forces the entries of the folder onto the disk. */
    public void sync() throws IOException {
        directory.force(true);
    }

    /** Removes unfinished files of an earlier process. */
    public void removeUnfinished() throws IOException {
        List<Path> unfinished = new ArrayList<>();
        try (Stream<Path> files = Files.list(path)) {
            files.filter(file -> file.toString().endsWith(UNFINISHED)).forEach(unfinished::add);
        }
        for (Path file : unfinished) {
            Files.delete(file);
        }
    }

    /** Removes a segment and its hint. */
    public void remove(SegmentName name) throws IOException {
        Files.deleteIfExists(hint(name));
        Files.deleteIfExists(log(name));
    }

    @Override
    public void close() throws IOException {
        try (directory) {
            lock.close();
        }
    }
}
