package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code bin/demo} in a copy of the repository whose release is built, and the processes that remain after ctrl-C. */
@Timeout(180)
class DemoTest {
    private static final Path REPOSITORY = Path.of(System.getProperty("kv.root"));
    private static final int CLIENTS_PORT = 4040;
    private static final int ZOOKEEPER_PORT = 2181;

    @TempDir
    private Path clone;

    private Process demo;

    @BeforeEach
    void layOutClone() throws IOException {
        for (int port : List.of(CLIENTS_PORT, 4041, 4140, 4141, ZOOKEEPER_PORT)) {
            assumeTrue(isFree(port), "port " + port + " of the demo is in use");
        }
        for (String file : List.of("bin/demo", "bin/kv", "bin/zkCli.sh", "pom.xml", "LICENSE")) {
            Path copy = clone.resolve(file);
            Files.createDirectories(copy.getParent());
            Files.copy(REPOSITORY.resolve(file), copy, StandardCopyOption.COPY_ATTRIBUTES);
            // Older than the release, so that there is nothing to build.
            Files.setLastModifiedTime(copy, FileTime.fromMillis(0));
        }
        for (String folder : List.of("config", "kv-router", "kv", "kv-server", "distributions/target")) {
            Files.createDirectories(clone.resolve(folder));
        }
        Path tarball = Role.COMBINED.tarball();
        Files.copy(tarball, clone.resolve("distributions/target").resolve(tarball.getFileName()));
    }

    /** As a demo before this one has left it: unpacked, with the cache of classes of the first start. */
    private void unpackCluster() throws IOException {
        Path cluster = Files.createDirectories(clone.resolve("target/cluster"));
        for (String node : List.of("foo", "bar")) {
            Ended copy = Ended.of(
                    "cp",
                    "-a",
                    UnpackedRelease.of(Role.COMBINED).home().toString(),
                    cluster.resolve(node).toString());
            assertThat(copy.status()).as(copy.err()).isZero();
            Files.createFile(cluster.resolve(node + ".unpacked"));
        }
    }

    private static boolean isFree(int port) {
        try (ServerSocket _ = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    @AfterEach
    void endAll() {
        if (demo != null) {
            demo.destroyForcibly();
        }
        left().forEach(ProcessHandle::destroyForcibly);
    }

    /** The running processes of the demo. */
    private List<ProcessHandle> left() {
        return ProcessHandle.allProcesses()
                .filter(process -> process.info().commandLine().orElse("").contains(clone.toString()))
                .toList();
    }

    /** Starts it as the foreground group of a terminal of its own. */
    private void demo(String... words) throws IOException {
        ProcessBuilder command =
                new ProcessBuilder("setsid", clone.resolve("bin/demo").toString());
        command.command().addAll(List.of(words));
        // The demo must ignore the variables of other nodes.
        command.environment().put("KV_ZOOKEEPER", "127.0.0.1:1");
        command.environment().put("KV_JAVA_OPTIONS", UnpackedRelease.SHORT_LIVED);
        demo = command.redirectOutput(clone.resolve("out").toFile())
                .redirectError(clone.resolve("err").toFile())
                .start();
    }

    private String out() throws IOException {
        return Files.readString(clone.resolve("out"));
    }

    private String err() throws IOException {
        return Files.readString(clone.resolve("err"));
    }

    private void awaitLine(String line) throws Exception {
        Await.until(line, () -> {
            assertThat(demo.isAlive()).as(err()).isTrue();
            return (out() + err()).contains(line);
        });
    }

    /** Sends SIGINT to the whole process group, as a terminal does at ctrl-C, and returns the exit status. */
    private int statusAfterControlC() throws Exception {
        assertThat(Ended.of("sh", "-c", "kill -s INT -- -" + demo.pid()).status())
                .isZero();
        assertThat(demo.waitFor(60, TimeUnit.SECONDS)).as(err()).isTrue();
        return demo.exitValue();
    }

    private static LineClient connect() throws IOException {
        return LineClient.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), CLIENTS_PORT));
    }

    private Ended kv(String... words) {
        ProcessBuilder command =
                new ProcessBuilder(clone.resolve("target/cluster/foo/bin/kv").toString());
        command.command().addAll(List.of(words));
        return Ended.of(command);
    }

    @Test
    void aNodeServesClientsUntilControlC() throws Exception {
        demo();
        awaitLine("runs: combined");
        try (LineClient client = connect()) {
            assertThat(client.ask("CREATE shopping")).isEqualTo("OK");
        }

        assertThat(statusAfterControlC()).isZero();
        assertThat(err()).contains("has stopped");
        assertThat(left()).isEmpty();
    }

    @Test
    void aClusterFollowsItsTableUntilControlCEndsAllOfItInOrder() throws Exception {
        unpackCluster();
        demo("cluster");
        for (String line : List.of("ZooKeeper answers", "foo@localhost runs", "Ctrl-C here stops all.")) {
            awaitLine(line);
        }
        try (LineClient client = connect()) {
            assertThat(client.ask("CREATE shopping")).isEqualTo("OK");
        }
        assertThat(kv("route", "shopping").out()).contains("bar@localhost");
        Ended set = Ended.of(
                clone.resolve("target/cluster/foo/bin/zkCli.sh").toString(),
                "set",
                "/kv/table",
                "a..f=foo@localhost,g..z=bar@localhost");
        assertThat(set.status()).as(set.err()).isZero();
        assertThat(kv("table", "wait").out()).contains("bar@localhost  applied 0x", "foo@localhost  applied 0x");
        assertThat(kv("route", "hat").out()).contains("g..z=bar@localhost");

        assertThat(statusAfterControlC()).isZero();
        assertThat(err()).contains("foo@localhost has stopped", "bar@localhost has stopped");
        assertThat(left()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ZooKeeper answers", "foo@localhost", "foo@localhost runs"})
    void controlCWhileAClusterStartsLeavesNothingRunning(String moment) throws Exception {
        unpackCluster();
        demo("cluster");
        awaitLine("ZooKeeper answers");
        awaitLine(moment);

        assertThat(statusAfterControlC()).isZero();
        assertThat(left()).isEmpty();
    }

    @Test
    void aClusterLeavesAZooKeeperServerOfSomebodyElseAlone() throws Exception {
        try (ServerSocket _ = new ServerSocket(ZOOKEEPER_PORT, 50, InetAddress.getLoopbackAddress())) {
            demo("cluster");
            assertThat(demo.waitFor(60, TimeUnit.SECONDS)).isTrue();
        }
        assertThat(demo.exitValue()).isNotZero();
        assertThat(err()).contains("cannot listen at 127.0.0.1:2181");
        assertThat(out()).doesNotContain("runs");
        assertThat(left()).isEmpty();
    }
}
