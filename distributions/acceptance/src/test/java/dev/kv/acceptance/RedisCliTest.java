package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.acceptance.harness.RedisServer;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** redis-cli and redis-benchmark at a combined node and at a server node. */
@Timeout(60)
final class RedisCliTest {
    private static Cluster cluster;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        for (String program : List.of("redis-cli", "redis-benchmark")) {
            Assumptions.assumeTrue(
                    RedisServer.isInstalled(program), "no " + program + " is installed (Debian's package redis-tools)");
        }
        cluster = Cluster.withFront(folder.resolve("nodes"));
    }

    @AfterAll
    static void close() {
        if (cluster != null) {
            cluster.close();
        }
    }

    private static String run(String node, String program, String... arguments) throws Exception {
        return runWith("", node, program, arguments);
    }

    /** Runs a program with this text as its standard input, and returns what it prints. */
    private static String runWith(String input, String node, String program, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                program, "-p", Integer.toString(cluster.node(node).clients().getPort())));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try (OutputStream in = process.getOutputStream()) {
            in.write(input.getBytes(UTF_8));
        }
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
        return output;
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void valuesOfRedisCliAreReadByTheLineProtocol(String node) throws Exception {
        run(node, "redis-cli", "del", "shopping", "apples");
        assertThat(run(node, "redis-cli", "hset", "shopping", "milk", "1")).isEqualTo("1\n");
        assertThat(run(node, "redis-cli", "hset", "apples", "red", "3")).isEqualTo("1\n");
        try (LineClient lines = cluster.node(node).connect()) {
            assertThat(lines.ask("GET shopping milk")).isEqualTo("1");
            assertThat(lines.line()).isEqualTo("OK");
        }
        assertThat(run(node, "redis-cli", "-3", "--no-raw", "hgetall", "shopping"))
                .isEqualTo("1# \"milk\" => \"1\"\n");
        assertThat(run(node, "redis-cli", "--scan").lines()).containsExactlyInAnyOrder("shopping", "apples");
        assertThat(run(node, "redis-cli", "lpush", "a", "b"))
                .startsWith("ERR unknown command 'lpush', with args beginning with: 'a' 'b'");
        assertThat(run(node, "redis-cli", "info", "keyspace")).contains("# Keyspace");
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void redisCliFindsTheLargestKeysOfBothKinds(String node) throws Exception {
        run(node, "redis-cli", "hset", "melons", "a", "1", "b", "2");
        run(node, "redis-cli", "mset", "apple", "red", "zebra", "striped");

        assertThat(run(node, "redis-cli", "--bigkeys"))
                .contains("Biggest string found '\"zebra\"' has 7 bytes")
                .contains("Biggest   hash found '\"melons\"' has 2 fields")
                .doesNotContain("ERR");
        assertThat(run(node, "redis-cli", "--memkeys"))
                .contains("Biggest   hash found '\"melons\"'")
                .doesNotContain("ERR");
        assertThat(run(node, "redis-cli", "--scan").lines()).contains("melons", "apple", "zebra");
        assertThat(run(node, "redis-cli", "del", "melons", "apple", "zebra")).isEqualTo("3\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void redisCliSetsWhatExpires(String node) throws Exception {
        assertThat(run(node, "redis-cli", "set", "session:1", "x", "ex", "60")).isEqualTo("OK\n");
        assertThat(run(node, "redis-cli", "ttl", "session:1")).matches("([345][0-9]|60)\n");
        assertThat(run(node, "redis-cli", "flushall")).isEqualTo("OK\n");
        assertThat(run(node, "redis-cli", "ttl", "session:1")).isEqualTo("-2\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void theBenchmarksOfRedisForValuesRun(String node) throws Exception {
        String output =
                run(node, "redis-benchmark", "--csv", "-t", "set,get,incr,mset", "-n", "5000", "-P", "16", "-r", "100");

        assertThat(output)
                .contains("\"SET\"", "\"GET\"", "\"INCR\"", "\"MSET (10 keys)\"")
                .doesNotContain("ERR")
                .doesNotContain("Error");
        List<String> drop = new ArrayList<>(List.of("del", "counter:__rand_int__"));
        drop.addAll(run(node, "redis-cli", "--scan").lines().toList());
        run(node, "redis-cli", drop.toArray(String[]::new));
        assertThat(run(node, "redis-cli", "dbsize")).isEqualTo("0\n");
    }

    @Test
    void redisCliAtThePortForNodesIsToldTheRightOne() throws Exception {
        String port = Integer.toString(cluster.node("foo").nodes().getPort());

        assertThat(run("foo", "redis-cli", "-p", port, "ping"))
                .startsWith(
                        "ERR this port is for other nodes of kv (kv.router.port); clients connect to the port kv.server.port");
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void redisCliLoadsRequestsThroughAPipe(String node) throws Exception {
        String requests = "*4\r\n$4\r\nHSET\r\n$4\r\npipe\r\n$1\r\nk\r\n$1\r\nv\r\n".repeat(1000);
        assertThat(runWith(requests, node, "redis-cli", "--pipe")).endsWith("errors: 0, replies: 1000\n");
        run(node, "redis-cli", "del", "pipe");
    }

    /** It sends SYNC as a line, and waits for a reply of Redis's protocol. */
    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void redisCliIsToldThatItCannotCopyTheData(String node, @TempDir Path folder) throws Exception {
        assertThat(run(node, "redis-cli", "--rdb", folder.resolve("dump.rdb").toString()))
                .contains("ERR unknown command 'SYNC'");
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void redisBenchmarkRuns(String node) throws Exception {
        String output = run(
                node,
                "redis-benchmark",
                "--csv",
                "-n",
                "20000",
                "-P",
                "16",
                "-r",
                "100",
                "HSET",
                "bench:__rand_int__",
                "field",
                "value");
        assertThat(output).contains("\"rps\"").doesNotContain("ERR").doesNotContain("Error");
        assertThat(run(node, "redis-cli", "dbsize")).isNotEqualTo("0\n");
        List<String> drop = new ArrayList<>(List.of("del"));
        drop.addAll(run(node, "redis-cli", "keys", "bench:*").lines().toList());
        assertThat(run(node, "redis-cli", drop.toArray(String[]::new))).isEqualTo(drop.size() - 1 + "\n");
    }
}
