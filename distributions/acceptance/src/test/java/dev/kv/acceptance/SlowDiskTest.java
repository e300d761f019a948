package dev.kv.acceptance;

import static dev.kv.acceptance.harness.FailingDisk.EIO;
import static dev.kv.acceptance.harness.FailingDisk.FSYNC;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.FailingDisk;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.NumberedWrites;
import dev.kv.acceptance.harness.TwoNodes;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.net.ConnectException;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The node bar, whose disk takes less than clients write, by a library that is preloaded into it: an fsync ends when the test lets it. The
 * node foo passes requests on to it.
 */
@Timeout(120)
class SlowDiskTest extends TwoNodes {
    private static final int CLIENTS = 8;

    /** So long without a reply, a client counts as held back. */
    private static final Duration HELD = Duration.ofMillis(300);

    /** More than a turn of an I/O loop, and less than the disk is held. A busy machine adds to it now and then. */
    private static final Duration WAIT_MAX = Duration.ofMillis(100);

    private static final int ROUNDS_MAX = 10;

    private final List<Writer> writers = new ArrayList<>();
    private FailingDisk disk;

    @BeforeEach
    void start() throws Exception {
        disk = FailingDisk.of(bar, site);
        bar.set("kv.storage.sync", "os");
        bar.set("kv.storage.segment-max", "1MiB");
        bar.set("kv.storage.unsynced-max", "2");
        foo.set("kv.router.timeout", "30s");
        NodeProcess.start("*=bar@h", foo, bar);
    }

    @AfterEach
    void close() throws Exception {
        for (Writer writer : writers) {
            writer.close();
        }
    }

    /** A client that writes and reads one key of a bucket of its own, and sends all of its requests ahead. */
    private static final class Writer implements AutoCloseable {
        private final RespClient client;
        private final String bucket;
        private final List<String> unexpected = new ArrayList<>();
        private final CompletableFuture<Void> done;
        private volatile long repliedNanos = System.nanoTime();

        Writer(NodeProcess node, int number, int valueBytes, int times) throws IOException {
            client = new RespClient(node.clients());
            bucket = "own" + number;
            String padding = "x".repeat(valueBytes);
            Thread.ofVirtual().start(() -> {
                try {
                    for (int i = 0; i < times; i++) {
                        client.send(RespClient.request("HSET", bucket, "k", i + padding)
                                + RespClient.request("HGET", bucket, "k"));
                    }
                } catch (IOException e) {
                    // The reader fails as well.
                }
            });
            done = new CompletableFuture<>();
            Thread.ofVirtual().start(() -> {
                try {
                    for (int i = 0; i < times; i++) {
                        expect(i == 0 ? ":1" : ":0");
                        expect('"' + (i + padding) + '"');
                    }
                    done.complete(null);
                } catch (IOException e) {
                    done.completeExceptionally(e);
                }
            });
        }

        private void expect(String expected) throws IOException {
            String reply = client.reply();
            repliedNanos = System.nanoTime();
            if (!reply.equals(expected)) {
                unexpected.add(reply.substring(0, Math.min(100, reply.length())));
            }
        }

        boolean isHeld() {
            return !done.isDone() && System.nanoTime() - repliedNanos > HELD.toNanos();
        }

        @Override
        public void close() throws IOException {
            client.close();
        }
    }

    private void awaitHeld() throws Exception {
        Await.until("all writers are held back", () -> writers.stream().allMatch(Writer::isHeld));
    }

    @ParameterizedTest(name = "through {0}, values of {1} bytes")
    @CsvSource({"bar, 20000", "foo, 20000", "bar, 1500000", "foo, 1500000"})
    void writersWaitAndReadersDoNot(String node, int valueBytes) throws Exception {
        NodeProcess door = node.equals("foo") ? foo : bar;
        try (RespClient reader = new RespClient(door.clients())) {
            assertThat(reader.ask("HSET", "quiet", "k", "v")).isEqualTo(":1");
            disk.hold();
            for (int i = 0; i < CLIENTS; i++) {
                writers.add(new Writer(door, i, valueBytes, 6_000_000 / valueBytes));
            }
            awaitHeld();
            Duration longest = longestWait(reader);
            for (int round = 1; longest.compareTo(WAIT_MAX) > 0; round++) {
                assertThat(round).as("a reader waited for " + longest).isLessThan(ROUNDS_MAX);
                longest = longestWait(reader);
            }
            assertThat(writers).noneMatch(writer -> writer.done.isDone());
            System.out.println("SlowDiskTest: a reader waited at most " + longest.toNanos() / 1000 + " us");

            disk.release();
            for (Writer writer : writers) {
                writer.done.get(60, TimeUnit.SECONDS);
                assertThat(writer.unexpected).isEmpty();
            }
        }
        assertThat(foo.err() + bar.err()).doesNotContain("fault");
    }

    /** How long somebody waits who reads the buckets of the writers, and another one. */
    private static Duration longestWait(RespClient reader) throws IOException {
        long longestNanos = 0;
        for (int i = 0; i < 100; i++) {
            long from = System.nanoTime();
            assertThat(reader.ask("HGET", "quiet", "k")).isEqualTo("\"v\"");
            assertThat(reader.ask("HLEN", "own" + i % CLIENTS)).isIn(":0", ":1");
            longestNanos = Math.max(longestNanos, System.nanoTime() - from);
        }
        return Duration.ofNanos(longestNanos);
    }

