package dev.kv.acceptance;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.SmallDisk;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * On a disk that is full to the last byte, whatever deletes is done, and gives room for writes again; a copy is refused as a whole. To fill the
 * disk so that the deletes have to wait takes as long as compaction takes.
 */
@Timeout(120)
@TestInstance(Lifecycle.PER_CLASS)
class DeletesOnAFullDiskTest {
    private static final int SIZE_BYTES = 7 << 20;

    /** More than what is kept for deletes. */
    private static final int FILLED_MIN_BYTES = 5 << 18;

    /** Names so long that all deletes take more room than the disk keeps for them: they have to wait for compaction. */
    private static final String NAME = "-" + "n".repeat(4_000);

    private static final String LARGE = "x".repeat(100_000);
    private static final int AHEAD = 50;
    private static final int IN_GROUP = 10;

    private SmallDisk disk;
    private NodeProcess node;
    private RespClient client;

    /** The numbers that were written. */
    private final List<Integer> written = new ArrayList<>();

    @BeforeAll
    void start(@TempDir Path site) throws Exception {
        disk = SmallDisk.mount(site.resolve("disk"), String.valueOf(SIZE_BYTES));
        node = new NodeProcess(UnpackedRelease.of(Role.COMBINED), site, "foo");
        node.set("kv.storage.dir", disk.path().resolve("data").toString());
        node.set("kv.storage.segment-max", "1MiB");
        node.start();
    }

    @AfterAll
    void end() throws IOException {
        if (node != null) {
            node.close();
        }
        if (disk != null) {
            disk.close();
        }
    }

    @BeforeEach
    void connect() throws IOException {
        client = new RespClient(node.clients());
    }

    @AfterEach
    void disconnect() throws Exception {
        client.close();
        empty();
        assertThat(node.err()).doesNotContain("fault", "ERROR");
    }

    /** The node finds by itself that there is room. */
    private void empty() throws Exception {
        disk.makeRoom();
        try (RespClient other = new RespClient(node.clients())) {
            Await.until(
                    "all is deleted",
                    () -> other.ask("FLUSHALL").equals("OK")
                            && other.ask("SET", "large", LARGE).equals("OK")
                            && other.ask("DEL", "large").equals(":1"));
        }
    }

    @ParameterizedTest(name = "{1}")
    @CsvSource(delimiter = '|', textBlock = """
            SET v-{n} x       | DEL v-{n}                            | :1
            SET v-{n} {large} | GETDEL v-{n}                         | "x
            SET v-{n} x       | EXPIRE v-{n} -1                      | :1
            SET v-{n} x       | GETEX v-{n} PXAT 1                   | "x
            SET v-{n} x       | SET v-{n} y PXAT 1                   | OK
            SET v-{n} x       | UNLINK v-{n}...                      | :{count}
            SET v-{n} x       | MULTI; DEL v-{n}...; EXEC            | OK; QUEUED; [:{count}]
            HSET b-{n} f x    | DEL b-{n}                            | :1
            HSET b-{n} f x    | PEXPIREAT b-{n} 1                    | :1
            HSET b f-{n} x    | HDEL b f-{n}...                      | :{count}
            HSET b f-{n} x    | HGETDEL b FIELDS {count} f-{n}...    | ["x
            HSET b f-{n} x    | HPEXPIRE b 0 FIELDS {count} f-{n}... | [:2
            """)
    void aCommandDeletesAndFrees(String set, String delete, String replies) throws Exception {
        fill(set);
        disk.fillToTheBrim();
        int inGroup = delete.contains("...") ? IN_GROUP : 1;
        StringBuilder requests = new StringBuilder();
        List<String> expected = new ArrayList<>();
        for (int from = 0; from < written.size(); from += inGroup) {
            List<Integer> group = written.subList(from, Math.min(written.size(), from + inGroup));
            for (String request : delete.split("; ", -1)) {
                requests.append(request(request, group));
            }
            for (String reply : replies.split("; ", -1)) {
                expected.add(reply.replace("{count}", String.valueOf(group.size())));
            }
        }
        // All in flight at once: together they take more room than there is for them.
        client.send(requests.toString());
        for (String reply : expected) {
            assertThat(client.reply()).startsWith(reply);
        }
        assertEmpty();
    }

