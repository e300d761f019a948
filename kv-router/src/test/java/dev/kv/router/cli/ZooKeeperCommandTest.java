package dev.kv.router.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code kv zookeeper} and {@code bin/zkCli.sh} as processes, in a folder laid out as a release. */
@Timeout(120)
class ZooKeeperCommandTest {
    private static final Pattern ANSWERS =
            Pattern.compile("ZooKeeper answers at (127\\.0\\.0\\.1:\\d+), its data is in (.*)");

    @TempDir
    private Path home;

    private final List<Process> servers = new ArrayList<>();

    /** The outcome of a process. */
    private record Outcome(int status, String out, String err) {}

    /** A server that answers. */
    private record Server(Process process, String address) {}

    @BeforeEach
    void layOutRelease() throws IOException {
        Path bin = Files.createDirectory(home.resolve("bin"));
        for (String program : List.of("kv", "zkCli.sh")) {
            Files.copy(Path.of("../bin", program), bin.resolve(program));
        }
        Path java = Files.createDirectories(home.resolve("runtime/bin")).resolve("java");
        Files.writeString(java, "#!/bin/sh\nexec \"%s/bin/java\" \"$@\"\n".formatted(System.getProperty("java.home")));
        Files.setPosixFilePermissions(java, PosixFilePermissions.fromString("rwxr-xr-x"));
        // One jar that refers to all that this test has on its class path.
        StringBuilder classPath = new StringBuilder();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            classPath.append(Path.of(entry).toUri()).append(' ');
        }
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().put(Attributes.Name.CLASS_PATH, classPath.toString());
        Path jar = Files.createDirectory(home.resolve("lib")).resolve("all.jar");
        new JarOutputStream(Files.newOutputStream(jar), manifest).close();
    }

    @AfterEach
    void endServers() {
        servers.forEach(Process::destroyForcibly);
    }

    private ProcessBuilder kv(String... words) {
        List<String> command = new ArrayList<>(List.of(home.resolve("bin/kv").toString(), "zookeeper"));
        command.addAll(List.of(words));
        return new ProcessBuilder(command);
    }

    private Server serve(String... words) throws IOException {
        Process process =
                kv(words).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        servers.add(process);
        BufferedReader out = process.inputReader(UTF_8);
        String line = out.readLine();
        Matcher answers = ANSWERS.matcher(String.valueOf(line));
        assertThat(answers.matches()).as(line).isTrue();
        return new Server(process, answers.group(1));
    }

    /** Runs a process to its end with this text as its input. */
    private Outcome run(ProcessBuilder command, String input) throws Exception {
        Path out = home.resolve("out");
        Path err = home.resolve("err");
        Path in = Files.writeString(home.resolve("in"), input);
        Process process = command.redirectInput(in.toFile())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        return new Outcome(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    private Outcome zkCli(Server server, String input, String... words) throws Exception {
        List<String> command =
                new ArrayList<>(List.of(home.resolve("bin/zkCli.sh").toString(), "-server", server.address()));
        command.addAll(List.of(words));
        return run(new ProcessBuilder(command), input);
    }

    @Test
    void theCommandLineCreatesSetsAndPrintsATableWordByWord() throws Exception {
        Server server = serve("--port", "0");

        assertThat(zkCli(server, "", "create", "/kv").status()).isZero();
        assertThat(zkCli(server, "", "create", "/kv/table", "a..m=foo@h1,n..z=bar@h2")
                        .err())
                .isEqualTo("Created /kv/table\n");
        assertThat(zkCli(server, "", "set", "/kv/table", "a..f=foo@h1,g..z=bar@h2")
                        .err())
                .isEmpty();
        assertThat(zkCli(server, "", "get", "/kv/table").out()).endsWith("a..f=foo@h1,g..z=bar@h2\n");

        Outcome missing = zkCli(server, "", "get", "/kv/nothing");
        assertThat(missing.status()).isEqualTo(1);
        assertThat(missing.err()).startsWith("Node does not exist: /kv/nothing\n");
    }

    @Test
    void theCommandLineReadsCommandsFromItsInput() throws Exception {
        Server server = serve("--port", "0");
        Path link = Files.createSymbolicLink(home.resolve("link"), Path.of("bin/zkCli.sh"));

        Outcome outcome = run(new ProcessBuilder(link.toString(), "-server", server.address()), """
                create /kv
                create /kv/table 'a..m=foo@h1,n..z=bar@h2'
                get /kv/table
                quit
                """);

        assertThat(outcome.status()).isZero();
        assertThat(outcome.out()).contains("] a..m=foo@h1,n..z=bar@h2\n");
        assertThat(outcome.err()).isEqualTo("Created /kv\nCreated /kv/table\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"TERM", "INT"})
    void aSignalEndsTheServerWithSuccessAndItsDataStays(String signal) throws Exception {
        Path data = home.resolve("elsewhere");
        Server first = serve("--port", "0", "--data", data.toString());
        assertThat(zkCli(first, "", "create", "/kept", "text").status()).isZero();

        new ProcessBuilder(
                        "/bin/sh",
                        "-c",
                        "kill -" + signal + " " + first.process().pid())
                .start()
                .waitFor();

        assertThat(first.process().waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(first.process().exitValue()).isZero();
        Server second = serve("--port", "0", "--data", data.toString());
        assertThat(zkCli(second, "", "get", "/kept").out()).endsWith("text\n");
    }

    @Test
    void aServerThatCannotStartIsOneLine() throws Exception {
        Server server = serve("--port", "0");
        String port = server.address().substring(server.address().indexOf(':') + 1);

        assertThat(run(kv("--port", port, "--data", home.resolve("other").toString()), ""))
                .isEqualTo(new Outcome(
                        1,
                        "",
                        "kv: cannot listen at 127.0.0.1:%s: Address already in use (`ss -ltnp` shows by which process); --port names another port, --host another address\n"
                                .formatted(port)));
        assertThat(run(kv("--port", "0"), ""))
                .isEqualTo(new Outcome(
                        1,
                        "",
                        "kv: a ZooKeeper server runs in %s already (process %d): stop it, or give this one another folder with --data\n"
                                .formatted(
                                        home.resolve("zookeeper"),
                                        server.process().pid())));
        assertThat(run(kv("--data", "/dev/null/zookeeper"), "").err())
                .startsWith("kv: cannot write in /dev/null/zookeeper: ")
                .hasLineCount(1);
    }
}
