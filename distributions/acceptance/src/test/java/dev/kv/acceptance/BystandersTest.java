package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.MeasuresTime;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.server.testing.RespClient;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** How long other clients wait while one client runs a command on a large bucket. */
@Timeout(600)
@MeasuresTime
class BystandersTest {
    /** A busy machine adds to each wait. Run by the thread that serves all clients, these commands took 0.3 to 12 s. */
    private static final Duration WAIT_MAX = Duration.ofMillis(500);

    private static final Duration WAIT_ONCE_MAX = Duration.ofSeconds(2);
    private static final int ATTEMPTS_MAX = 5;
    private static final int KEYS_AT_ONCE = 500;

    @TempDir
    private Path site;

    private NodeProcess foo;

    @BeforeEach
    void start() throws Exception {
        foo = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "foo");
        foo.setJavaOptions("");
        foo.start();
    }

    @AfterEach
    void close() throws Exception {
        foo.close();
    }

    @Test
    void nobodyWaitsForACommandOnALargeBucket() throws Exception {
        assertNobodyWaits(300_000);
    }

    @Test
    @Tag("soak")
    void nobodyWaitsForACommandOnAVeryLargeBucket() throws Exception {
        assertNobodyWaits(3_000_000);
    }

    private static String[] words(String command, int count, IntFunction<String> word) {
        String[] words = new String[count + 2];
        words[0] = command;
        words[1] = "huge";
        for (int i = 0; i < count; i++) {
            words[i + 2] = word.apply(i);
        }
        return words;
    }

    private void fill(int keys) throws Exception {
        try (RespClient client = new RespClient(foo.clients())) {
            assertThat(client.ask("HSET", "other", "k", "v")).isEqualTo(":1");
            for (int first = 0; first < keys; first += KEYS_AT_ONCE) {
                int from = first;
                assertThat(client.ask(words(
                                "HSET", 2 * KEYS_AT_ONCE, i -> i % 2 == 0 ? "key" + (from + i / 2) : "value" + i)))
                        .isEqualTo(":" + KEYS_AT_ONCE);
            }
        }
    }

    private void assertNobodyWaits(int keys) throws Exception {
        fill(keys);
        assertNobodyWaits(true, "HRANDFIELD", "huge", "-200000");
        assertNobodyWaits(true, "HRANDFIELD", "huge", "" + keys / 3);
        assertNobodyWaits(true, "HGETALL", "huge");
        assertNobodyWaits(true, "HKEYS", "huge");
        assertNobodyWaits(true, "HSCAN", "huge", "0", "COUNT", "" + keys);
        assertNobodyWaits(true, words("HMGET", keys / 3, i -> "key" + i));
        assertNobodyWaits(false, words("HSET", keys / 3, i -> i % 2 == 0 ? "key" + i : "changed"));
        assertNobodyWaits(false, words("HDEL", keys / 3, i -> "key" + (keys - i)));
        assertNobodyWaits(false, words("EXISTS", keys / 3, i -> "name" + i));
        assertNobodyWaits(false, "KEYS", "*");
        // Of these two the first attempt counts: nothing is left to repeat them with.
        assertThat(waits(false, "RENAME", "huge", "renamed").others()).isLessThan(WAIT_ONCE_MAX);
        assertThat(waits(false, "DEL", "renamed").others()).isLessThan(WAIT_ONCE_MAX);
        try (RespClient client = new RespClient(foo.clients())) {
            assertThat(client.ask("EXISTS", "huge", "renamed", "other")).isEqualTo(":1");
        }
    }

    @Test
    void nobodyWaitsForALongPattern() throws Exception {
        fill(KEYS_AT_ONCE);
        try (RespClient client = new RespClient(foo.clients())) {
            for (int i = 0; i < 40; i++) {
                String name = "a".repeat(60_000) + i;
                assertThat(client.ask("HSET", "long", name, "v")).isEqualTo(":1");
                assertThat(client.ask("HSET", name, "k", "v")).isEqualTo(":1");
            }
            assertThat(client.ask("HSCAN", "long", "0", "MATCH", "*".repeat(1025)))
                    .startsWith("TOOLARGE the pattern has 1025 bytes");
        }
        String pattern = "*" + "a".repeat(1_000) + "b";
        assertNobodyWaits(true, "HSCAN", "long", "0", "MATCH", pattern, "COUNT", "1000");
        assertNobodyWaits(true, "SCAN", "0", "MATCH", pattern, "COUNT", "1000");
        assertNobodyWaits(true, "KEYS", pattern);
    }

    /**
     * Has one client send the request, and others go on meanwhile. A pause of the machine lengthens a wait by chance: the request is
     * repeated then.
     *
     * @param isRead whether the request leaves its bucket as it is: then clients of that bucket do not wait either. Else they wait
     *     until all of the change is in force, and no longer
     */
    private void assertNobodyWaits(boolean isRead, String... request) throws Exception {
        List<Waits> all = new ArrayList<>();
        do {
            all.add(waits(isRead, request));
        } while (!all.getLast().areShort() && all.size() < ATTEMPTS_MAX);
        assertThat(all).as("waits during %s", request[0]).anyMatch(Waits::areShort);
    }

    /**
     * The longest waits during one request.
     *
     * @param ofBucketMax what clients of the bucket may wait
     */
    private record Waits(Duration others, Duration ofBucket, Duration ofBucketMax) {
        boolean areShort() {
            return others.compareTo(WAIT_MAX) < 0 && ofBucket.compareTo(ofBucketMax) < 0;
        }
    }

    private Waits waits(boolean isRead, String... request) throws Exception {
        AtomicBoolean isDone = new AtomicBoolean();
        try (ExecutorService threads = Executors.newCachedThreadPool();
                RespClient client = new RespClient(foo.clients())) {
            assertThat(client.ask("PING")).isEqualTo("PONG");
            List<Future<Duration>> others = new ArrayList<>();
            others.add(threads.submit(() -> longestWait(isDone, "HGET", "other", "k")));
            others.add(threads.submit(() -> longestWait(isDone, "HSET", "other", "k", "v")));
            List<Future<Duration>> ofBucket = new ArrayList<>();
            ofBucket.add(threads.submit(() -> longestWait(isDone, "HGET", "huge", "key1")));
            if (isRead) {
                ofBucket.add(threads.submit(() -> longestWait(isDone, "HSET", "huge", "key2", "v")));
            }
            long start = System.nanoTime();
            try {
                assertThat(client.ask(request)).doesNotStartWith("ERR");
            } finally {
                isDone.set(true);
            }
            Duration took = Duration.ofNanos(System.nanoTime() - start);
            return new Waits(longest(others), longest(ofBucket), isRead ? WAIT_MAX : took.plus(WAIT_MAX));
        }
    }

    private static Duration longest(List<Future<Duration>> waits) throws Exception {
        Duration longest = Duration.ZERO;
        for (Future<Duration> wait : waits) {
            longest = wait.get().compareTo(longest) > 0 ? wait.get() : longest;
        }
        return longest;
    }

    private Duration longestWait(AtomicBoolean isDone, String... request) throws Exception {
        long longest = 0;
        try (RespClient client = new RespClient(foo.clients())) {
            do {
                long from = System.nanoTime();
                assertThat(client.ask(request)).doesNotStartWith("ERR");
                longest = Math.max(longest, System.nanoTime() - from);
            } while (!isDone.get());
        }
        return Duration.ofNanos(longest);
    }
}
