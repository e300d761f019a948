package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.TwoNodes;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The commands of {@code bin/kv} that run, start, stop and restart a node, and its log. */
@Timeout(120)
class LifeCycleCommandsTest extends TwoNodes {

    private final List<Long> background = new ArrayList<>();

    @AfterEach
    void endBackground() {
        background.forEach(pid -> ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly));
    }

    /** What a successful start prints to standard output; its progress goes to standard error. */
    private String started(Ended ended) {
        Matcher process = Pattern.compile("runs, process ([0-9]+)\n").matcher(ended.out());
        if (process.find()) {
            background.add(Long.valueOf(process.group(1)));
        }
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.complaints()).allMatch(line -> line.matches("foo@h: [a-z0-9: ]+"));
        return ended.out();
    }

    @ParameterizedTest
    @EnumSource(names = {"TERM", "INT"})
    void runStopsInOrderAtASignalAndLogsToStandardErrorAlone(Signal signal) throws Exception {
        foo.start();
        assertThat(foo.folder().resolve("pid")).hasContent(foo.pid() + "\n");
        try (LineClient client = foo.connect()) {
            assertThat(client.ask("CREATE a")).isEqualTo("OK");
            foo.signal(signal);
            assertThat(client.isClosed()).isTrue();
        }
        assertThat(foo.awaitEnd()).isZero();

        assertThat(foo.out()).isEmpty();
        assertThat(foo.err().lines())
                .hasSize(3)
                .satisfiesExactly(
                        line -> assertThat(line)
                                .contains(" INFO ")
                                .contains(
                                        "foo@h runs: combined",
                                        "127.0.0.1:" + foo.clients().getPort())
                                .contains("127.0.0.1:" + foo.nodes().getPort(), "[*=foo@h]"),
                        line -> assertThat(line).endsWith("foo@h stops"),
                        line -> assertThat(line).endsWith("foo@h has stopped"));
        assertThat(foo.folder().resolve("pid")).doesNotExist();
        assertThat(foo.folder().resolve("socket")).doesNotExist();
    }

    @Test
    void aNodeThatIsToldToStopAnswersWhatIsInFlight() throws Exception {
        foo.set("kv.router.timeout", "20s");
        NodeProcess.start(HALVES, foo, bar);
        try (LineClient client = foo.connect()) {
            assertThat(client.ask("CREATE nuts")).isEqualTo("OK");
            bar.signal(Signal.STOP);
            client.send("PUT nuts k v\r\nCREATE apples\r\nGET nuts k\r\n");
            try (LineClient another = foo.connect()) {
                Await.until(
                        "all of it was read",
                        () -> another.ask("PUT apples k v").equals("OK"));
            }
            foo.signal(Signal.TERM);
            Await.until("foo stops", () -> foo.err().contains("foo@h stops"));
            bar.signal(Signal.CONT);

            assertThat(List.of(client.line(), client.line(), client.line(), client.line()))
                    .containsExactly("OK", "OK", "v", "OK");
            assertThat(client.isClosed()).isTrue();
        }
        assertThat(foo.awaitEnd()).isZero();
    }

    @Test
    void aNodeThatIsToldToStopWaitsNoLongerThanItsDrain() throws Exception {
        foo.set("kv.router.timeout", "60s");
        foo.set("kv.node.drain", "500ms");
        NodeProcess.start(HALVES, foo, bar);
        try (LineClient client = foo.connect()) {
            assertThat(client.ask("CREATE nuts")).isEqualTo("OK");
            bar.signal(Signal.STOP);
            client.send("PUT nuts k v\r\n");
            // New clients are assigned to the I/O loops in turn: when these are answered, each loop has read the
            // request above.
            for (int i = 0; i < Runtime.getRuntime().availableProcessors(); i++) {
                try (LineClient later = foo.connect()) {
                    assertThat(later.ask("CREATE apples")).isEqualTo("OK");
                }
            }
            long start = System.nanoTime();
            foo.signal(Signal.TERM);
            assertThat(foo.awaitEnd()).isZero();
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
            assertThat(foo.err()).contains("cut off 1 client");
        }
    }

    @Test
    void aNodeIsStartedAskedAndStopped() throws Exception {
        assertThat(foo.kv("status"))
                .isEqualTo(new Ended(3, "name    foo@h\nstate   not running\nfolder  " + foo.folder() + "\n", ""));

        String started = started(foo.kv("start"));
        assertThat(started).matches("foo@h runs, process [0-9]+\n");
        foo.converse("> CREATE x\n< OK\n");
        assertThat(started(foo.kv("start")))
                .isEqualTo(started.strip().replace("runs, ", "is already running, ")
                        + ", with the configuration of its start\n");

        assertThat(foo.kv("status").succeeded().out())
                .containsPattern("name +foo@h\n")
                .containsPattern("state +running\n")
                .containsPattern("role +combined\n")
                .containsPattern("clients at +127.0.0.1:" + foo.clients().getPort() + "\n")
                .containsPattern("nodes at +127.0.0.1:" + foo.nodes().getPort() + "\n")
                .containsPattern("in force since 20[0-9T:-]+Z\n")
                .contains("[*=foo@h]");

        assertThat(foo.kv("stop").succeeded().out()).isEqualTo("foo@h has stopped\n");
        assertThat(foo.kv("status").status()).isEqualTo(3);
        assertThat(foo.kv("stop").succeeded().out()).isEqualTo("foo@h is not running\n");
    }

    @Test
    void aNodeThatHoldsAsMuchAsItMayRefusesMoreAndSaysWhatToDo() throws Exception {
        foo.set("kv.storage.max-bytes", "1KiB");
        started(foo.kv("start"));
        foo.converse("""
                > CREATE x
                < OK
                > PUT x small 1
                < OK
                """);
        try (LineClient client = LineClient.connect(foo.clients())) {
            assertThat(client.ask("PUT x large " + "v".repeat(1024)))
                    .startsWith("ERROR NOSPACE the buckets on this node take ")
                    .endsWith("raise kv.storage.max-bytes");
        }
        foo.converse("> GET x small\n< 1\n< OK\n");
        assertThat(foo.kv("status").out())
                .containsPattern("state no room: writes are refused: the buckets take [0-9]+ of at most 1024 bytes");
    }

    @Test
    void restartReplacesARunningProcessOrStartsOne() throws Exception {
        assertThat(started(foo.kv("restart"))).contains("foo@h is not running\n", "foo@h runs, process ");
        long first = pid();
        // A configuration that cannot start leaves the running node alone.
        foo.set("kv.router.timeout", "never");
        assertThat(foo.kv("restart").err()).startsWith("kv: kv.router.timeout = \"never\"");
        foo.set("kv.router.timeout", "2s");
        assertThat(foo.kv("restart", "-Dkv.storage.dir=" + site.resolve("cookie"))
                        .err())
                .startsWith("kv: kv.storage.dir = ")
                .contains("cannot be used: ");
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertThat(foo.kv("restart", "-Dkv.server.port=" + taken.getLocalPort())
                            .err())
                    .startsWith("kv: kv.server.port = ")
                    .contains("cannot listen at 127.0.0.1:" + taken.getLocalPort() + ": Address already in use");
        }
        assertThat(foo.kv("restart", "-Dkv.server.port=" + foo.nodes().getPort())
                        .err())
                .startsWith("kv: kv.server.port = ")
                .endsWith("): it is kv.router.port of this node, too\n");
        foo.setJavaOptions("-XX:Nonsense");
        assertThat(foo.kv("restart").err())
                .startsWith("kv: no JVM starts with ")
                .contains("Unrecognized VM option 'Nonsense'");
        foo.setJavaOptions("");
        for (String host : List.of("kv.router.host", "kv.server.host")) {
            // An address for documents, which no host has.
            assertThat(foo.kv("restart", "-D" + host + "=192.0.2.1").err())
                    .startsWith("kv: " + host + " = ")
                    .contains("cannot listen at 192.0.2.1:");
        }
        assertThat(pid()).isEqualTo(first);

        assertThat(started(foo.kv("restart"))).contains("foo@h has stopped\n", "foo@h runs, process ");
        assertThat(pid()).isNotEqualTo(first);
        foo.converse("> CREATE x\n< OK\n");
    }

    private long pid() throws IOException {
        return Long.parseLong(
                Files.readString(foo.folder().resolve("pid"), UTF_8).strip());
    }

    @Test
    void filesOfACrashedNodeDoNotPreventTheNextStart() throws Exception {
        foo.start();
        foo.kill();
        assertThat(foo.folder().resolve("pid")).exists();
        assertThat(foo.folder().resolve("socket")).exists();
        assertThat(foo.kv("status").status()).isEqualTo(3);
        // The number of the process may belong to another one now.
        Files.writeString(foo.folder().resolve("pid"), ProcessHandle.current().pid() + "\n");
        assertThat(foo.kv("status").status()).isEqualTo(3);
        assertThat(foo.kv("stop").succeeded().out()).isEqualTo("foo@h is not running\n");

        started(foo.kv("start"));
        assertThat(foo.folder().resolve("log/kv.log"))
                .content()
                .contains("the last run of foo@h, process "
                        + ProcessHandle.current().pid() + ", ended without a stop\n");
        foo.converse("> CREATE x\n< OK\n");
        assertThat(foo.kv("stop").succeeded().out()).isEqualTo("foo@h has stopped\n");
    }

    @Test
    void startSaysWhyANodeDoesNotStartAndFails() throws Exception {
        try (ServerSocket taken = new ServerSocket(foo.clients().getPort(), 1, InetAddress.getLoopbackAddress())) {
            Ended start = foo.kv("start");
            assertThat(start.status()).isEqualTo(1);
            assertThat(start.out()).isEmpty();
            assertThat(start.complaints())
                    .last()
                    .asString()
                    .contains("kv.server.port", "127.0.0.1:" + taken.getLocalPort(), "Address already in use");
            assertThat(foo.kv("status").status()).isEqualTo(3);
        }
        started(foo.kv("start"));
    }

    @Test
    void aNodeInTheBackgroundLogsToFilesInItsFolder() throws Exception {
        Ended open = foo.kv("start", "-Dkv.server.host=0.0.0.0");
        background.add(pid());
        String warning = "everybody who reaches 0.0.0.0:" + foo.clients().getPort()
                + " can read and write all buckets: set kv.server.password, or listen on loopback (kv.server.host)";
        assertThat(open.complaints()).last().isEqualTo("foo@h: clients: " + warning);
        foo.kv("stop").succeeded().out();
        Path log = foo.folder().resolve("log");
        assertThat(log.resolve("kv.log"))
                .content(UTF_8)
                .contains(warning, "foo@h runs: ", "foo@h stops", "foo@h has stopped");
        assertThat(log.resolve("console.log")).isEmptyFile();

        started(foo.kv("start"));
        assertThat(Files.readAllLines(log.resolve("kv.log"), UTF_8))
                .filteredOn(line -> line.contains("foo@h runs: "))
                .hasSize(2);
    }

    @Test
    void aNodeInTheBackgroundSurvivesTheEndOfTheShellThatStartedIt() throws Exception {
        ProcessBuilder shell = foo.command("start");
        // The signals that a terminal sends to its processes at ctrl-C and when it closes.
        shell.command()
                .addAll(
                        0,
                        List.of(
                                // The caller of the tests may ignore SIGHUP, as nohup does.
                                "env",
                                "--default-signal=HUP",
                                "setsid",
                                "sh",
                                "-c",
                                "trap '' INT; \"$0\" \"$@\"; kill -s INT 0; kill -s HUP 0"));
        Ended ended = Ended.of(shell);
        assertThat(ended.status()).as("ended by the signal").isEqualTo(128 + 1);
        assertThat(started(new Ended(0, ended.out(), ended.err()))).startsWith("foo@h runs, process ");

        NodeProcess.signal(pid(), Signal.HUP);
        foo.converse("> CREATE x\n< OK\n");
        assertThat(foo.kv("stop").succeeded().out()).isEqualTo("foo@h has stopped\n");
    }

    @Test
    void aConfigurationFileIsFoundFromTheDirectoryOfTheCaller() throws Exception {
        String file = site.relativize(foo.configuration()).toString();
        ProcessBuilder relative = release.command(Map.of(), "start", "--config", file);
        Ended start = Ended.of(relative.directory(site.toFile()));
        assertThat(started(start)).startsWith("foo@h runs, process ");
        foo.converse("> CREATE x\n< OK\n");
    }

    @Test
    void theLevelOfTheLogAndOfSingleLoggersIsConfigured() throws Exception {
        foo.set("kv.log.level", "warn");
        foo.start();
        foo.signal(Signal.TERM);
        assertThat(foo.awaitEnd()).isZero();
        assertThat(foo.err()).isEmpty();

        foo.set("kv.log.loggers.\"dev.kv.router.node\"", "info");
        foo.start();
        foo.signal(Signal.TERM);
        assertThat(foo.awaitEnd()).isZero();
        assertThat(foo.err()).contains("foo@h runs: ").contains("foo@h has stopped");
    }

    @Test
    void theLogOfThirdPartyPartsIsConfiguredLikeOurOwn() throws Exception {
        foo.set("kv.log.level", "off");
        String logger = "org.apache.zookeeper.ClientCnxn";
        foo.set("kv.log.loggers.\"" + logger + "\"", "warn");
        // Nobody listens there.
        foo.set("kv.router.zookeeper.connect", "127.0.0.1:1");
        foo.start();
        Await.until("ZooKeeper's client complains", () -> foo.err().contains(logger + ": "));
        assertThat(foo.err()).containsPattern("Z WARN +" + logger).doesNotContainPattern("Z [A-Z]+ +dev\\.kv\\.");
    }
}
