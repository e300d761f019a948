package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.typesafe.config.Config;
import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.TwoNodes;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.server.testing.LineClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The commands of {@code bin/kv} that copy, check and repair the data of a node. */
@Timeout(120)
class DataCommandsTest extends TwoNodes {
    private static final String SHOPPING = """
            > GET shopping milk
            < 1
            < OK
            > GET shopping eggs
            < twelve-of-them
            < OK
            """;

    @BeforeEach
    void start() throws Exception {
        foo.start();
        foo.converse("""
                > CREATE shopping
                < OK
                > PUT shopping milk 1
                < OK
                > PUT shopping eggs twelve-of-them
                < OK
                """);
    }

    private void stop() throws Exception {
        foo.signal(Signal.TERM);
        assertThat(foo.awaitEnd()).isZero();
    }

    private static void assertRefused(Ended ended, String line) {
        assertThat(ended).isEqualTo(new Ended(1, "", "kv: " + line + "\n"));
    }

    private Path backup() {
        return site.resolve("a backup");
    }

    @Test
    void aBackupOfARunningNodeIsRestoredToAnother() throws Exception {
        assertThat(foo.kv("backup", backup().toString()).succeeded().out())
                .startsWith("foo@h in " + backup() + ": files: ")
                .containsPattern("verified: [1-9][0-9]* records");
        foo.converse("> PUT shopping milk 2\n< OK\n");
        Config again =
                foo.kv("backup", backup().toString(), "--json").succeeded().json();
        assertThat(again.getLong("kept")).isPositive();
        assertThat(again.getLong("records")).isPositive();
        foo.converse("> PUT shopping milk 3\n< OK\n");
        assertThat(foo.kv("verify", backup().toString()).succeeded().out()).endsWith(", damages: 0\n");

        assertThat(bar.kv("restore", backup().toString()).succeeded().out())
                .startsWith("bar@h from " + backup() + ": files: ");
        bar.start();
        bar.converse(SHOPPING.replace("< 1\n", "< 2\n"));
        foo.converse(SHOPPING.replace("< 1\n", "< 3\n"));
    }

    @Test
    void aNodeThatHangsIsNotWaitedFor() throws Exception {
        foo.signal(Signal.STOP);
        FutureTask<Ended> start = inBackground("start");
        FutureTask<Ended> stop = inBackground("stop");

        String silent = "foo@h runs in " + foo.folder() + " but does not answer: see its log; `kill -9 " + foo.pid()
                + "` ends it";
        assertRefused(foo.kv("backup", backup().toString()), silent);
        assertRefused(start.get(), silent);
        assertRefused(stop.get(), silent + "; else it stops when it answers again");
        assertThat(backup()).doesNotExist();
        foo.signal(Signal.CONT);
        assertThat(foo.awaitEnd()).isZero();
    }

    private FutureTask<Ended> inBackground(String command) {
        FutureTask<Ended> ended = new FutureTask<>(() -> foo.kv(command));
        Thread.ofVirtual().start(ended);
        return ended;
    }

    @Test
    void aStoppedNodeIsBackedUpAndRestored() throws Exception {
        stop();
        foo.kv("backup", backup().toString()).succeeded().out();
        bar.kv("restore", backup().toString()).succeeded().out();

        bar.start();
        bar.converse(SHOPPING);
    }

    @Test
    void everyRefusalIsOneLine() throws Exception {
        Path data = foo.folder().resolve("data");
        assertRefused(
                foo.kv("backup", data.resolve("x").toString()),
                "foo@h: " + data.resolve("x") + " is inside the data folder: choose one outside, best on another disk");
        assertRefused(
                foo.kv("backup", site.toString()),
                "foo@h: " + site + " is not empty, and holds no backup: choose another folder");
        String running = "foo@h runs in " + foo.folder() + ": stop it first";
        foo.kv("backup", backup().toString()).succeeded().out();
        assertRefused(foo.kv("restore", backup().toString()), running);
        assertRefused(foo.kv("verify"), running);
        assertRefused(foo.kv("repair"), running);
        assertRefused(foo.kv("restore", site.resolve("nothing").toString()), running);

        stop();
        assertRefused(
                foo.kv("restore", backup().toString()),
                data + " is not empty: move away what is there, or choose another kv.storage.dir");
        assertRefused(
                bar.kv("restore", site.resolve("nothing").toString()),
                site.resolve("nothing") + " does not exist: choose the folder of a backup");
        assertRefused(foo.kv("export", "shopping"), "foo@h is not running in " + foo.folder());
    }

