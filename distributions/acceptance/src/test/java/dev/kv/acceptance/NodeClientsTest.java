package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.acceptance.harness.RedisServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** ioredis and node-redis at a combined node and at a server node. */
@Timeout(150)
final class NodeClientsTest {
    private static final Path SCRIPTS =
            Path.of(System.getProperty("kv.root"), "distributions/acceptance/src/test/node");

    @TempDir
    private static Path folder;

    private static Cluster cluster;

    @BeforeAll
    static void start() throws Exception {
        for (String program : List.of("node", "npm")) {
            Assumptions.assumeTrue(
                    RedisServer.isInstalled(program),
                    "no " + program + " is installed (Debian's packages nodejs, npm)");
        }
        for (String file : List.of("package.json", "package-lock.json", "clients.mjs")) {
            Files.copy(SCRIPTS.resolve(file), folder.resolve(file));
        }
        Ended install = run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund");
        Assumptions.assumeTrue(install.code() == 0, "npm cannot fetch ioredis and node-redis: " + install.output());
        cluster = Cluster.withFront(folder.resolve("nodes"));
    }

    @AfterAll
    static void close() {
        if (cluster != null) {
            cluster.close();
        }
    }

    private record Ended(int code, String output) {}

    private static Ended run(String... command) throws IOException, InterruptedException {
        Path output = folder.resolve("output");
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        boolean hasEnded = process.waitFor(60, TimeUnit.SECONDS);
        if (!hasEnded) {
            process.destroyForcibly();
        }
        return new Ended(hasEnded ? process.exitValue() : -1, Files.readString(output, UTF_8));
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void theClientsOfRedisForNodeWork(String node) throws Exception {
        Ended ended = run(
                "node",
                "clients.mjs",
                Integer.toString(cluster.node(node).clients().getPort()));
        assertThat(ended.code()).as(ended.output()).isZero();
    }
}
