package dev.kv.acceptance;

import static dev.kv.acceptance.harness.FailingDisk.CREATE;
import static dev.kv.acceptance.harness.FailingDisk.EIO;
import static dev.kv.acceptance.harness.FailingDisk.FSYNC;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.FailingDisk;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.NumberedWrites;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A node whose disk fails for a while, by a library that is preloaded into it. The node refuses writes, still serves reads, and
 * accepts writes again by itself. No acknowledged write is lost, whether the node goes on, stops or is killed.
 */
@Timeout(300)
class FailingDiskTest {
    private static final int EMFILE = 24;
    private static final int EROFS = 30;

    /** More than one segment. */
    private static final int MANY = 1_000;

    @TempDir
    private Path site;

    private FailingDisk disk;
    private NodeProcess node;
    private final NumberedWrites writes = new NumberedWrites("bucket");

    @BeforeEach
    void makeNode() throws IOException {
        node = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "foo");
        node.set("kv.storage.segment-max", "1MiB");
    }

    @AfterEach
    void end() throws IOException {
        node.close();
    }

    /** Starts the node on a disk that can fail. */
    private void start(String sync) throws Exception {
        disk = FailingDisk.of(node, site);
        node.set("kv.storage.sync", sync);
        node.start();
    }

    private void write(LineClient client, int times) throws IOException {
        for (int i = 0; i < times; i++) {
            assertThat(writes.write(client)).as(node.err()).isEqualTo("OK");
        }
    }

    private void awaitRefused(LineClient client, String beginning) throws Exception {
        awaitRefusedFor(client, Pattern.quote(beginning) + ".*");
    }

    private void awaitRefusedFor(LineClient client, String pattern) throws Exception {
        Await.until("writes are refused", () -> {
            String reply = writes.write(client);
            assertThat(reply).matches("OK|ERROR UNCERTAIN .*|" + pattern);
            return reply.matches(pattern);
        });
    }

    private void awaitTaken(LineClient client) throws Exception {
        Await.until("writes are taken", () -> writes.put(client, "key-0").equals("OK"));
    }

    private void restart() throws Exception {
        node.kill();
        node.start();
        try (LineClient client = node.connect()) {
            writes.check(client);
        }
    }

    @ParameterizedTest(name = "sync = {0}")
    @ValueSource(strings = {"always", "50ms", "os"})
    void afterAFailedFsyncWritesAreRefusedUntilTheirPredecessorsAreOnTheDisk(String sync) throws Exception {
        start(sync);
        try (LineClient client = node.connect()) {
            writes.create(client);
            for (int round = 0; round < 3; round++) {
                write(client, round * 300 + 50);
                disk.fail(FSYNC, EIO);
                awaitRefused(client, "ERROR ERR the disk failed (Input/output error): writes are refused until");
                writes.check(client);
                disk.recover(FSYNC);
                awaitTaken(client);
                writes.check(client);
            }
            write(client, MANY);
            writes.check(client);
        }
        assertThat(node.err()).doesNotContain("fault");
        restart();
        restart();
    }

    @Test
    void aWriteThatWaitsForItsFsyncIsAnsweredWhenThatFails() throws Exception {
        start("always");
        try (LineClient client = node.connect()) {
            writes.create(client);
            write(client, 10);
            disk.fail(FSYNC, EIO);

            assertThat(writes.put(client, "key-0"))
                    .isEqualTo(
                            "ERROR UNCERTAIN the disk failed (Input/output error): this was written, and may be lost if the"
                                    + " host fails now");
            assertThat(writes.put(client, "key-0")).startsWith("ERROR ERR the disk failed (Input/output error)");
        }
    }

    @ParameterizedTest(name = "sync = {0}")
    @ValueSource(strings = {"always", "50ms", "os"})
    void aNodeThatIsKilledWhileItsDiskFailsLosesNoAcknowledgedWrite(String sync) throws Exception {
        start(sync);
        try (LineClient client = node.connect()) {
            writes.create(client);
            write(client, MANY);
            disk.fail(FSYNC, EIO);
            awaitRefused(client, "ERROR ERR the disk failed");
        }
        node.kill();
        disk.recover(FSYNC);
        node.start();
        try (LineClient client = node.connect()) {
            writes.check(client);
            write(client, MANY);
        }
        restart();
    }

    @Test
    void aNodeThatStopsWhileItsDiskFailsEndsAndLosesNoAcknowledgedWrite() throws Exception {
        start("50ms");
        try (LineClient client = node.connect()) {
            writes.create(client);
            write(client, 100);
            disk.fail(FSYNC, EIO);
            awaitRefused(client, "ERROR ERR the disk failed");
        }
        node.signal(Signal.TERM);
        node.awaitEnd();
        assertThat(node.err()).contains("the log could not be closed in order");
        disk.recover(FSYNC);
        node.start();
        try (LineClient client = node.connect()) {
            writes.check(client);
        }
    }

    @ParameterizedTest(name = "error {0}")
    @CsvSource({EMFILE + ", Too many open files", EROFS + ", Read-only file system"})
    void noAcknowledgedWriteIsLostWhenFilesCannotBeCreated(int error, String why) throws Exception {
        start("1s");
        try (LineClient client = node.connect()) {
            writes.create(client);
            write(client, 50);
            disk.fail(CREATE, error);
            for (int i = 0; i < MANY; i++) {
                assertThat(writes.write(client)).matches("OK|ERROR ERR this node cannot write: .*" + why);
            }
            writes.check(client);
            disk.recover(CREATE);
            for (int i = 0; i < MANY; i++) {
                awaitTaken(client);
            }
        }
        restart();
    }

    @ParameterizedTest(name = "sync = {0}")
    @ValueSource(strings = {"always", "50ms"})
    void aDiskThatIsReadOnlyForAWhileLosesNoAcknowledgedWrite(String sync) throws Exception {
        start(sync);
        try (LineClient client = node.connect()) {
            writes.create(client);
            write(client, 50);
            disk.fail(CREATE, EROFS);
            disk.fail(FSYNC, EROFS);
            awaitRefused(client, "ERROR ERR ");
            Await.until("the disk was tried again", () -> node.err().contains("the disk still fails"));
            disk.recover(CREATE);
            disk.recover(FSYNC);
            awaitTaken(client);
            write(client, MANY);
            writes.check(client);
        }
        restart();
    }

    @Test
    void withoutFileDescriptorsWritesAreRefusedAndReadsGoOn() throws Exception {
        node.limitDescriptors(200);
        node.start();
        List<LineClient> idle = new ArrayList<>();
        try (LineClient client = node.connect()) {
            writes.create(client);
            write(client, 50);
            for (int i = 0; i < 300; i++) {
                idle.add(node.connect());
            }
            // However many clients there are, the log has the descriptors that are reserved for it.
            write(client, MANY);
            for (LineClient one : idle) {
                one.close();
            }
            node.limitDescriptorsNow(1);
            // The next segment cannot be made; the fsync of what was written needs no descriptor that is not open.
            awaitRefusedFor(client, "ERROR ERR this node cannot write: .*Too many open files");
            writes.check(client);
            node.limitDescriptorsNow(200);
            for (int i = 0; i < MANY; i++) {
                awaitTaken(client);
            }
        }
        assertThat(node.err()).contains("Too many open files").doesNotContain("fault", "the disk failed");
        restart();
    }

    @Test
    void aFolderThatCannotBeWrittenIsABadStart() throws Exception {
        Path data = Files.createDirectory(site.resolve("read-only"));
        Ended mount = Ended.of("mount", "-t", "tmpfs", "-o", "ro,size=1m", "kv-test", data.toString());
        assumeTrue(
                mount.status() == 0,
                "left out: no file system can be mounted (" + mount.err().strip() + ")");
        try {
            node.set("kv.storage.dir", data.toString());
            Ended run = node.kv("run");
            assertThat(run.status()).isNotZero();
            assertThat(run.err()).contains("kv.storage.dir").contains("Read-only file system");
        } finally {
            Ended.of("umount", data.toString());
        }
    }
}
