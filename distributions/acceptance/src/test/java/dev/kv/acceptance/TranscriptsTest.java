package dev.kv.acceptance;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.acceptance.harness.Cluster.Member;
import dev.kv.server.testing.Transcript;
import dev.kv.server.testing.Transcript.Pace;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** The transcripts of the line protocol, held with whole nodes, wherever the buckets are. */
class TranscriptsTest {
    private static Cluster cluster;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        cluster = new Cluster(folder, "foo", "bar");
        cluster.set("kv.router.timeout", "20s");
        cluster.start("*=foo@h");
    }

    @AfterAll
    static void close() {
        cluster.close();
    }

    @TestFactory
    Stream<DynamicTest> aNodeThatKeepsTheBucketsConversesAsTold() throws IOException {
        return conversations(cluster.node("foo"));
    }

    @TestFactory
    Stream<DynamicTest> aNodeThatPassesAllRequestsOnConversesAsTold() throws IOException {
        return conversations(cluster.node("bar"));
    }

    private static Stream<DynamicTest> conversations(Member node) throws IOException {
        return Transcript.all().stream()
                .flatMap(transcript -> Arrays.stream(Pace.values())
                        .map(pace -> DynamicTest.dynamicTest(
                                transcript + ", " + pace, () -> transcript.replay(node.clients(), pace))));
    }
}
