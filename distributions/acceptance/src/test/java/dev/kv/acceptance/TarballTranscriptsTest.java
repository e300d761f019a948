package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.Requests;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.Transcript;
import dev.kv.server.testing.Transcript.Pace;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The transcripts of the line protocol, held with the unpacked tarballs that have a door for clients. */
@Timeout(60)
class TarballTranscriptsTest {
    private static NodeProcess combined;
    private static NodeProcess storage;
    private static NodeProcess server;

    @BeforeAll
    static void start(@TempDir Path site) throws Exception {
        combined = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "foo");
        storage = new NodeProcess(UnpackedRelease.of(Role.STORAGE), site, "bar");
        server = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "front");
        NodeProcess.introduce(combined, storage, server);
        for (NodeProcess node : new NodeProcess[] {combined, storage, server}) {
            node.set("kv.router.timeout", "20s");
            node.set("kv.router.table", node == combined ? "*=foo@h" : "*=bar@h");
            node.start();
        }
    }

    @AfterAll
    static void close() throws IOException {
        for (NodeProcess node : new NodeProcess[] {combined, storage, server}) {
            node.close();
        }
    }

    @TestFactory
    Stream<DynamicTest> theCombinedReleaseConversesAsTold() throws IOException {
        return conversations(combined);
    }

    @TestFactory
    Stream<DynamicTest> theServerReleaseInFrontOfTheStorageReleaseConversesAsTold() throws IOException {
        return conversations(server);
    }

    private static Stream<DynamicTest> conversations(NodeProcess node) throws IOException {
        return Transcript.all().stream()
                .flatMap(transcript -> Arrays.stream(Pace.values())
                        .map(pace -> DynamicTest.dynamicTest(
                                transcript + ", " + pace, () -> transcript.replay(node.clients(), pace))));
    }

    @Test
    void twoTarballsServeBothHalvesOfTheAlphabetThroughOneClientPort(@TempDir Path site) throws Exception {
        String table = "a..m=foo@h,n..z=bar@h";
        try (NodeProcess foo = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "foo");
                NodeProcess bar = new NodeProcess(UnpackedRelease.of(Role.STORAGE), site, "bar")) {
            NodeProcess.introduce(foo, bar);
            foo.set("kv.router.table", table);
            bar.set("kv.router.table", table);
            foo.start();
            bar.start();

            foo.converse(Requests.BOTH_HALVES);
            assertThat(parts(foo)).containsPattern("storage +buckets 2, ");
            assertThat(parts(bar)).containsPattern("storage +buckets 2, ");
        }
    }

    private static String parts(NodeProcess node) throws IOException {
        Ended status = node.kv("status");
        assertThat(status.status()).as(status.err()).isZero();
        return status.out();
    }

    @Test
    void aServerKeepsNothingAndTwoStoragesOfOneFolderKeepAHalfEach(@TempDir Path site) throws Exception {
        String table = "a..m=foo@h,n..z=bar@h";
        try (NodeProcess front = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "front");
                NodeProcess foo = new NodeProcess(UnpackedRelease.of(Role.STORAGE), site, "foo");
                NodeProcess bar = new NodeProcess(UnpackedRelease.of(Role.STORAGE), site, "bar")) {
            NodeProcess.introduce(front, foo, bar);
            for (NodeProcess node : new NodeProcess[] {front, foo, bar}) {
                node.set("kv.router.table", table);
                node.start();
            }
            try (LineClient client = front.connect()) {
                assertThat(client.ask("CREATE apples")).isEqualTo("OK");
                assertThat(client.ask("CREATE nuts")).isEqualTo("OK");
                assertThat(parts(front)).doesNotContain("storage");
                assertThat(parts(foo)).containsPattern("storage +buckets 1, ");
                assertThat(parts(bar)).containsPattern("storage +buckets 1, ");

                bar.kill();
                Await.until(
                        "the end of bar is known",
                        () -> client.ask("PUT nuts k v").startsWith("ERROR UNREACHABLE "));
                assertThat(client.ask("PUT apples k v")).isEqualTo("OK");
            }
        }
    }
}
