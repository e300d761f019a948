package dev.kv.storage;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.kv.router.config.BadStart;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/** The folder in which a node keeps its buckets, held so that no other process uses it. {@code docs/format.md} lists its files. */
final class Folder implements AutoCloseable {
    static final String FORMAT = "format";
    static final String LOCK = "lock";
    static final String UNFINISHED = ".tmp";
    private static final Pattern FORMAT_TEXT =
            Pattern.compile("(kv storage format [0-9]+\nseed ([0-9a-f]{16})\n)check ([0-9a-f]{8})\n(?s:.*)");
    private static final Pattern ANY_FORMAT = Pattern.compile("kv storage format ([0-9]+)\n(?s:.*)");

    private final Path path;
    private final FileChannel lock;
    private final Hash hash;

    private Folder(Path path, FileChannel lock, Hash hash) {
        this.path = path;
        this.lock = lock;
        this.hash = hash;
    }

    /**
     * Takes the folder, which is made for its owner alone if there is none.
     *
     * @throws BadStart if another process holds it, or it is not of a format that this release knows
     * @throws IOException if it cannot be read or written
     */
    static Folder hold(Path path) throws IOException {
        make(path);
        FileChannel lock = lock(path);
        try {
            if (!Files.exists(path.resolve(FORMAT))) {
                makeFormat(path);
            }
            return new Folder(path, lock, readFormat(path));
        } catch (IOException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    /** As {@link #hold}, where there has to be one. */
    static Folder holdExisting(Path path) throws IOException {
        if (!Files.exists(path.resolve(FORMAT))
                && (!Files.isDirectory(path) || segments(path).isEmpty())) {
            throw new BadStart(path + " holds no buckets: check kv.storage.dir");
        }
        return hold(path);
    }

    /** Makes a folder for its owner alone, unless it exists. */
    static void make(Path path) throws IOException {
        Files.createDirectories(
                path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    /** Keeps other processes from a folder until it is closed. */
    static FileChannel lock(Path path) throws IOException {
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
            throw new BadStart(path.resolve(FORMAT) + " is missing, and there are segments: restore it from a backup");
        }
        String text = "kv storage format %d\nseed %016x\n".formatted(Layout.VERSION, new SecureRandom().nextLong());
        writeWhole(path.resolve(FORMAT), (text + "check " + check(text) + "\n").getBytes(US_ASCII));
    }

    /** With another seed no key would be found by its hash: a seed that is damaged must be seen. */
    private static String check(String text) {
        CRC32C crc = new CRC32C();
        crc.update(text.getBytes(ISO_8859_1));
        return HexFormat.of().toHexDigits((int) crc.getValue());
    }

    private static Hash readFormat(Path path) throws IOException {
        Path file = path.resolve(FORMAT);
        String text = Files.readString(file, ISO_8859_1);
        Matcher any = ANY_FORMAT.matcher(text);
        if (any.matches() && !any.group(1).equals(String.valueOf(Layout.VERSION))) {
            throw new BadStart(file + " is of format " + any.group(1) + ", and this release knows up to "
                    + Layout.VERSION + ": use the release that wrote it");
        }
        Matcher format = FORMAT_TEXT.matcher(text);
        if (!format.matches() || !format.group(3).equals(check(format.group(1)))) {
            throw new BadStart(file + " is damaged: restore it from a backup");
        }
        return new Hash(Long.parseUnsignedLong(format.group(2), 16));
    }

    /** Keeps nodes from a folder until {@link #completeRestored}. */
    static void beginRestored(Path path) throws IOException {
        writeWhole(path.resolve(FORMAT), "not restored to the end\n".getBytes(US_ASCII));
    }

    /**
     * Makes a folder one of its own, in which the hashes are those of another one.
     *
     * @param format what that one says of itself
     */
    static void completeRestored(Path path, String format) throws IOException {
        String own = format.replaceFirst("(?m)^restored .*\n", "")
                + "restored %016x\n".formatted(new SecureRandom().nextLong());
        writeWhole(path.resolve(FORMAT), own.getBytes(US_ASCII));
    }

    /** Writes a file as a whole: after a crash it is there with all of this, or as it was before. */
    static void writeWhole(Path file, byte[] content) throws IOException {
        Path unfinished = file.resolveSibling(file.getFileName() + UNFINISHED);
        Files.deleteIfExists(unfinished);
        try (FileChannel channel = FileChannel.open(
                unfinished,
                Set.of(CREATE_NEW, WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer bytes = ByteBuffer.wrap(content);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
        Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
        sync(file.getParent());
    }

    /** Copies bytes of a file into one that is made for its owner alone, and forces that onto the disk. */
    static void copy(Path from, long offset, long bytes, Path to) throws IOException {
        Files.deleteIfExists(to);
        try (FileChannel source = FileChannel.open(from, READ);
                FileChannel target = FileChannel.open(
                        to,
                        Set.of(CREATE_NEW, WRITE),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            for (long at = 0; at < bytes; ) {
                long more = source.transferTo(offset + at, bytes - at, target);
                if (more <= 0) {
                    throw new IOException(from + " ends before byte " + (offset + bytes));
                }
                at += more;
            }
            target.force(true);
        }
    }

    /** Forces onto the disk which files a folder has. */
    static void sync(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, READ)) {
            channel.force(true);
        }
    }

    /** The segments in the folder, in their order, rewritten ones of one number after each other. */
    static List<Segment.Name> segments(Path path) throws IOException {
        try (Stream<Path> files = Files.list(path)) {
            return files.map(file -> Segment.Name.of(file.getFileName().toString()))
                    .filter(Objects::nonNull)
                    .sorted()
                    .toList();
        }
    }

    /** Whether a folder holds nothing but what has to be there. */
    static boolean isEmpty(Path path) throws IOException {
        try (Stream<Path> files = Files.list(path)) {
            return files.map(file -> file.getFileName().toString())
                    .allMatch(List.of(LOCK, FORMAT + UNFINISHED, "lost+found")::contains);
        }
    }

    Path path() {
        return path;
    }

    /** How much room the file system has left. */
    long usableBytes() throws IOException {
        return Files.getFileStore(path).getUsableSpace();
    }

    Hash hash() {
        return hash;
    }

    List<Segment.Name> segments() throws IOException {
        return segments(path);
    }

    Path log(Segment.Name name) {
        return path.resolve(name.log());
    }

    Path hint(Segment.Name name) {
        return path.resolve(name.hint());
    }

    /** A place for a file that is not finished: it is gone at the next start. */
    Path unfinished(String name) {
        return path.resolve(name + UNFINISHED);
    }

    void sync() throws IOException {
        sync(path);
    }

    /** Removes what an earlier process did not finish. */
    void removeUnfinished() throws IOException {
        List<Path> unfinished = new ArrayList<>();
        try (Stream<Path> files = Files.list(path)) {
            files.filter(file -> file.toString().endsWith(UNFINISHED)).forEach(unfinished::add);
        }
        for (Path file : unfinished) {
            Files.delete(file);
        }
    }

    /** Removes a segment and what belongs to it. */
    void remove(Segment.Name name) throws IOException {
        Files.deleteIfExists(hint(name));
        Files.deleteIfExists(log(name));
    }

    @Override
    public void close() throws IOException {
        lock.close();
    }
}