    @Test
    void anImportWaitsWithoutALock() throws Exception {
        Path file = site.resolve("stream");
        try (RespClient reader = new RespClient(bar.clients())) {
            for (int i = 0; i < 100; i++) {
                assertThat(reader.ask("HSET", "source", "k" + i, "v".repeat(100_000)))
                        .isEqualTo(":1");
            }
            Process export = bar.command("export", "source")
                    .redirectOutput(file.toFile())
                    .start();
            assertThat(export.waitFor()).isZero();
            disk.hold();
            ProcessBuilder command = bar.command("import", "--replace", "source");
            Process running = command.redirectInput(file.toFile()).start();
            writers.add(new Writer(bar, 0, 100_000, 100));
            awaitHeld();
            for (int i = 0; i < 100; i++) {
                assertThat(reader.ask("HLEN", "source")).isEqualTo(":100");
            }
            assertThat(running.isAlive()).isTrue();
            disk.release();
            assertThat(running.waitFor()).isZero();
            assertThat(reader.ask("HLEN", "source")).isEqualTo(":100");
            assertThat(storageFact(reader, "syncs") * storageFact(reader, "sync_micros"))
                    .as("microseconds of all syncs")
                    .isGreaterThan(HELD.toNanos() / 1_000);
        }
    }

    private static long storageFact(RespClient client, String name) throws IOException {
        Matcher fact = Pattern.compile("kv_storage_" + name + ":([0-9]+)").matcher(client.ask("INFO", "persistence"));
        assertThat(fact.find()).isTrue();
        return Long.parseLong(fact.group(1));
    }

    /** Writes one after the other, until one is refused or the node ends; returns the last reply. */
    private static String writeUntilRefused(LineClient client, NumberedWrites writes) {
        String reply = "OK";
        try {
            while (reply.equals("OK")) {
                reply = writes.write(client);
            }
        } catch (IOException e) {
            // The node has ended.
        }
        return reply;
    }

    @Test
    void writesThatWaitAreRefusedWhenTheDiskFails() throws Exception {
        NumberedWrites writes = new NumberedWrites("bucket");
        try (LineClient client = bar.connect()) {
            writes.create(client);
            disk.hold();
            writers.add(new Writer(bar, 0, 20_000, 300));
            awaitHeld();
            CompletableFuture<String> refused = CompletableFuture.supplyAsync(
                    () -> writeUntilRefused(client, writes),
                    task -> Thread.ofVirtual().start(task));
            disk.fail(FSYNC, EIO);
            disk.release();
            assertThat(refused.get(20, TimeUnit.SECONDS))
                    .startsWith("ERROR ERR the disk failed (Input/output error): writes are refused until");
            disk.recover(FSYNC);
            Await.until("writes are taken", () -> writes.write(client).equals("OK"));
            writes.check(client);
        }
        writers.getFirst().done.get(20, TimeUnit.SECONDS);
        assertThat(writers.getFirst().unexpected)
                .allMatch(reply -> reply.startsWith("ERR the disk failed") || reply.startsWith("\""));
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({"TERM", "KILL"})
    void aNodeThatEndsWhileWritesWaitLosesNoneThatIsAcknowledged(Signal signal) throws Exception {
        bar.signal(Signal.TERM);
        bar.awaitEnd();
        bar.set("kv.storage.sync", signal == Signal.KILL ? "always" : "os");
        bar.start();
        List<NumberedWrites> written = new ArrayList<>();
        List<CompletableFuture<String>> ends = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            NumberedWrites writes = new NumberedWrites("numbered" + i);
            LineClient client = bar.connect();
            writes.create(client);
            for (int k = 0; k < 100; k++) {
                assertThat(writes.write(client)).isEqualTo("OK");
            }
            written.add(writes);
            ends.add(CompletableFuture.supplyAsync(
                    () -> writeUntilRefused(client, writes),
                    task -> Thread.ofVirtual().start(task)));
        }
        disk.hold();
        writers.add(new Writer(bar, 0, 20_000, 300));
        awaitHeld();
        assertThat(ends).noneMatch(CompletableFuture::isDone);
        bar.signal(signal);
        Await.until("no client is taken any more", SlowDiskTest.this::isBarClosed);
        disk.release();
        int status = bar.awaitEnd();
        if (signal == Signal.TERM) {
            assertThat(status).isZero();
        }
        for (CompletableFuture<String> end : ends) {
            assertThat(end.get(20, TimeUnit.SECONDS)).matches("OK|ERROR ERR this node stops.*|ERROR UNCERTAIN.*");
        }
        bar.start();
        try (LineClient client = bar.connect()) {
            for (NumberedWrites writes : written) {
                writes.check(client);
            }
        }
    }

    private boolean isBarClosed() throws IOException {
        try (Socket _ = new Socket(bar.clients().getAddress(), bar.clients().getPort())) {
            return false;
        } catch (ConnectException e) {
            return true;
        }
    }
}
