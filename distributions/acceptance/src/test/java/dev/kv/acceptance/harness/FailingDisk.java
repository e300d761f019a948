package dev.kv.acceptance.harness;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The disk of a node, which fails or waits while a test wants it: a library that is preloaded into the node. */
public final class FailingDisk {
    /** The system call of each fsync. */
    public static final String FSYNC = "fsync";

    /** The system calls that make a file in a folder named {@code data}. */
    public static final String CREATE = "create";

    public static final int EIO = 5;

    private static final String HOLD = "hold";

    private final Path failing;

    private FailingDisk(Path failing) {
        this.failing = failing;
    }

    /**
     * Has the library preloaded when the node starts. Skips the test on a host without a C compiler.
     *
     * @param site an empty folder in it is used
     */
    public static FailingDisk of(NodeProcess node, Path site) throws IOException {
        assumeTrue(Ended.of("sh", "-c", "command -v cc").status() == 0, "left out: no C compiler (cc)");
        Path failing = Files.createDirectory(site.resolve("failing"));
        Path library = site.resolve("failing-disk.so");
        String source =
                Path.of("src/test/resources/failing-disk.c").toAbsolutePath().toString();
        Ended cc = Ended.of("cc", "-shared", "-fPIC", "-o", library.toString(), source);
        assertThat(cc.status()).as(cc.err()).isZero();
        node.setVariable("LD_PRELOAD", library.toString());
        node.setVariable("FAILING_DISK", failing.toString());
        return new FailingDisk(failing);
    }

    /** Lets a call fail with the number of an error until {@link #recover}. */
    public void fail(String call, int error) throws IOException {
        Files.writeString(failing.resolve(call), String.valueOf(error));
    }

    public void recover(String call) throws IOException {
        Files.delete(failing.resolve(call));
    }

    /** Lets each fsync wait until {@link #release}. */
    public void hold() throws IOException {
        Files.writeString(failing.resolve(HOLD), "1");
    }

    public void release() throws IOException {
        Files.delete(failing.resolve(HOLD));
    }
}