    @Test
    void damageIsReportedByVerifyAndSetAsideByRepair() throws Exception {
        try (LineClient client = foo.connect()) {
            assertThat(client.ask("PUT shopping bread a-loaf-of-it")).isEqualTo("OK");
        }
        stop();
        assertThat(foo.kv("verify").succeeded().out()).endsWith(", damages: 0\n");
        Path segment = only(foo.folder().resolve("data"), ".log");
        byte[] bytes = Files.readAllBytes(segment);
        bytes[new String(bytes, ISO_8859_1).indexOf("a-loaf-of-it")] = 'X';
        Files.write(segment, bytes);
        Files.delete(only(foo.folder().resolve("data"), ".hint"));

        Ended verified = foo.kv("verify");
        assertThat(verified.status()).isEqualTo(1);
        assertThat(verified.out())
                .startsWith(segment + ": ")
                .contains(": the checksum of the field is wrong; bucket shopping, key bread\n")
                .endsWith(", damages: 1\n");
        Config document = foo.kv("verify", "--json").json();
        assertThat(document.getConfigList("damages")).singleElement().satisfies(damage -> {
            assertThat(damage.getString("file")).isEqualTo(segment.toString());
            assertThat(damage.getString("bucket")).isEqualTo("shopping");
            assertThat(damage.getString("key")).isEqualTo("bread");
        });
        Ended start = foo.kv("run");
        assertThat(start.status()).isEqualTo(1);
        assertThat(start.err()).contains("`kv repair` sets aside what is damaged");

        assertThat(foo.kv("repair").succeeded().out())
                .contains(
                        "bucket shopping, key bread\n",
                        "the damaged bytes are in " + foo.folder().resolve("data/damaged")
                                + "; values that they had replaced or deleted may be there again\n")
                .endsWith(", damages: 1\n");
        assertThat(foo.kv("verify").succeeded().out()).endsWith(", damages: 0\n");
        foo.start();
        foo.converse("""
                > GET shopping milk
                < 1
                < OK
                > GET shopping bread
                <
                < OK
                """);
    }

    /** On a terminal that script(1) makes; what the command writes to standard output goes to a file. */
    @Test
    void aTerminalShowsTheProgress() throws Exception {
        assumeTrue(Ended.of("sh", "-c", "command -v script").status() == 0, "left out: no script(1)");
        stop();
        Path out = site.resolve("report");
        for (String command : List.of("verify", "repair")) {
            String words = String.join("' '", foo.command(command).command());

            Ended ended = Ended.of("script", "-qec", "'" + words + "' > '" + out + "'", "/dev/null");

            assertThat(ended).isEqualTo(new Ended(0, "segment 1 of 1\r\n", ""));
            assertThat(out).content().endsWith(", damages: 0\n");
        }
    }

    @Test
    void aStartWithoutAMarkSaysSo() throws Exception {
        stop();
        Path mark = foo.folder().resolve("data/mark");
        Files.delete(mark);
        foo.setJavaOptions(UnpackedRelease.WITHOUT_CLASS_CACHE);

        Ended started = foo.kv("start");

        foo.kv("stop").succeeded();
        assertThat(started.status()).isZero();
        assertThat(started.err()).contains("foo@h: storage: " + mark + " was replaced: it is missing");
    }

