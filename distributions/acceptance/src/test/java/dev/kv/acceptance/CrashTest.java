package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NumberedChanges;
import dev.kv.acceptance.harness.NumberedCopies;
import dev.kv.acceptance.harness.NumberedFieldTimes;
import dev.kv.acceptance.harness.NumberedFields;
import dev.kv.acceptance.harness.NumberedPairs;
import dev.kv.acceptance.harness.NumberedTimes;
import dev.kv.acceptance.harness.NumberedValues;
import dev.kv.acceptance.harness.NumberedWrites;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A node that is killed repeatedly while clients write: after each restart every acknowledged write is there until it expires, and no
 * change is there in part.
 */
@Timeout(900)
class CrashTest {
    private static final int WRITERS = 3;

    @TempDir
    private Path site;

    @ParameterizedTest(name = "sync = {0}")
    @ValueSource(strings = {"always", "1s", "os"})
    void aNodeThatIsKilledLosesNothingThatWasAcknowledged(String sync) throws Exception {
        kill(sync, 4, 500);
    }

    @ParameterizedTest(name = "sync = {0}")
    @ValueSource(strings = {"always", "1s", "os"})
    @Tag("soak")
    void aNodeThatIsKilledTwentyTimesLosesNothingThatWasAcknowledged(String sync) throws Exception {
        kill(sync, 20, 4_000);
    }

    /**
     * Kills and restarts the node.
     *
     * @param times the number of kills
     * @param writesMax the most values that the first writer has written at a kill
     */
    private void kill(String sync, int times, int writesMax) throws Exception {
        List<NumberedWrites> writers = IntStream.range(0, WRITERS)
                .mapToObj(i -> new NumberedWrites("bucket-" + i))
                .toList();
        List<NumberedChanges> changers = List.of(
                new NumberedFields("changed"),
                new NumberedValues("value"),
                new NumberedPairs("one", "other"),
                new NumberedCopies("copy"),
                new NumberedTimes("expires"),
                new NumberedFieldTimes("keys-expire"));
        try (NodeProcess node = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "foo")) {
            node.setJavaOptions("");
            node.set("kv.storage.sync", sync);
            node.set("kv.storage.segment-max", "1MiB");
            node.start();
            for (NumberedWrites writer : writers) {
                try (LineClient client = node.connect()) {
                    writer.create(client);
                }
            }
            for (int i = 0; i < times; i++) {
                killWhile(node, writers, changers, ThreadLocalRandom.current().nextInt(1, writesMax));
                node.start();
                for (NumberedWrites writer : writers) {
                    try (LineClient client = node.connect()) {
                        writer.check(client);
                    }
                }
                try (RespClient client = new RespClient(node.clients())) {
                    for (NumberedChanges changer : changers) {
                        changer.check(client);
                    }
                }
                assertThat(node.err()).doesNotContain("ERROR");
            }
        }
    }

    /** Kills the node after this number of writes of the first writer; all writers write until then. */
    private static void killWhile(
            NodeProcess node, List<NumberedWrites> writers, List<NumberedChanges> changers, int writes)
            throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Void>> ends = new ArrayList<>();
            for (NumberedWrites writer : writers) {
                int count = writer == writers.getFirst() ? writes : Integer.MAX_VALUE;
                ends.add(threads.submit(() -> {
                    try (LineClient client = node.connect()) {
                        writer.writeOn(client, count);
                    }
                    node.kill();
                    return null;
                }));
            }
            for (NumberedChanges changer : changers) {
                RespClient client = new RespClient(node.clients());
                ends.add(threads.submit(() -> {
                    try (client) {
                        changer.writeOn(client);
                    }
                    return null;
                }));
            }
            for (Future<Void> end : ends) {
                end.get();
            }
        }
        assertThat(node.isAlive()).isFalse();
    }
}
