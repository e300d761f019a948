package dev.kv.router.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.node.Cookie;
import dev.kv.router.testing.Await;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code kv run, start, restart} and {@code stop}. */
class StartAndStopTest extends ReleaseInAFolder {
    @ParameterizedTest
    @ValueSource(strings = {"TERM", "INT"})
    void aSignalStopsARunningNodeInOrder(String signal) throws Exception {
        Process node = run();

        signal(node.pid(), signal);

        Outcome outcome = outcome(node);
        assertThat(outcome.status()).isZero();
        assertThat(outcome.out()).isEmpty();
        assertThat(folder().resolve("pid")).doesNotExist();
        assertThat(folder().resolve("socket")).doesNotExist();
    }

    @Test
    void theProcessThatWasStartedIsTheNode() throws Exception {
        Process node = run();

        assertThat(folder().resolve("pid")).hasContent(node.pid() + "\n");
    }

    @Test
    void aBadStartPrintsOneLine() throws Exception {
        Outcome outcome = kv("run", "-Dkv.router.port=70000");

        assertThat(outcome)
                .isEqualTo(new Outcome(
                        1, "", "kv: kv.router.port = \"70000\" (-Dkv.router.port): expected a port from 0 to 65535\n"));
    }

    @Test
    void aStartThatFailsLatePrintsOneLineAndEndsTheProcess() throws Exception {
        Files.createDirectories(folder());
        Cookie.readOrMake(folder().resolve("cookie"));
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            int port = taken.getLocalPort();

            Outcome outcome = kv("run", "-Dkv.router.host=127.0.0.1", "-Dkv.router.port=" + port);

            assertThat(outcome.status()).isEqualTo(1);
            assertThat(outcome.out()).isEmpty();
            assertThat(outcome.err())
                    .isEqualTo("kv: kv.router.port = \"%d\" (-Dkv.router.port): cannot listen at 127.0.0.1:%d: %s\n"
                            .formatted(port, port, "Address already in use (`ss -ltnp` shows by which process)"));
        }
    }

    @Test
    void aNodeInTheBackgroundIsStartedRestartedAndStopped() throws Exception {
        Outcome start = kv("start", "-Dkv.node.drain=1s");
        assertThat(start.status()).isZero();
        long pid = status().orElseThrow().getLong("pid");
        assertThat(start.out()).isEqualTo("foo@h runs, process " + pid + "\n");

        assertThat(kv("start"))
                .isEqualTo(new Outcome(
                        0, "foo@h is already running, process " + pid + ", with the configuration of its start\n", ""));
        assertThat(kv("start", "-Dkv.node.name=bar@h", "-Dkv.node.dir=" + folder()))
                .isEqualTo(new Outcome(
                        1,
                        "",
                        "kv: foo@h runs in %s: bar@h needs a kv.node.dir of its own, or `kv stop` there first\n"
                                .formatted(folder())));

        Files.writeString(home.resolve("RELEASE"), "version=1.0.1\n");
        Outcome restart = kv("restart");
        assertThat(restart.status()).isZero();
        assertThat(restart.err()).contains("foo@h: the release changes from version development to 1.0.1\n");
        assertThat(restart.out()).startsWith("foo@h has stopped\nfoo@h runs, process ");
        assertThat(status().orElseThrow().getLong("pid")).isNotEqualTo(pid);

        assertThat(kv("stop")).isEqualTo(new Outcome(0, "foo@h has stopped\n", ""));
        assertThat(kv("status").status()).isEqualTo(3);
    }

    @Test
    void aNodeInTheBackgroundOutlivesItsTerminal() throws Exception {
        assertThat(kv("start").status()).isZero();
        long pid = status().orElseThrow().getLong("pid");

        signal(pid, "HUP");
        signal(pid, "INT");

        assertThat(runs()).isTrue();
        signal(pid, "TERM");
        Await.until(() -> ProcessHandle.of(pid).isEmpty());
        assertThat(folder().resolve("socket")).doesNotExist();
    }

    @Test
    void aNodeThatWasKilledIsNotRunningAndStartsAgain() throws Exception {
        Process killed = run();
        killed.destroyForcibly().waitFor();
        assertThat(folder().resolve("pid")).exists();
        assertThat(folder().resolve("socket")).exists();

        Outcome status = kv("status");
        assertThat(status.status()).isEqualTo(3);
        assertThat(status.out()).endsWith("its last run, process " + killed.pid() + ", ended without a stop\n");
        assertThat(kv("start").status()).isZero();

        assertThat(kv("stop").status()).isZero();
        assertThat(kv("status").out()).doesNotContain("last run");
    }

    @Test
    void aFailedStartInTheBackgroundPrintsTheReason() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Outcome outcome = kv("start", "-Dkv.router.host=127.0.0.1", "-Dkv.router.port=" + taken.getLocalPort());

            assertThat(outcome.status()).isEqualTo(1);
            assertThat(outcome.out()).isEmpty();
            assertThat(outcome.err()).contains("kv: kv.router.port = ", "Address already in use");
        }
    }

    @Test
    void aRestartWithABadConfigurationLeavesTheNodeRunning() throws Exception {
        run();

        Outcome outcome = kv("restart", "-Dkv.router.hops-max=0");

        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.err()).startsWith("kv: kv.router.hops-max").hasLineCount(1);
        assertThat(runs()).isTrue();
    }

    @Test
    void aRestartAtATakenPortLeavesTheNodeRunning() throws Exception {
        run();
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Outcome outcome = kv("restart", "-Dkv.router.host=127.0.0.1", "-Dkv.router.port=" + taken.getLocalPort());

            assertThat(outcome.status()).isEqualTo(1);
            assertThat(outcome.out()).isEmpty();
            assertThat(outcome.err())
                    .startsWith("kv: kv.router.port = ")
                    .endsWith("cannot listen at 127.0.0.1:" + taken.getLocalPort()
                            + ": Address already in use (`ss -ltnp` shows by which process)\n")
                    .hasLineCount(1);
        }
        assertThat(runs()).isTrue();
    }

    @Test
    void aRestartWithACookieThatOthersCanReadLeavesTheNodeRunning() throws Exception {
        run();
        Path cookie = Files.writeString(home.resolve("a cookie"), "a secret of the nodes");
        Files.setPosixFilePermissions(cookie, PosixFilePermissions.fromString("rw-r--r--"));

        Outcome outcome = kv("restart", "-Dkv.router.cookie-file=" + cookie);

        assertThat(outcome)
                .isEqualTo(new Outcome(
                        1,
                        "",
                        "kv: the cookie " + cookie + " is refused: others than its owner may read it; chmod 600 it\n"));
        assertThat(runs()).isTrue();
    }

    @Test
    void aStartWithoutZooKeeperSaysSo() throws Exception {
        // Nobody listens there.
        Outcome outcome =
                kv("start", "-Dkv.router.zookeeper.connect=127.0.0.1:1", "-Dkv.router.zookeeper.start-wait=2s");

        assertThat(outcome.status()).isZero();
        assertThat(outcome.err().lines())
                .last()
                .asString()
                .matches("foo@h: zookeeper: does not answer.* requests are answered with NOROUTE until .* is read");
    }

    @Test
    void aProcessThatEndsWithoutOutputIsReported() throws Exception {
        String program = Files.readString(home.resolve("bin/kv"));
        writeProgram("[ \"$1\" = run ] && exit 7\n" + program.substring(program.indexOf('\n') + 1));

        Outcome outcome = kv("start");

        assertThat(outcome)
                .isEqualTo(new Outcome(
                        1,
                        "",
                        "kv: foo@h ended with status 7 without output: see " + folder().resolve("log/kv.log") + "\n"));
    }

    @Test
    void theOutputOfThePreviousStartIsKept() throws Exception {
        Path log = Files.createDirectories(folder().resolve("log"));
        Files.writeString(log.resolve("console.log"), "a crash\n");

        kv("start");

        assertThat(log.resolve("console.log.1")).hasContent("a crash\n");
    }
}
