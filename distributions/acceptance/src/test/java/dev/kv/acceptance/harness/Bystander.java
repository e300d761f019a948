package dev.kv.acceptance.harness;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * A client that has to be served while strangers attack a node with a small heap, a process of its own. Afterwards the node has
 * to live, to log no error and to have its usual size. All randomness comes from a seed, which a failure prints.
 */
public final class Bystander implements AutoCloseable {
    public static final int HEAP_MIB = 256;

    /** Twice the memory that an idle JVM takes beside its heap. */
    private static final int BESIDE_HEAP_MIB = 192;

    private static final int STRANGERS_AT_ONCE = 4;
    private static final long PAUSE_MILLIS = 2;

    private final long seed = System.nanoTime();
    private final NodeProcess node;
    private final long residentMaxBytes;
    private long longestNanos;

    /** Starts the node {@code foo@h} with {@link #HEAP_MIB} of heap. */
    public Bystander(Path site) throws Exception {
        this(site, HEAP_MIB);
    }

    /** Starts the node {@code foo@h} with this heap. */
    public Bystander(Path site, int heapMib) throws Exception {
        residentMaxBytes = (heapMib + BESIDE_HEAP_MIB) * 1024L * 1024;
        node = new NodeProcess(UnpackedRelease.of(UnpackedRelease.Role.COMBINED), site, "foo");
        node.setJavaOptions("-Xmx" + heapMib + "m");
        node.set("kv.router.table", "*=foo@h");
        node.set("kv.router.timeout", "1s");
        node.start();
    }

    public NodeProcess node() {
        return node;
    }

    /** What a stranger does once. */
    @FunctionalInterface
    public interface Deed {
        void with(Random random) throws Exception;
    }

    /** Repeats the deed for this time in several threads while this client has to be served. */
    public void whileRepeating(Duration time, Deed deed) throws Exception {
        long endNanos = System.nanoTime() + time.toNanos();
        List<Callable<Void>> strangers = new ArrayList<>();
        for (int i = 0; i < STRANGERS_AT_ONCE; i++) {
            Random random = new Random(seed + i);
            strangers.add(() -> {
                while (System.nanoTime() < endNanos) {
                    deed.with(random);
                }
                return null;
            });
        }
        during(strangers);
    }

    /** Runs the deed once while this client has to be served. */
    public void during(Callable<Void> deed) throws Exception {
        during(List.of(deed));
    }

    private void during(List<Callable<Void>> deeds) throws Exception {
        try (ExecutorService threads =
                        Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory());
                LineClient client = node.connect()) {
            assertThat(client.ask("CREATE witness")).isEqualTo("OK");
            List<Future<Void>> done = deeds.stream().map(threads::submit).toList();
            int round = 0;
            do {
                long start = System.nanoTime();
                assertServed(client, round++);
                longestNanos = Math.max(longestNanos, System.nanoTime() - start);
                TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
            } while (done.stream().anyMatch(deed -> !deed.isDone()));
            for (Future<Void> deed : done) {
                deed.get();
            }
            assertServed(client, round);
            try (LineClient late = node.connect()) {
                assertServed(late, round + 1);
            }
        } catch (IOException | ExecutionException e) {
            throw new AssertionError("seed " + seed + ", alive: " + node.isAlive() + ", log: " + node.err(), e);
        }
        assertThat(node.residentBytes()).as("memory, seed %d", seed).isLessThan(residentMaxBytes);
        assertThat(node.err()).as("log, seed %d", seed).doesNotContain("ERROR").doesNotContain("fault in");
    }

    /** The longest time in which this client was served. */
    public Duration longestWait() {
        return Duration.ofNanos(longestNanos);
    }

    /** Writes a number to the bucket {@code witness}, which exists, and reads it. */
    public static void assertServed(LineClient client, int round) throws IOException {
        client.send("PUT witness k " + round + "\r\nGET witness k\r\n");
        assertThat(List.of(client.line(), client.line(), client.line())).containsExactly("OK", "" + round, "OK");
    }

    @Override
    public void close() throws IOException {
        node.close();
    }
}
