package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.NumberedWrites;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A node whose file system turns read-only, as ext4 does after an error. The node refuses writes and serves reads. After a restart
 * on that file system it has every acknowledged write.
 */
@Timeout(120)
class ReadOnlyDiskTest {
    private static final long DISK_BYTES = 64L << 20;

    @TempDir
    private Path site;

    private Path disk;
    private NodeProcess node;

    @AfterEach
    void unmount() throws IOException {
        if (node != null) {
            node.close();
            Ended.of("umount", disk.toString());
        }
    }

    private Path image() {
        return site.resolve("image");
    }

    private Ended mount(String options) {
        return Ended.of("mount", "-t", "ext4", "-o", options, image().toString(), disk.toString());
    }

    private void makeNode(String options) throws Exception {
        disk = Files.createDirectory(site.resolve("disk"));
        try (RandomAccessFile image = new RandomAccessFile(image().toFile(), "rw")) {
            image.setLength(DISK_BYTES);
        }
        Ended made = Ended.of(
                "sh", "-c", "PATH=$PATH:/usr/sbin:/sbin; mkfs.ext4 -q -F -J size=4 \"$0\"", image().toString());
        assumeTrue(
                made.status() == 0,
                "left out: no file system can be made (" + made.err().strip() + ")");
        Ended mounted = mount(options);
        assumeTrue(
                mounted.status() == 0,
                "left out: no file system can be mounted (" + mounted.err().strip() + ")");
        node = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "foo");
        node.set("kv.storage.dir", disk.resolve("data").toString());
        node.set("kv.storage.segment-max", "1MiB");
        node.set("kv.storage.sync", "always");
        node.start();
    }

    /** With delayed allocation a page can be written that has no block yet; without it such a write is a SIGBUS. */
    @ParameterizedTest(name = "mounted with {0}, ended by {1}")
    @CsvSource({"delalloc, KILL", "nodelalloc, TERM"})
    void writesAreRefusedAndNothingThatWasAcknowledgedIsLost(String option, Signal end) throws Exception {
        String options = "loop," + option;
        makeNode(options);
        NumberedWrites before = new NumberedWrites("before");
        NumberedWrites meanwhile = new NumberedWrites("meanwhile");
        try (LineClient client = node.connect()) {
            before.create(client);
            meanwhile.create(client);
            for (int i = 0; i < 100; i++) {
                assertThat(before.write(client)).isEqualTo("OK");
                assertThat(meanwhile.write(client)).isEqualTo("OK");
            }
            Ended aborted = mount("remount,abort");
            assertThat(aborted.status()).as(aborted.err()).isZero();

            Await.until("writes are refused", () -> {
                String reply = meanwhile.put(client, "key-0");
                assertThat(reply).matches("ERROR UNCERTAIN the disk failed .*|ERROR ERR the disk failed .*");
                return reply.startsWith("ERROR ERR ");
            });
            for (int i = 0; i < 300; i++) {
                assertThat(meanwhile.put(client, "key-" + i % 10)).startsWith("ERROR ERR the disk failed (");
            }
            before.check(client);
        }
        assertThat(node.err()).contains("the disk failed").doesNotContain("fault", "a page of the log");

        node.signal(end);
        node.awaitEnd();
        assertThat(Ended.of("umount", disk.toString()).status()).isZero();
        assertThat(mount(options).status()).isZero();
        node.start();
        try (LineClient client = node.connect()) {
            before.check(client);
            meanwhile.check(client);
            assertThat(meanwhile.write(client)).isEqualTo("OK");
        }
        assertThat(node.err()).doesNotContain("ERROR");
    }
}
