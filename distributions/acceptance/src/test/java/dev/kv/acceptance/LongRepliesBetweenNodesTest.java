package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.MeasuresTime;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Twenty clients of a server-only node ask for a hash of 64 MiB of another node at once, and a bystander for something else. */
@Timeout(240)
@MeasuresTime
class LongRepliesBetweenNodesTest {
    private static final int CLIENTS = 20;
    private static final int FIELDS = 2048;
    private static final int VALUE_BYTES = 32 * 1024;

    /** At most this on a busy machine, in the best of some rounds; docs/performance.md has the figures of a quiet one. */
    private static final Duration WAIT_MAX = Duration.ofMillis(500);

    private static final int ROUNDS = 4;

    @TempDir
    private Path site;

    /** Where all replies are built before the first is sent, the heap of the storage node is too small for them. */
    @Test
    void longRepliesDelayNobodyAndFitIntoASmallHeap() throws Exception {
        try (NodeProcess far = new NodeProcess(UnpackedRelease.of(Role.STORAGE), site, "far");
                NodeProcess near = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "near")) {
            far.setJavaOptions("-Xmx512m");
            near.setJavaOptions("");
            NodeProcess.introduce(far, near);
            NodeProcess.start("*=far@h", far, near);
            fill(near);
            Duration longest = WAIT_MAX;
            for (int round = 0; round < ROUNDS && longest.compareTo(WAIT_MAX) >= 0; round++) {
                longest = longestWait(near);
                System.out.println("LongRepliesBetweenNodesTest: a bystander waited for " + longest.toMillis()
                        + " ms at most; own memory: " + (far.ownBytes() >> 20) + " and " + (near.ownBytes() >> 20)
                        + " MiB");
            }

            assertThat(longest).isLessThan(WAIT_MAX);
            assertThat(far.isAlive()).isTrue();
        }
    }

    /** Each of them holds its memory until it is closed; two find room at a time. */
    @Test
    void clientsThatNeverReadKeepLongRepliesFromOthersForSeconds() throws Exception {
        List<Socket> silent = new ArrayList<>();
        try (NodeProcess far = new NodeProcess(UnpackedRelease.of(Role.STORAGE), site, "far");
                NodeProcess near = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "near")) {
            far.setJavaOptions("-Xmx512m");
            near.setJavaOptions("-Xmx512m");
            // A fifth of the default: those who never read hold up others for a fifth of the time.
            near.set("kv.server.stalled-time", "200ms");
            NodeProcess.introduce(far, near);
            NodeProcess.start("*=far@h", far, near);
            fill(near);
            try (RespClient client = new RespClient(near.clients())) {
                assertThat(client.ask("HSET", "one", "v", "v".repeat(60 << 20))).isEqualTo(":1");
            }
            for (int i = 0; i < CLIENTS; i++) {
                silent.add(
                        new Socket(near.clients().getAddress(), near.clients().getPort()));
                silent.getLast()
                        .getOutputStream()
                        .write((RespClient.request("HGET", "one", "v") + RespClient.request("HGETALL", "long"))
                                .getBytes(ISO_8859_1));
            }
            long start = System.nanoTime();
            assertThat(replyBytes(near)).isEqualTo(expectedBytes());
            Duration wait = Duration.ofNanos(System.nanoTime() - start);
            System.out.println("LongRepliesBetweenNodesTest: a reader waited for " + wait.toMillis() + " ms");
            assertThat(wait).isLessThan(Duration.ofSeconds(20));
        } finally {
            for (Socket one : silent) {
                one.close();
            }
        }
    }

    /** The reply behind the one that it does not read takes all memory for replies at the other node, and has no room at this one. */
    @Test
    void aClientThatNeverReadsKeepsTheMemoryOfAnotherNodeFromOthersForSeconds() throws Exception {
        try (NodeProcess far = new NodeProcess(UnpackedRelease.of(Role.STORAGE), site, "far");
                NodeProcess near = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "near")) {
            far.setJavaOptions("");
            far.set("kv.router.replies-max", "32MiB");
            near.setJavaOptions("");
            near.set("kv.router.assembly-max", "80MiB");
            NodeProcess.introduce(far, near);
            NodeProcess.start("*=far@h", far, near);
            fill(near);
            try (RespClient client = new RespClient(near.clients());
                    Socket silent = new Socket(
                            near.clients().getAddress(), near.clients().getPort())) {
                assertThat(client.ask("HSET", "one", "v", "v".repeat(60 << 20))).isEqualTo(":1");
                silent.getOutputStream()
                        .write((RespClient.request("HGET", "one", "v") + RespClient.request("HGETALL", "long"))
                                .getBytes(ISO_8859_1));
                silent.setSoTimeout(60_000);
                assertThat(silent.getInputStream().read()).isEqualTo('$');

                long start = System.nanoTime();
                assertThat(replyBytes(near)).isEqualTo(expectedBytes());
                Duration wait = Duration.ofNanos(System.nanoTime() - start);
                System.out.println(
                        "LongRepliesBetweenNodesTest: a reader behind one waited for " + wait.toMillis() + " ms");
                assertThat(wait).isLessThan(Duration.ofSeconds(20));
            }
        }
    }

    private static void fill(NodeProcess near) throws IOException {
        String value = "v".repeat(VALUE_BYTES);
        try (RespClient client = new RespClient(near.clients())) {
            for (int i = 0; i < FIELDS; i++) {
                client.send(RespClient.request("HSET", "long", "f" + i, value));
                assertThat(client.reply()).isEqualTo(":1");
            }
        }
    }

    private static Duration longestWait(NodeProcess near) throws Exception {
        try (ExecutorService threads =
                        Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory());
                LineClient bystander = near.connect()) {
            assertThat(bystander.ask("CREATE a")).isEqualTo("OK");
            List<Future<Long>> replies = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                replies.add(threads.submit(() -> replyBytes(near)));
            }
            long longestNanos = 0;
            do {
                long start = System.nanoTime();
                assertThat(bystander.ask("PUT a k v")).isEqualTo("OK");
                longestNanos = Math.max(longestNanos, System.nanoTime() - start);
            } while (replies.stream().anyMatch(reply -> !reply.isDone()));
            for (Future<Long> reply : replies) {
                assertThat(reply.get()).isEqualTo(expectedBytes());
            }
            return Duration.ofNanos(longestNanos);
        }
    }

    private static long expectedBytes() {
        long bytes = ("*" + 2 * FIELDS + "\r\n").length();
        for (int i = 0; i < FIELDS; i++) {
            String field = "f" + i;
            bytes +=
                    ("$" + field.length() + "\r\n" + field + "\r\n$" + VALUE_BYTES + "\r\n\r\n").length() + VALUE_BYTES;
        }
        return bytes;
    }

    /** The length of the reply; fails with an error that came in its place. */
    private static long replyBytes(NodeProcess near) throws IOException {
        try (Socket client =
                new Socket(near.clients().getAddress(), near.clients().getPort())) {
            client.setSoTimeout(60_000);
            client.getOutputStream()
                    .write((RespClient.request("HGETALL", "long") + RespClient.request("QUIT")).getBytes(ISO_8859_1));
            InputStream input = client.getInputStream();
            ByteArrayOutputStream first = new ByteArrayOutputStream();
            byte[] buffer = new byte[1 << 20];
            long bytes = 0;
            for (int read = input.read(buffer); read >= 0; read = input.read(buffer)) {
                if (first.size() < 200) {
                    first.write(buffer, 0, Math.min(200, read));
                }
                bytes += read;
            }
            assertThat(first.toString(US_ASCII)).startsWith("*" + 2 * FIELDS);
            return bytes - "+OK\r\n".length();
        }
    }
}
