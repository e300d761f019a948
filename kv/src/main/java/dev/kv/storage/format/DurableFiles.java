package dev.kv.storage.format;

import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** Whole files, readable by their owner alone, which are on the disk when they are written. */
public final class DurableFiles {
    private static final FileAttribute<?> OWNER_ALONE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    private DurableFiles() {}

    /** Reads at most this many bytes of a file, whatever its length is. */
    static byte[] read(Path file, int maxBytes) throws IOException {
        try (InputStream bytes = Files.newInputStream(file)) {
            return bytes.readNBytes(maxBytes);
        }
    }

    /** Replaces a file atomically: after a crash it has the new content or the old. */
    public static void replace(Path file, byte[] content) throws IOException {
        Path unfinished = file.resolveSibling(file.getFileName() + Folder.UNFINISHED);
        copy(ByteBuffer.wrap(content), unfinished);
        Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
        sync(file.getParent());
    }

    /** Writes bytes into a new file, in the place of one of that name. */
    public static void copy(ByteBuffer content, Path to) throws IOException {
        try (FileChannel target = create(to)) {
            while (content.hasRemaining()) {
                target.write(content);
            }
            target.force(true);
        }
    }

    /** Copies bytes of a file into a new one, in the place of one of that name. */
    public static void copy(Path from, long offset, long bytes, Path to) throws IOException {
        try (FileChannel source = FileChannel.open(from, READ);
                FileChannel target = create(to)) {
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

    /**
     * Copies what can be read of a part of a file into a new one, in the place of one of that name. Zeros stand for pages that cannot
     * be read.
     *
     * @return the length of those, in bytes
     */
    public static long copyReadable(Path from, long offset, long bytes, Path to) throws IOException {
        long unreadable = 0;
        try (FileChannel source = FileChannel.open(from, READ);
                FileChannel target = create(to)) {
            ByteBuffer page = ByteBuffer.allocate(Mapped.PAGE_MIN_BYTES);
            for (long at = offset; at < offset + bytes; ) {
                long pageEnd = (at | Mapped.PAGE_MIN_BYTES - 1) + 1;
                int wanted = (int) (Math.min(pageEnd, offset + bytes) - at);
                page.clear().limit(wanted);
                if (!isRead(source, page, at)) {
                    unreadable += wanted;
                    page.clear().limit(wanted).put(new byte[wanted]);
                }
                page.flip();
                while (page.hasRemaining()) {
                    target.write(page);
                }
                at += wanted;
            }
            target.force(true);
        }
        return unreadable;
    }

    private static boolean isRead(FileChannel source, ByteBuffer page, long at) {
        try {
            while (page.hasRemaining()) {
                if (source.read(page, at + page.position()) < 0) {
                    return false;
                }
            }
            return true;
        } catch (IOException badSector) {
            return false;
        }
    }

    /** Makes an empty file, in the place of one of that name. The caller writes, forces and closes it. */
    static FileChannel create(Path file) throws IOException {
        Files.deleteIfExists(file);
        return FileChannel.open(file, Set.of(CREATE_NEW, WRITE), OWNER_ALONE);
    }

    /** Forces the entries of a folder onto the disk. */
    public static void sync(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, READ)) {
            channel.force(true);
        }
    }
}
