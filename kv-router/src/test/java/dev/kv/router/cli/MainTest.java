package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kv.router.admin.LocalClient;
import dev.kv.router.node.Cookie;
import dev.kv.router.node.NodeFolder;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** The commands as processes, in a folder laid out as a release. */
@Timeout(120)
class MainTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    @TempDir
    private Path home;

    private final Map<String, String> environment = new HashMap<>(Map.of("KV_NODE", "foo@h", "KV_PEER_PORT", "0"));
    private final List<Process> processes = new ArrayList<>();

    /** The outcome of a command. */
    private record Outcome(int status, String out, String err) {}

    @BeforeEach
    void layOutRelease() throws IOException {
        String java = Path.of(System.getProperty("java.home"), "bin/java").toString();
        writeProgram("""
                exec "%s" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dkv.home="%s" -cp "%s" %s "$@"
                """.formatted(java, home, System.getProperty("java.class.path"), Main.class.getName()));
        Files.createDirectory(home.resolve("config"));
    }

    private void writeProgram(String script) throws IOException {
        Path program = home.resolve("bin/kv");
        Files.createDirectories(program.getParent());
        Files.writeString(program, "#!/bin/sh\n" + script);
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    @AfterEach
    void endProcesses() {
        processes.forEach(Process::destroyForcibly);
        status().flatMap(answer -> ProcessHandle.of(answer.getLong("pid"))).ifPresent(ProcessHandle::destroyForcibly);
    }

    private Process spawn(String... words) throws IOException {
        List<String> command = new ArrayList<>(List.of(home.resolve("bin/kv").toString()));
        command.addAll(List.of(words));
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(home.toFile())
                .redirectOutput(printed(processes.size(), "out").toFile())
                .redirectError(printed(processes.size(), "err").toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("KV_"));
        builder.environment().putAll(environment);
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    private Outcome outcome(Process process) throws IOException, InterruptedException {
        assertThat(process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
        int number = processes.indexOf(process);
        return new Outcome(
                process.exitValue(),
                Files.readString(printed(number, "out"), UTF_8),
                Files.readString(printed(number, "err"), UTF_8));
    }

    /** The output of the process with this id. */
    private Path printed(int number, String stream) {
        return home.resolve(stream + number);
    }

    private Outcome kv(String... words) throws IOException, InterruptedException {
        return outcome(spawn(words));
    }

    private Path folder() {
        return home.resolve("nodes/foo@h");
    }

    private Optional<Config> status() {
        return LocalClient.ask(folder(), "status", LIMIT).document();
    }

    private boolean runs() {
        return status().filter(answer -> answer.getString("state").equals("running"))
                .isPresent();
    }

    private static void await(BooleanSupplier condition) {
        long deadlineNanos = System.nanoTime() + LIMIT.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).isLessThan(deadlineNanos);
            LockSupport.parkNanos(10_000_000);
        }
    }

    private static void signal(long pid, String name) throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("/bin/sh", "-c", "kill -%s %d".formatted(name, pid)).start();
        assertThat(kill.waitFor()).isZero();
    }

    private Process run() throws IOException {
        Process process = spawn("run");
        await(this::runs);
        return process;
    }

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
                            .formatted(port, port, "Address already in use"));
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            ''              | Missing required subcommand                | kv help
            dance           | Unmatched argument at index 0: 'dance'     | kv help
            run --loud      | Unknown option: '--loud'                   | kv help run
            route           | Missing required parameter: 'BUCKET'       | kv help route
            route %zz       | expected %HH, two hexadecimal digits, in %zz | kv help route
            table           | Missing required subcommand                | kv help table
            table wait now  | Unmatched argument at index 2: 'now'       | kv table help wait
            table show --node foo | --node foo: expected name@host       | kv table help show
            table wait --timeout soon | --timeout soon: expected a duration such as 30s | kv table help wait
            zookeeper --port 70000 | --port 70000: expected a port from 0 to 65535 | kv help zookeeper
            status --config | Missing required parameter for option '--config' (FILE) | kv help status
            """)
    void aWrongCommandLineGetsOneLineAndAHint(String words, String message, String hint) {
        PrintStream err = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setErr(new PrintStream(printed, true, UTF_8));
        try {
            int status = Main.commandLine().execute(words.isEmpty() ? new String[0] : words.split(" "));

            assertThat(status).isEqualTo(2);
            assertThat(printed.toString(UTF_8)).isEqualTo("kv: " + message + "\nTry: " + hint + "\n");
        } finally {
            System.setErr(err);
        }
    }

    @Test
    void everyCommandHasHelpWithAnExample() {
        CommandLine kv = Main.commandLine();

        assertThat(kv.getSubcommands().keySet())
                .containsExactlyInAnyOrder(
                        "run",
                        "start",
                        "stop",
                        "restart",
                        "status",
                        "config",
                        "version",
                        "route",
                        "table",
                        "nodes",
                        "zookeeper",
                        "backup",
                        "restore",
                        "verify",
                        "repair",
                        "export",
                        "import",
                        "help");
        CommandLine table = kv.getSubcommands().get("table");
        assertThat(table.getSubcommands().keySet())
                .containsExactlyInAnyOrder("check", "show", "set", "wait", "history", "rollback", "help");
        assertThat(table.getUsageMessage()).contains("Example:\n  bin/kv table");
        Stream.concat(
                        kv.getSubcommands().values().stream().filter(command -> !command.equals(table)),
                        table.getSubcommands().values().stream())
                .filter(command -> !command.getCommandName().equals("help"))
                .forEach(command -> assertThat(command.getUsageMessage())
                        .contains(
                                "--config",
                                "-D",
                                "Example:\n  bin/" + command.getCommandSpec().qualifiedName())
                        .contains(command.getCommandSpec().usageMessage().description()));
    }

    @Test
    void theConfigurationIsPrintedWithItsOrigins() throws Exception {
        Path site = home.resolve("config/kv.conf");
        Files.writeString(site, "kv.router.hops-max = 3");
        Path extra = home.resolve("extra.conf");
        Files.writeString(extra, "\nkv.router.key-max = 1KiB");

        Outcome lines = kv("config", "--config", "extra.conf", "-Dkv.node.drain=7s");
        assertThat(lines.status()).isZero();
        assertThat(lines.err()).isEmpty();
        assertThat(lines.out().replaceAll(" +", " ").lines())
                .contains(
                        "kv.node.drain = \"7s\" # -Dkv.node.drain",
                        "kv.node.name = \"foo@h\" # environment KV_NODE",
                        "kv.router.hops-max = 3 # " + site + ": 1",
                        "kv.router.key-max = \"1KiB\" # extra.conf: 2");

        Outcome json = kv("config", "--json");
        assertThat(json.err()).isEmpty();
        Config document = ConfigFactory.parseString(json.out());
        assertThat(document.root().get("kv.router.hops-max").unwrapped())
                .isEqualTo(Map.of("value", 3, "origin", site + ": 1"));
    }

    @Test
    void aConfigurationThatCouldNotStartIsPrintedAndRefused() throws Exception {
        Outcome outcome = kv("config", "-Dkv.router.hops-max=0");

        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.out()).contains("kv.router.hops-max = \"0\"");
        assertThat(outcome.err()).startsWith("kv: kv.router.hops-max = \"0\"").hasLineCount(1);
    }

    @Test
    void theVersionIsThatOfTheRelease() throws Exception {
        Files.writeString(home.resolve("RELEASE"), "role=server\nversion=1.2.3\ncommit=0123abc\n");

        Outcome outcome = kv("version");

        assertThat(outcome.status()).isZero();
        assertThat(outcome.out().lines())
                .containsExactly(
                        "version  1.2.3", "commit   0123abc", "role     router", "runtime  Java " + Runtime.version());
        assertThat(ConfigFactory.parseString(kv("version", "--json").out()).getString("commit"))
                .isEqualTo("0123abc");
    }

    @Test
    void theStatusTellsWhetherTheNodeRuns() throws Exception {
        assertThat(kv("status")).isEqualTo(new Outcome(3, "name   foo@h\nstate  not running\n", ""));
        assertThat(kv("stop")).isEqualTo(new Outcome(0, "foo@h is not running\n", ""));
        Outcome noRoute = kv("route", "x");
        assertThat(noRoute).isEqualTo(new Outcome(1, "", "kv: foo@h is not running in " + folder() + "\n"));

        Process node = run();

        Outcome outcome = kv("status");
        assertThat(outcome.status()).isZero();
        assertThat(outcome.out()).contains("foo@h", "running", "router", "static from kv.router.table");
        Outcome json = kv("status", "--json");
        assertThat(json.status()).isZero();
        assertThat(ConfigFactory.parseString(json.out()).getLong("pid")).isEqualTo(node.pid());
    }

    @Test
    void theStatusOfANodeWithoutATableTellsWhyThereIsNone() throws Exception {
        environment.put("KV_ZOOKEEPER", "127.0.0.1:1");
        run();

        assertThat(kv("status").out())
                .contains("table      none yet: ZooKeeper at 127.0.0.1:1 has not been read\n")
                .contains("zookeeper  servers 127.0.0.1:1, state ")
                .doesNotContain("static", "[]");
        await(() -> status().orElseThrow()
                .getString("parts.zookeeper.state")
                .startsWith("does not answer: CONNECTIONLOSS, since "));
        assertThat(kv("status", "--json").out()).contains("\"version\" : \"none\"");
    }

    @Test
    void aNodeThatDoesNotAnswerIsDistinguishedFromAStoppedOne() throws Exception {
        try (NodeFolder _ = NodeFolder.hold(folder()).orElseThrow()) {
            assertThat(kv("status"))
                    .isEqualTo(new Outcome(
                            4,
                            "name   foo@h\nstate  not answering\nwhy    it has no socket in %s\n".formatted(folder()),
                            ""));

            Outcome stop = kv("stop");
            assertThat(stop.status()).isEqualTo(1);
            assertThat(stop.err())
                    .isEqualTo(
                            "kv: foo@h runs in %s but has no socket there, as at the begin of a start and the end of a stop: try again; where that stays so, `kill %d` stops it\n"
                                    .formatted(folder(), ProcessHandle.current().pid()));
        }
    }

    @Test
    void aNodeInTheBackgroundIsStartedRestartedAndStopped() throws Exception {
        Outcome start = kv("start", "-Dkv.node.drain=1s");
        assertThat(start.status()).isZero();
        long pid = status().orElseThrow().getLong("pid");
        assertThat(start.out()).isEqualTo("foo@h runs, process " + pid + "\n");

        assertThat(kv("start")).isEqualTo(new Outcome(0, "foo@h is already running, process " + pid + "\n", ""));

        Outcome restart = kv("restart");
        assertThat(restart.status()).isZero();
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
        await(() -> ProcessHandle.of(pid).isEmpty());
        assertThat(folder().resolve("socket")).doesNotExist();
    }

    @Test
    void aNodeThatWasKilledIsNotRunningAndStartsAgain() throws Exception {
        run().destroyForcibly().waitFor();
        assertThat(folder().resolve("pid")).exists();
        assertThat(folder().resolve("socket")).exists();

        assertThat(kv("status").status()).isEqualTo(3);
        assertThat(kv("start").status()).isZero();
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

    @Test
    void thePathOfARequestIsPrintedHopByHop() throws Exception {
        Files.writeString(home.resolve("config/kv.conf"), """
                kv.router.table = "a..m=bar@h,n..y=baz@h"
                kv.router.peers { "bar@h" = "127.0.0.1:1" }
                """);
        run();

        Outcome down = kv("route", "a%20b");
        assertThat(down.status()).isEqualTo(1);
        assertThat(down.out()).isEqualTo("foo@h: table static, line 1, column 1: a..m=bar@h\n");
        assertThat(down.err()).startsWith("kv: UNREACHABLE bar@h").hasLineCount(1);

        Outcome none = kv("route", "zebra");
        assertThat(none.status()).isEqualTo(1);
        assertThat(none.out()).isEqualTo("foo@h: table static, no entry matches\n");
        assertThat(none.err()).startsWith("kv: NOROUTE could not find entry for \"zebra\" in table [");

        Outcome json = kv("route", "--json", "zebra");
        assertThat(json.status()).isEqualTo(1);
        assertThat(ConfigFactory.parseString(json.out()).getString("failure.word"))
                .isEqualTo("NOROUTE");
    }

    @Test
    void aBucketMayBeNamedLikeAFileOfArgumentsOrAnOption() throws Exception {
        run();

        assertThat(kv("route", "@nowhere").err()).contains("could not find entry for \"@nowhere\"");
        assertThat(kv("route", "--", "--json").err()).contains("could not find entry for \"--json\"");
    }
}