    private static Path only(Path folder, String suffix) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> all =
                    files.filter(file -> file.toString().endsWith(suffix)).toList();
            assertThat(all).hasSize(1);
            return all.getFirst();
        }
    }

    @Test
    void aBucketIsExportedFromOneNodeAndImportedIntoAnother() throws Exception {
        bar.start();
        Path stream = site.resolve("shopping.kv");
        Ended exported = Ended.of(shell(foo.command("export", "shopping"), "\"$@\" > '" + stream + "'"));
        assertThat(exported.succeeded().out()).isEmpty();

        assertThat(imported(bar, stream, "shopping").succeeded().out()).isEqualTo("shopping: 2 keys imported\n");
        bar.converse(SHOPPING);
        assertRefused(
                imported(bar, stream, "shopping"),
                "bar@h: there is a bucket shopping already: --replace puts this one in its place");
        bar.converse("> PUT shopping milk 4\n< OK\n");
        assertThat(imported(bar, stream, "shopping", "--replace", "--json")
                        .succeeded()
                        .out())
                .containsPattern("\"keys\" : 2");
        bar.converse(SHOPPING);

        byte[] whole = Files.readAllBytes(stream);
        Files.write(stream, Arrays.copyOf(whole, whole.length - 1));
        assertRefused(
                imported(bar, stream, "shopping", "--replace"),
                "bar@h: the stream was cut short behind 2 keys: export the bucket again");
        bar.converse(SHOPPING);
        assertRefused(
                foo.kv("export", "nothing"),
                "foo@h: there is no bucket nothing on this node: `kv route` tells where it would be");
    }

    @Test
    void aKeyThatIsTooLongForTheNodeIsNotImported() throws Exception {
        bar.set("kv.router.key-max", "4");
        bar.start();
        bar.converse("> CREATE shopping\n< OK\n> PUT shopping milk 4\n< OK\n");
        foo.converse("> PUT shopping bread 1\n< OK\n");
        Path stream = site.resolve("shopping.kv");
        Ended.of(shell(foo.command("export", "shopping"), "\"$@\" > '" + stream + "'"))
                .succeeded()
                .out();

        Ended refused = imported(bar, stream, "shopping", "--replace");
        assertThat(refused.status()).isEqualTo(1);
        assertThat(refused.complaints())
                .singleElement()
                .asString()
                .endsWith(" keys: the key has 5 bytes, at most 4 are allowed (kv.router.key-max)");
        bar.converse("> GET shopping milk\n< 4\n< OK\n");
    }

    private static Ended imported(NodeProcess node, Path stream, String... words) throws IOException {
        String[] all = Stream.concat(Stream.of("import"), Stream.of(words)).toArray(String[]::new);
        return Ended.of(shell(node.command(all), "\"$@\" < '" + stream + "'"));
    }

    /** Runs the command by a shell script, whose {@code "$@"} it is. */
    private static ProcessBuilder shell(ProcessBuilder command, String script) {
        command.command().addAll(0, List.of("sh", "-c", script, "sh"));
        return command;
    }

    /** The reader of the export does not read. The node stops within its drain, and the export reports that it was cut short. */
    @Test
    void anExportInProgressDoesNotKeepANodeFromStopping() throws Exception {
        try (LineClient client = foo.connect()) {
            for (int i = 0; i < 16; i++) {
                assertThat(client.ask("PUT shopping large-" + i + " " + "v".repeat(500_000)))
                        .isEqualTo("OK");
            }
        }
        Process export = foo.command("export", "shopping").start();
        try {
            assertThat(export.getInputStream().readNBytes(8)).hasSize(8);
            stop();
            assertThat(foo.err()).doesNotContain("ERROR").contains("foo@h has stopped");
            export.getInputStream().readAllBytes();
            assertThat(export.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(export.exitValue()).isEqualTo(1);
            assertThat(new String(export.getErrorStream().readAllBytes(), ISO_8859_1))
                    .startsWith("kv: foo@h closed the connection before its answer (")
                    .contains("it no longer runs");
        } finally {
            export.destroyForcibly();
        }
    }
}