    @Test
    void flushAllDeletesAndFrees() throws Exception {
        fill("SET v-{n} x");
        disk.fillToTheBrim();
        assertThat(client.ask("FLUSHALL")).isEqualTo("OK");
        assertEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"SET v-{n} x PXAT %d", "HSETEX b PXAT %d FIELDS 1 f-{n} x"})
    void whatExpiresFrees(String set) throws Exception {
        // It is to expire when the disk is full, and no later than needed.
        long expiry = 0;
        for (long millis = 2_000; expiry <= System.currentTimeMillis(); millis *= 2) {
            empty();
            expiry = System.currentTimeMillis() + millis;
            fill(set.formatted(expiry));
            disk.fillToTheBrim();
        }
        Await.until("all has expired", () -> client.ask("DBSIZE").equals(":0"));
        assertEmpty();
    }

    /** The first takes one record, the other is written as a hidden bucket. */
    @ParameterizedTest
    @CsvSource({"10, 1000", "1500, 100"})
    void aCopyIsThereAsAWholeOrNotAtAll(int keys, int valueBytes) throws Exception {
        List<String> source = new ArrayList<>(List.of("HSET", "source"));
        IntStream.range(0, keys).forEach(i -> source.addAll(List.of("key-" + i, "x".repeat(valueBytes))));
        assertThat(client.ask(source.toArray(String[]::new))).isEqualTo(":" + keys);
        fill("SET v-{n} x");
        disk.fillToTheBrim();
        int copies = 0;
        String reply = ":1";
        while (reply.equals(":1")) {
            copies++;
            reply = client.say("COPY source copy-" + copies);
        }
        assertThat(reply).startsWith("NOSPACE ");
        assertCopies(copies, keys);
        node.kill();
        node.start();
        client.close();
        client = new RespClient(node.clients());
        assertCopies(copies, keys);
        disk.makeRoom();
        for (int n : written) {
            client.send(request("DEL v-{n}", List.of(n)));
            assertThat(client.reply()).isEqualTo(":1");
        }
        String last = "copy-" + copies;
        Await.until("it fits", () -> client.say("COPY source " + last).equals(":1"));
        assertCopies(copies + 1, keys);
    }

    /** All copies before the last one are there. */
    private void assertCopies(int last, int keys) throws IOException {
        assertThat(client.say("EXISTS copy-" + last)).isEqualTo(":0");
        for (int i = 1; i < last; i++) {
            assertThat(client.say("HLEN copy-" + i)).isEqualTo(":" + keys);
        }
    }

    /**
     * Sends a request for each number until one is refused; again, while compaction still frees what was deleted before. If more is taken than
     * the disk has room for, some has expired.
     */
    private void fill(String set) throws Exception {
        written.clear();
        int bytes = request(set, List.of(1)).length();
        int[] next = {1};
        Await.until("there is enough", () -> {
            boolean isFull = false;
            while (!isFull && written.size() * bytes < SIZE_BYTES) {
                isFull = isRefused(set, next[0]);
                next[0] += AHEAD;
            }
            return written.size() * bytes > FILLED_MIN_BYTES;
        });
    }

    /** Sends many requests ahead; returns whether one is refused. */
    private boolean isRefused(String set, int first) throws IOException {
        List<Integer> ahead = IntStream.range(first, first + AHEAD).boxed().toList();
        client.send(ahead.stream().map(n -> request(set, List.of(n))).collect(joining()));
        boolean isRefused = false;
        for (int n : ahead) {
            String reply = client.reply();
            if (reply.startsWith("NOSPACE ")) {
                isRefused = true;
            } else {
                assertThat(reply).isIn("OK", ":1");
                written.add(n);
            }
        }
        return isRefused;
    }

    /** A request with these numbers: a word that ends with ... stands for one word for each of them. */
    private static String request(String template, List<Integer> numbers) {
        List<String> words = new ArrayList<>();
        for (String word : template.split(" ", -1)) {
            for (int n : word.endsWith("...") ? numbers : numbers.subList(0, 1)) {
                words.add(word.replace("...", "")
                        .replace("{n}", n + NAME)
                        .replace("{count}", String.valueOf(numbers.size()))
                        .replace("{large}", LARGE));
            }
        }
        return RespClient.request(words.toArray(String[]::new));
    }

    private void assertEmpty() throws Exception {
        assertThat(client.ask("DBSIZE")).isEqualTo(":0");
        Await.until(
                "there is room again", () -> client.ask("SET", "large", LARGE).equals("OK"));
    }
}
