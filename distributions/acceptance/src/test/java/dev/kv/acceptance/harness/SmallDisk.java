package dev.kv.acceptance.harness;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** A small file system of its own, in memory, which a test can fill. */
public final class SmallDisk implements AutoCloseable {
    private static final int PAGE_BYTES = 4096;

    private final Path path;

    private SmallDisk(Path path) {
        this.path = path;
    }

    /**
     * Mounts it. Skips the test where that is not allowed.
     *
     * @param path where: a folder that does not exist yet
     * @param size as mount(8) takes it, such as 24m
     */
    public static SmallDisk mount(Path path, String size) throws IOException {
        Files.createDirectory(path);
        Ended mount = Ended.of("mount", "-t", "tmpfs", "-o", "size=" + size, "kv-test", path.toString());
        assumeTrue(
                mount.status() == 0,
                "left out: no file system can be mounted (" + mount.err().strip() + ")");
        return new SmallDisk(path);
    }

    public Path path() {
        return path;
    }

    private Path other() {
        return path.resolve("other");
    }

    /** Takes the rest of it with a file that is not of the node. */
    public void fillToTheBrim() throws IOException {
        try (OutputStream out = Files.newOutputStream(other(), CREATE, APPEND)) {
            byte[] page = new byte[PAGE_BYTES];
            while (true) {
                out.write(page);
            }
        } catch (IOException full) {
            assertThat(full).hasMessageContaining("No space left");
        }
    }

    /** Removes that file. */
    public void makeRoom() throws IOException {
        Files.deleteIfExists(other());
    }

    @Override
    public void close() {
        Ended.of("umount", path.toString());
    }
}
