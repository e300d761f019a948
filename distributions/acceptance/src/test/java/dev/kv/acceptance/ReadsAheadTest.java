package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Bystander;
import dev.kv.acceptance.harness.MeasuresTime;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sixty clients of a server-only node send thousands of reads of another node's value ahead and read no reply. */
@Timeout(120)
@MeasuresTime
class ReadsAheadTest {
    private static final int CLIENTS = 60;
    private static final int READS = 8000;
    private static final Duration SENDING = Duration.ofSeconds(5);
    private static final Duration WAIT_MAX = Duration.ofSeconds(2);

    @TempDir
    private Path site;

    /** All replies of the other node come on one link: 60 x 1024 of 50 KB would take it for 5 s, and then as many again. */
    @Test
    void clientsThatSendManyReadsOfAnotherNodeAheadAndNeverReadDelayNobody() throws Exception {
        List<Socket> strangers = new ArrayList<>();
        try (NodeProcess far = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "far");
                NodeProcess near = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "near");
                ExecutorService threads =
                        Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory())) {
            far.setJavaOptions("-Xmx" + Bystander.HEAP_MIB + "m");
            near.setJavaOptions("-Xmx" + Bystander.HEAP_MIB + "m");
            NodeProcess.introduce(near, far);
            NodeProcess.start("*=far@h", far, near);
            try (LineClient witness = near.connect()) {
                assertThat(witness.ask("CREATE witness")).isEqualTo("OK");
                assertThat(witness.ask("PUT witness large " + "v".repeat(50_000)))
                        .isEqualTo("OK");
                byte[] requests = RespClient.request("HGET", "witness", "large")
                        .repeat(READS)
                        .getBytes(US_ASCII);
                for (int i = 0; i < CLIENTS; i++) {
                    Socket stranger = new Socket(
                            near.clients().getAddress(), near.clients().getPort());
                    strangers.add(stranger);
                    threads.execute(() -> send(stranger, requests));
                }
                long begin = System.nanoTime();
                long longestNanos = 0;
                for (int round = 0; System.nanoTime() - begin < SENDING.toNanos(); round++) {
                    long start = System.nanoTime();
                    Bystander.assertServed(witness, round);
                    longestNanos = Math.max(longestNanos, System.nanoTime() - start);
                }
                System.out.println(
                        "ReadsAheadTest: a bystander waited for " + longestNanos / 1_000_000 + " ms at most");
                assertThat(longestNanos).isLessThan(WAIT_MAX.toNanos());
            } finally {
                for (Socket stranger : strangers) {
                    stranger.close();
                }
            }
            assertThat(near.isAlive()).isTrue();
            assertThat(far.isAlive()).isTrue();
        }
    }

    private static void send(Socket stranger, byte[] requests) {
        try {
            stranger.getOutputStream().write(requests);
        } catch (IOException ended) {
            // The node closes a client that takes nothing, or the test is over.
        }
    }
}
