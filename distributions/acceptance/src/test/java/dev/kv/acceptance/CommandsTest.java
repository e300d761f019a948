package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigSyntax;
import dev.kv.acceptance.NodeProcess.Signal;
import dev.kv.acceptance.Release.Role;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The commands of {@code bin/kv}, as an operator and an operator's scripts use them. */
@Timeout(120)
class CommandsTest {
    private static final String HALVES = "a..m=foo@h,n..z=bar@h";

    private final Release release = Release.of(Role.COMBINED);
    private final List<Long> background = new ArrayList<>();

    @TempDir
    private Path site;

    private NodeProcess foo;
    private NodeProcess bar;

    @BeforeEach
    void makeNodes() throws IOException {
        foo = new NodeProcess(release, site, "foo");
        bar = new NodeProcess(release, site, "bar");
        NodeProcess.introduce(foo, bar);
    }

    @AfterEach
    void close() throws IOException {
        foo.close();
        bar.close();
        background.forEach(pid -> ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly));
    }

    /** What a command that has to succeed prints; nothing but results is there, and nothing else anywhere. */
    private static String results(Ended ended) {
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.err()).isEmpty();
        return ended.out();
    }

    /** What a command prints that has to start a node; how far the node has come is told on standard error. */
    private String started(Ended ended) {
        Matcher process = Pattern.compile("runs, process ([0-9]+)\n").matcher(ended.out());
        if (process.find()) {
            background.add(Long.valueOf(process.group(1)));
        }
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.complaints()).allMatch(line -> line.matches("foo@h: [a-z0-9: ]+"));
        return ended.out();
    }

    private static Config json(String text) {
        return ConfigFactory.parseString(text, ConfigParseOptions.defaults().setSyntax(ConfigSyntax.JSON));
    }

    // run

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
        startHalves();
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
        startHalves();
        try (LineClient client = foo.connect()) {
            assertThat(client.ask("CREATE nuts")).isEqualTo("OK");
            bar.signal(Signal.STOP);
            client.send("PUT nuts k v\r\n");
            // Clients take turns on the I/O loops: when these are answered, each loop has read what came before.
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

    private void startHalves() throws Exception {
        foo.set("kv.router.table", HALVES);
        bar.set("kv.router.table", HALVES);
        foo.start();
        bar.start();
    }

    // start, stop, restart, status

    @Test
    void aNodeIsStartedAskedAndStopped() throws Exception {
        assertThat(foo.kv("status")).isEqualTo(new Ended(3, "name   foo@h\nstate  not running\n", ""));

        String started = started(foo.kv("start"));
        assertThat(started).matches("foo@h runs, process [0-9]+\n");
        foo.converse("> CREATE x\n< OK\n");
        assertThat(started(foo.kv("start"))).isEqualTo(started.replace("runs, ", "runs already, "));

        assertThat(results(foo.kv("status")))
                .containsPattern("name +foo@h\n")
                .containsPattern("state +running\n")
                .containsPattern("role +combined\n")
                .containsPattern("clients at +127.0.0.1:" + foo.clients().getPort() + "\n")
                .containsPattern("nodes at +127.0.0.1:" + foo.nodes().getPort() + "\n")
                .containsPattern("in force since 20[0-9T:-]+Z\n")
                .contains("[*=foo@h]");

        assertThat(results(foo.kv("stop"))).isEqualTo("foo@h has stopped\n");
        assertThat(foo.kv("status").status()).isEqualTo(3);
        assertThat(results(foo.kv("stop"))).isEqualTo("foo@h is not running\n");
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
    }

    @Test
    void restartPutsAnotherProcessInPlaceOfTheOneThatRunsIfAny() throws Exception {
        assertThat(started(foo.kv("restart"))).contains("foo@h is not running\n", "foo@h runs, process ");
        long first = pid();
        // With what it could not start with, it is left alone.
        foo.set("kv.router.timeout", "never");
        assertThat(foo.kv("restart").err()).startsWith("kv: kv.router.timeout = \"never\"");
        assertThat(pid()).isEqualTo(first);

        foo.set("kv.router.timeout", "2s");
        assertThat(started(foo.kv("restart"))).contains("foo@h has stopped\n", "foo@h runs, process ");
        assertThat(pid()).isNotEqualTo(first);
        foo.converse("> CREATE x\n< OK\n");
    }

    private long pid() throws IOException {
        return json(results(foo.kv("status", "--json"))).getLong("pid");
    }

    @Test
    void whatANodeHoldsAtItsCrashKeepsNobodyFromTheNextStart() throws Exception {
        foo.start();
        foo.kill();
        assertThat(foo.folder().resolve("pid")).exists();
        assertThat(foo.folder().resolve("socket")).exists();
        assertThat(foo.kv("status").status()).isEqualTo(3);
        // Another process may have got the number meanwhile.
        Files.writeString(foo.folder().resolve("pid"), ProcessHandle.current().pid() + "\n");
        assertThat(foo.kv("status").status()).isEqualTo(3);
        assertThat(results(foo.kv("stop"))).isEqualTo("foo@h is not running\n");

        started(foo.kv("start"));
        foo.converse("> CREATE x\n< OK\n");
        assertThat(results(foo.kv("stop"))).isEqualTo("foo@h has stopped\n");
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
        started(foo.kv("start"));
        results(foo.kv("stop"));
        Path log = foo.folder().resolve("log");
        assertThat(log.resolve("kv.log")).content(UTF_8).contains("foo@h runs: ", "foo@h stops", "foo@h has stopped");
        assertThat(log.resolve("console.log")).isEmptyFile();

        started(foo.kv("start"));
        assertThat(Files.readAllLines(log.resolve("kv.log"), UTF_8))
                .filteredOn(line -> line.contains("foo@h runs: "))
                .hasSize(2);
    }

    @Test
    void aNodeInTheBackgroundSurvivesTheEndOfTheShellThatStartedIt() throws Exception {
        ProcessBuilder shell = foo.command("start");
        // The signals that a terminal sends to all that were started there, as it closes and at ctrl-C.
        shell.command()
                .addAll(0, List.of("setsid", "sh", "-c", "trap '' INT; \"$0\" \"$@\"; kill -s INT 0; kill -s HUP 0"));
        Ended ended = Ended.of(shell);
        assertThat(ended.status()).as("ended by the signal").isEqualTo(128 + 1);
        assertThat(started(new Ended(0, ended.out(), ended.err()))).startsWith("foo@h runs, process ");

        NodeProcess.signal(pid(), Signal.HUP);
        foo.converse("> CREATE x\n< OK\n");
        assertThat(results(foo.kv("stop"))).isEqualTo("foo@h has stopped\n");
    }

    // config, version, route, help

    @Test
    void everyLayerOfTheConfigurationWinsOverTheOneBelow() throws Exception {
        Release server = Release.of(Role.SERVER);
        List<String> reference = Files.readAllLines(
                Path.of(System.getProperty("kv.root"), "kv-router/src/main/resources/reference.conf"), UTF_8);
        int line = 1 + reference.indexOf("  table = \"\"");
        assertThat(table(server.kv("config", "--json"))).containsExactly("", "reference.conf: " + line);
        assertThat(table(release.kv("config", "--json", "-Dkv.node.name=foo@h")))
                .first()
                .as("config/kv.conf, which follows the name")
                .isEqualTo("*=foo@h");

        Path file = Files.writeString(site.resolve("site.conf"), "# ours\nkv.router.table = \"*=file@h\"\n");
        assertThat(table(release.kv("config", "--json", "--config", file.toString())))
                .containsExactly("*=file@h", file + ": 2");
        Map<String, String> environment = Map.of("KV_TABLE", "*=environment@h");
        assertThat(table(release.kv(environment, "config", "--json", "--config", file.toString())))
                .containsExactly("*=environment@h", "environment KV_TABLE");
        String option = "-Dkv.router.table=*=option@h";
        assertThat(table(release.kv(environment, "config", "--json", option, "--config", file.toString())))
                .containsExactly("*=option@h", "-Dkv.router.table");
        assertThat(table(release.kv(Map.of("KV_TABLE", ""), "config", "--json", "--config", file.toString())))
                .as("an empty variable")
                .containsExactly("*=file@h", file + ": 2");
    }

    /** The value of {@code kv.router.table} and its origin. */
    private static List<String> table(Ended config) {
        Config table = json(results(config)).getConfig("\"kv.router.table\"");
        return List.of(table.getString("value"), table.getString("origin"));
    }

    @Test
    void everyVariableOfTheEnvironmentSetsItsKey() {
        Map<String, String> variables = Map.of(
                "KV_NODE", "foo@h",
                "KV_DIR", "/nowhere/foo",
                "KV_TABLE", "*=bar@h",
                "KV_PEER_PORT", "1",
                "KV_COOKIE_FILE", "/nowhere/cookie",
                "KV_HOST", "127.0.0.2",
                "KV_PORT", "2");
        Config config = json(results(release.kv(variables, "config", "--json")));
        Map.of(
                        "kv.node.name", "KV_NODE",
                        "kv.node.dir", "KV_DIR",
                        "kv.router.table", "KV_TABLE",
                        "kv.router.port", "KV_PEER_PORT",
                        "kv.router.cookie-file", "KV_COOKIE_FILE",
                        "kv.server.host", "KV_HOST",
                        "kv.server.port", "KV_PORT")
                .forEach((key, variable) -> {
                    Config setting = config.getConfig("\"" + key + "\"");
                    assertThat(setting.getString("value")).isEqualTo(variables.get(variable));
                    assertThat(setting.getString("origin")).isEqualTo("environment " + variable);
                });
    }

    @Test
    void configPrintsALineForEveryKeyWithItsOrigin() {
        String config = results(release.kv("config", "-Dkv.server.port=4140", "-Dkv.node.name=foo@h"));
        assertThat(config.lines())
                .allMatch(line -> line.matches("kv\\.[a-z.-]+(\\.\"[^\"]+\")? = .+  # .+"))
                .isSorted()
                .anyMatch(line -> line.matches("kv\\.server\\.port = \"4140\" +# -Dkv\\.server\\.port"))
                .anyMatch(line -> line.matches("kv\\.node\\.dir = \"nodes/foo@h\" +# reference.conf.*"))
                .anyMatch(line -> line.matches("kv\\.storage\\.max-bytes = 0 +# reference.conf.*"));
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
    void versionTellsWhatThisIs() {
        String version = results(release.kv("version"));
        assertThat(version.lines().map(line -> line.replaceFirst(" .*", "")))
                .containsExactly("version", "commit", "role", "runtime");
        Config json = json(results(release.kv("version", "--json")));
        assertThat(json.root()).containsOnlyKeys("version", "commit", "role", "runtime");
        assertThat(json.getString("role")).isEqualTo("combined");
        assertThat(json.getString("version")).isEqualTo(System.getProperty("kv.version"));
    }

    @Test
    void statusAsJsonHasAllThatAScriptAsksFor() throws Exception {
        Ended before = foo.kv("status", "--json");
        assertThat(before.status()).isEqualTo(3);
        assertThat(json(before.out()).getString("state")).isEqualTo("not running");

        Instant start = Instant.now();
        foo.start();
        Config status = json(results(foo.kv("status", "--json")));
        assertThat(status.getString("name")).isEqualTo("foo@h");
        assertThat(status.getString("state")).isEqualTo("running");
        assertThat(status.getString("role")).isEqualTo("combined");
        assertThat(status.getLong("pid")).isEqualTo(foo.pid());
        assertThat(status.getString("addresses.clients"))
                .isEqualTo("127.0.0.1:" + foo.clients().getPort());
        assertThat(status.getString("addresses.nodes"))
                .isEqualTo("127.0.0.1:" + foo.nodes().getPort());
        assertThat(status.getString("table.text")).isEqualTo("*=foo@h");
        assertThat(Instant.parse(status.getString("table.since"))).isBetween(start.minusSeconds(1), Instant.now());
    }

    @Test
    void routeTellsEveryNodeOnTheWayAndTheEntriesThatMatch() throws Exception {
        foo.set("kv.router.table", "# who keeps what\na..m=foo@h\nshop-*=bar@h,n..q=bar@h");
        bar.set("kv.router.table", "*=bar@h");
        foo.start();
        bar.start();

        assertThat(results(foo.kv("route", "apples"))).isEqualTo("foo@h: table static, line 2, column 1: a..m=foo@h\n");
        assertThat(results(foo.kv("route", "nuts"))).isEqualTo("""
                foo@h: table static, line 3, column 14: n..q=bar@h
                bar@h: table static, line 1, column 1: *=bar@h
                """);
        assertThat(results(foo.kv("route", "shop%2Dlist"))).contains("column 1: shop-*=bar@h\n");

        Config way = json(results(foo.kv("route", "--json", "nuts")));
        assertThat(way.getConfigList("hops")).hasSize(2);
        Config hop = way.getConfigList("hops").getFirst();
        assertThat(List.of(hop.getString("node"), hop.getString("table"), hop.getString("entry")))
                .containsExactly("foo@h", "static", "n..q=bar@h");
        assertThat(List.of(hop.getInt("line"), hop.getInt("column"))).containsExactly(3, 14);

        Ended nowhere = foo.kv("route", "zucchini");
        assertThat(nowhere.status()).isEqualTo(1);
        assertThat(nowhere.complaints())
                .singleElement()
                .asString()
                .contains("NOROUTE could not find entry for \"zucchini\"");
        Ended jsonNowhere = foo.kv("route", "zucchini", "--json");
        assertThat(jsonNowhere.status()).isEqualTo(1);
        assertThat(json(jsonNowhere.out()).getString("failure.word")).isEqualTo("NOROUTE");

        bar.kill();
        Ended dead = foo.kv("route", "nuts");
        assertThat(dead.status()).isEqualTo(1);
        assertThat(dead.out()).startsWith("foo@h: table static, line 3, column 14");
        assertThat(dead.complaints()).singleElement().asString().contains("UNREACHABLE bar@h");
    }

    @Test
    void routeNeedsARunningNode() throws Exception {
        Ended route = foo.kv("route", "nuts");
        assertThat(route.status()).isEqualTo(1);
        assertThat(route.out()).isEmpty();
        assertThat(route.complaints()).containsExactly("kv: foo@h is not running in " + foo.folder());
    }

    @Test
    void helpHasAnExampleForEveryCommand() {
        String all = results(release.kv("help"));
        assertThat(all).contains("Example:");
        for (String command : List.of("run", "start", "stop", "restart", "status", "config", "version", "route")) {
            assertThat(all).containsPattern("\n +" + command + " +[A-Z]");
            assertThat(results(release.kv("help", command)))
                    .contains("Usage: kv " + command)
                    .contains("--config=FILE", "-D=KEY=VALUE")
                    .containsPattern("Example:\n  bin/kv " + command);
        }
        assertThat(results(release.kv("route", "--help"))).isEqualTo(results(release.kv("help", "route")));
    }

    // the log

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
