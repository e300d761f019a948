package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kv.router.node.NodeFolder;
import dev.kv.router.testing.Await;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/** The command line, its help, and the commands that print the configuration, the version, and the path of a request. */
class MainTest extends ReleaseInAFolder {
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            ''              | expected a command; kv --help lists them   | kv help
            help dance      | unknown command dance; kv --help lists them | kv help
            --config f status | --config stands before the command: put it behind | kv help
            -Dx=y status    | -Dx=y stands before the command: put it behind | kv help
            dance           | unknown command dance; kv --help lists them | kv help
            stauts          | unknown command stauts; did you mean status? kv --help lists them | kv help
            table sohw      | unknown command sohw; did you mean show? kv table --help lists them | kv help table
            run --loud      | unknown option --loud                      | kv help run
            route           | BUCKET is missing                          | kv help route
            route %zz       | expected %HH, two hexadecimal digits, in %zz: write % as %25 | kv help route
            table           | expected a command; kv table --help lists them | kv help table
            table wait now  | unexpected argument now                    | kv table help wait
            table show --node foo | --node foo: expected name@host       | kv table help show
            table wait --timeout soon | --timeout soon: expected a number with a unit, such as 500ms, 10s or 5m | kv table help wait
            table wait --timeout 3 | --timeout 3: expected a number with a unit, such as 500ms, 10s or 5m | kv table help wait
            zookeeper --port 70000 | --port 70000: expected a port from 0 to 65535 | kv help zookeeper
            zookeeper --port abc | --port abc: expected a port from 0 to 65535 | kv help zookeeper
            status --config | --config: FILE is missing                  | kv help status
            status --json --json | --json is given twice                 | kv help status
            status -Dfoo    | -D foo: expected KEY=VALUE                 | kv help status
            table rollback soon | soon: expected a number of the history such as 3, or a transaction such as 0x5 | kv table help rollback
            """)
    void aWrongCommandLineGetsOneLineAndAHint(String words, String message, String hint) {
        PrintStream err = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setErr(new PrintStream(printed, true, UTF_8));
        try {
            String[] all = words.isEmpty() ? new String[0] : words.split(" ");
            int status = Main.commandLine(all).execute(all);

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
                                "Usage: " + command.getCommandSpec().qualifiedName(),
                                "--config=FILE",
                                "-D=KEY=VALUE",
                                "Example:\n  bin/" + command.getCommandSpec().qualifiedName())
                        .contains(command.getCommandSpec().usageMessage().description()));
    }

    @Test
    void theConfigurationIsPrintedWithItsOrigins() throws Exception {
        Path site = home.resolve("config/kv.conf");
        Files.writeString(site, "kv.router.hops-max = 3");
        Path extra = home.resolve("extra.conf");
        Files.writeString(extra, "\nkv.router.key-max = 1KiB");

        environment.put("KV_DIRR", "d");
        Outcome lines = kv("config", "--config", "extra.conf", "-Dkv.node.drain=7s");
        environment.remove("KV_DIRR");
        assertThat(lines.status()).isZero();
        assertThat(lines.err())
                .isEqualTo("kv: the variable KV_DIRR sets no key of this release; did you mean KV_DIR?\n");
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
        assertThat(kv("--version")).isEqualTo(outcome);
    }

    @Test
    void theStatusTellsWhetherTheNodeRuns() throws Exception {
        assertThat(kv("status"))
                .isEqualTo(new Outcome(3, "name    foo@h\nstate   not running\nfolder  " + folder() + "\n", ""));
        assertThat(kv("stop")).isEqualTo(new Outcome(0, "foo@h is not running\n", ""));
        Outcome noRoute = kv("route", "x");
        assertThat(noRoute).isEqualTo(new Outcome(1, "", "kv: foo@h is not running in " + folder() + "\n"));

        Process node = run();

        Outcome outcome = kv("status");
        assertThat(outcome.status()).isZero();
        assertThat(outcome.out())
                .contains("foo@h", "running", folder().toString(), "router", "static from kv.router.table");
        Outcome json = kv("status", "--json");
        assertThat(json.status()).isZero();
        Config document = ConfigFactory.parseString(json.out());
        assertThat(document.getLong("pid")).isEqualTo(node.pid());
        assertThat(document.getString("folder")).isEqualTo(folder().toString());
    }

    @Test
    void theStatusOfANodeWithoutATableTellsWhyThereIsNone() throws Exception {
        environment.put("KV_ZOOKEEPER", "127.0.0.1:1");
        run();

        assertThat(kv("status").out())
                .contains("table      none yet: ZooKeeper at 127.0.0.1:1 has not been read\n")
                .contains("zookeeper  servers 127.0.0.1:1, state ")
                .doesNotContain("static", "[]");
        Await.until(() -> status().orElseThrow()
                .getString("parts.zookeeper.state")
                .startsWith("does not answer: no connection to a server, since "));
        assertThat(kv("status", "--json").out()).contains("\"version\" : \"none\"");
        Outcome route = kv("route", "x");
        assertThat(route.status()).isEqualTo(1);
        assertThat(route.out()).isEqualTo("foo@h: no routing table\n");
        assertThat(route.err()).startsWith("kv: NOROUTE no routing table yet: ZooKeeper at 127.0.0.1:1 ");
    }

    @Test
    void aNodeThatDoesNotAnswerIsDistinguishedFromAStoppedOne() throws Exception {
        try (NodeFolder _ = NodeFolder.hold(folder()).orElseThrow()) {
            assertThat(kv("status"))
                    .isEqualTo(new Outcome(
                            4,
                            "name    foo@h\nstate   not answering\nfolder  %1$s\nwhy     it has no socket in %1$s\n"
                                    .formatted(folder()),
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
