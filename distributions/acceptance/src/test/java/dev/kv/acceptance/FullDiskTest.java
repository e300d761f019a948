package dev.kv.acceptance;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.FailingDisk;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.SmallDisk;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A node whose disk, a small file system of its own, is full. It refuses commands that need space and serves all others until
 * deletes have freed space.
 */
@Timeout(300)
class FullDiskTest {
    private static final String SIZE = "24m";
    private static final int KEYS_MAX = 40_000;
    private static final int READS_AHEAD = 500;
    private static final int WRITES_AHEAD = 50;

    @TempDir
    private Path site;

    private SmallDisk disk;
    private Path data;
    private NodeProcess node;

    /** The acknowledged values, in the order of their writes. */
    private final Map<String, String> acknowledged = new LinkedHashMap<>();

    private int number;

    @BeforeEach
    void mount() throws Exception {
        disk = SmallDisk.mount(site.resolve("disk"), SIZE);
        data = disk.path();
        node = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "foo");
        node.set("kv.storage.dir", data.toString());
        node.set("kv.storage.segment-max", "1MiB");
        node.start();
        try (LineClient client = node.connect()) {
            assertThat(client.ask("CREATE b")).isEqualTo("OK");
        }
    }

    @AfterEach
    void unmount() throws IOException {
        if (node != null) {
            node.close();
        }
        if (disk != null) {
            disk.close();
        }
    }

    /** The request that puts another key. */
    private String another() {
        number++;
        return "PUT b " + key(number) + " " + value(number) + "\r\n";
    }

    private static String key(int number) {
        return "key-" + number;
    }

    private static String value(int number) {
        return number + "-" + "x".repeat(1000);
    }

    /** Reads the reply to {@link #another}, whose number this was. */
    private String putReply(LineClient client, int of) throws IOException {
        String reply = client.line();
        if (reply.equals("OK")) {
            acknowledged.put(key(of), value(of));
        }
        return reply;
    }

    /** Puts another key, and returns the reply. */
    private String put(LineClient client) throws IOException {
        client.send(another());
        return putReply(client, number);
    }

    /** Puts keys, many of them ahead, until one is refused. */
    private void fill(LineClient client) throws IOException {
        boolean isFull = false;
        for (int sent = 0; !isFull; sent += WRITES_AHEAD) {
            assertThat(sent).isLessThan(KEYS_MAX);
            int first = number + 1;
            client.send(Stream.generate(this::another).limit(WRITES_AHEAD).collect(joining()));
            for (int i = first; i <= number; i++) {
                String reply = putReply(client, i);
                if (!reply.equals("OK")) {
                    isFull = true;
                    assertThat(reply)
                            .isEqualTo("ERROR NOSPACE no space is left for " + data
                                    + ": delete keys or buckets, or make room");
                }
            }
        }
    }

    /** Deletes the oldest keys. With each of the first half it puts another, which may take its room; that of the second half stays. */
    private void delete(LineClient client, int count) throws IOException {
        for (int done = 0; done < count; done += WRITES_AHEAD) {
            boolean putsAnother = done < count / 2;
            List<String> keys =
                    acknowledged.keySet().stream().limit(WRITES_AHEAD).toList();
            int next = number + 1;
            client.send(keys.stream()
                    .map(key -> "DELETE b " + key + "\r\nGET b " + key + "\r\n" + (putsAnother ? another() : ""))
                    .collect(joining()));
            for (String key : keys) {
                assertThat(client.line()).isEqualTo("OK");
                acknowledged.remove(key);
                assertThat(client.line()).isEmpty();
                assertThat(client.line()).isEqualTo("OK");
                if (putsAnother) {
                    assertThat(putReply(client, next++)).matches("OK|ERROR NOSPACE .*");
                }
            }
        }
    }

    /** Deletes all keys. All in flight at once are more than what is kept for them, until compaction has made room. */
    private void deleteAll(LineClient client) throws IOException {
        client.send(acknowledged.keySet().stream()
                .map(key -> "DELETE b " + key + "\r\n")
                .collect(joining()));
        for (String key : acknowledged.keySet()) {
            assertThat(client.line()).as(key).isEqualTo("OK");
        }
        acknowledged.clear();
    }

    private void check(LineClient client) throws IOException {
        List<String> keys = List.copyOf(acknowledged.keySet());
        for (int from = 0; from < keys.size(); from += READS_AHEAD) {
            List<String> some = keys.subList(from, Math.min(keys.size(), from + READS_AHEAD));
            client.send(some.stream().map(key -> "GET b " + key + "\r\n").collect(joining()));
            for (String key : some) {
                assertThat(client.line()).as(key).isEqualTo(acknowledged.get(key));
                assertThat(client.line()).isEqualTo("OK");
            }
        }
    }

    private void assertNoFault() throws IOException {
        assertThat(node.err()).doesNotContain("SIGBUS", "InternalError", "fault", "ERROR");
    }

    private void awaitState(String expected) throws Exception {
        try (RespClient client = new RespClient(node.clients())) {
            Pattern line = Pattern.compile("kv_storage_state:" + expected + "\\R");
            Await.until(
                    expected,
                    () -> line.matcher(client.ask("INFO", "persistence")).find());
        }
    }

    private void awaitRoom(LineClient client) throws Exception {
        Await.until("there is room again", () -> put(client).equals("OK"));
    }

    @Test
    void refusesWhatNeedsRoomUntilDeletesHaveMadeSome() throws Exception {
        try (LineClient client = node.connect()) {
            for (int round = 0; round < 3; round++) {
                fill(client);
                assertThat(acknowledged).hasSizeGreaterThan(12_000);
                check(client);
                delete(client, 4_000);
                awaitRoom(client);
                check(client);
            }
        }
        assertNoFault();
    }

    /** With 100 keys the stream fits on the disk and the bucket does not; with 160 keys the stream does not fit either. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            100 | no space is left for %s: delete keys or buckets, or make room. Nothing was imported
            160 | the import into %s failed: No space left on device
            """)
    void anImportThatDoesNotFitIsToldWhy(int keys, String reason) throws Exception {
        try (LineClient client = node.connect()) {
            for (int i = 0; i < keys; i++) {
                assertThat(client.ask("PUT b key-" + i + " " + "x".repeat(100_000)))
                        .isEqualTo("OK");
            }
        }
        Path stream = site.resolve("b.kv");
        Process export =
                node.command("export", "b").redirectOutput(stream.toFile()).start();
        assertThat(export.waitFor()).isZero();

        Ended imported = Ended.of(node.command("import", "c").redirectInput(stream.toFile()));

        String why = reason.formatted(data);
        assertThat(imported).isEqualTo(new Ended(1, "", "kv: " + node.name() + ": " + why + "\n"));
        assertThat(node.err().lines().filter(line -> line.contains(why)))
                .singleElement()
                .asString()
                .contains("`import c`: " + why);
        assertNoFault();
    }

    @ParameterizedTest(name = "after a start: {0}")
    @ValueSource(booleans = {false, true})
    void canBeEmptied(boolean isAfterStart) throws Exception {
        try (LineClient client = node.connect()) {
            fill(client);
        }
        disk.fillToTheBrim();
        if (isAfterStart) {
            node.kill();
            disk.fillToTheBrim();
            node.start();
        }
        try (LineClient client = node.connect()) {
            // The next segment may have been made since.
            fill(client);
        }
        String refused = "no room: writes are refused until [0-9]+ MiB are free for " + data
                + ": delete keys or buckets, or make room";
        awaitState(refused);
        assertThat(node.kv("status").out()).containsPattern("state " + refused + ", ");
        try (LineClient client = node.connect()) {
            deleteAll(client);
            awaitState("ok");
            // Compaction may still free what was deleted when the first write fits.
            Await.until("as much fits again", () -> {
                fill(client);
                return acknowledged.size() > 11_000;
            });
        }
        assertNoFault();
    }

    /** As by default: {@code kv.node.dir} and {@code kv.storage.dir} are on one disk. */
    @Test
    void startsAfterAStopInOrderWithAllItsFilesOnAFullDisk() throws Exception {
        node.kill();
        node.set("kv.node.dir", data.resolve("node").toString());
        node.start();
        try (LineClient client = node.connect()) {
            fill(client);
        }
        node.signal(Signal.TERM);
        assertThat(node.awaitEnd()).isZero();
        disk.fillToTheBrim();
        node.start();
        try (LineClient client = node.connect()) {
            check(client);
            delete(client, 4_000);
            awaitRoom(client);
        }
    }

    @ParameterizedTest(name = "sync = {0}")
    @ValueSource(strings = {"always", "os"})
    void canBeEmptiedAfterAFailedFsync(String sync) throws Exception {
        node.kill();
        FailingDisk failing = FailingDisk.of(node, site);
        node.set("kv.storage.sync", sync);
        node.start();
        try (LineClient client = node.connect()) {
            fill(client);
            failing.fail(FailingDisk.FSYNC, FailingDisk.EIO);
            Iterator<String> keys = acknowledged.keySet().iterator();
            Await.until(
                    "writes are refused",
                    () -> client.ask("DELETE b " + keys.next()).startsWith("ERROR ERR the disk failed"));
            disk.fillToTheBrim();
            failing.recover(FailingDisk.FSYNC);
            for (String key : acknowledged.keySet()) {
                Await.until(
                        "deleted: " + key, () -> client.ask("DELETE b " + key).equals("OK"));
            }
            acknowledged.clear();
            awaitRoom(client);
            check(client);
        }
        node.kill();
        node.start();
        try (LineClient client = node.connect()) {
            check(client);
        }
        assertNoFault();
    }

    /** What an export has still to read takes the room that deletes free, until it is cut off. */
    @Test
    void anExportWhoseReaderSleepsHoldsUpDeletesAndWritesForABoundedTime() throws Exception {
        node.kill();
        node.set("kv.storage.pin-max-when-full", "1s");
        node.start();
        try (LineClient client = node.connect()) {
            fill(client);
            disk.fillToTheBrim();
            Path err = site.resolve("export.err");
            Process export =
                    node.command("export", "b").redirectError(err.toFile()).start();
            try {
                assertThat(export.getInputStream().read()).isPositive();
                deleteAll(client);
                awaitRoom(client);
                export.getInputStream().readAllBytes();
                assertThat(export.waitFor()).isEqualTo(1);
                assertThat(err)
                        .content()
                        .contains("the export was cut off", "1s on a full disk (kv.storage.pin-max-when-full)");
                check(client);
            } finally {
                export.destroyForcibly();
            }
        }
        assertThat(node.err().lines().filter(line -> line.contains("no room: ")))
                .hasSizeLessThan(10);
        assertNoFault();
    }

    @Test
    void startsAgainAfterItWasKilledOnAFullDisk() throws Exception {
        try (LineClient client = node.connect()) {
            fill(client);
        }
        for (int i = 0; i < 3; i++) {
            node.kill();
            node.start();
            try (LineClient client = node.connect()) {
                check(client);
                fill(client);
            }
        }
        node.kill();
        node.start();
        try (LineClient client = node.connect()) {
            delete(client, 4_000);
            awaitRoom(client);
            check(client);
        }
        assertNoFault();
    }

    @Test
    void stopsInOrderOnAFullDisk() throws Exception {
        try (LineClient client = node.connect()) {
            fill(client);
            delete(client, 10);
        }
        node.signal(Signal.TERM);
        assertThat(node.awaitEnd()).isZero();
        assertNoFault();
        node.start();
        try (LineClient client = node.connect()) {
            check(client);
            delete(client, 4_000);
            awaitRoom(client);
        }
        assertNoFault();
    }
}
