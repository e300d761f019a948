package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A release runs from any folder, read-only or not, and makes a cache of classes at its first start. */
@Timeout(60)
class ReleaseFolderTest {
    @Test
    void aReleaseNeedsNoJavaOfTheHost() throws IOException {
        UnpackedRelease release = UnpackedRelease.of(Role.COMBINED);
        ProcessBuilder command = release.command(Map.of(), "version");
        command.environment().clear();
        command.environment().put("PATH", "/usr/bin:/bin");
        Ended ended = Ended.of(command);
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(release.home().resolve("runtime/bin/javac")).doesNotExist();
    }

    @Test
    void aStorageHasNoPortForClients(@TempDir Path site) throws Exception {
        try (NodeProcess node = new NodeProcess(UnpackedRelease.of(Role.STORAGE), site, "foo")) {
            node.set("kv.router.table", "*=foo@h");
            node.start();
            assertThat(listeningPorts(node.pid())).containsExactly(node.nodes().getPort());
        }
    }

    /** The TCP ports on which a process listens, by its open sockets in the tables of the kernel. */
    private static List<Integer> listeningPorts(long pid) throws IOException {
        List<String> sockets = new ArrayList<>();
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + pid + "/fd"))) {
            for (Path descriptor : descriptors.toList()) {
                sockets.add(Files.readSymbolicLink(descriptor).toString());
            }
        }
        List<Integer> ports = new ArrayList<>();
        for (String table : List.of("tcp", "tcp6")) {
            for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/net/" + table), UTF_8)) {
                String[] columns = line.strip().split(" +", -1);
                if (columns[3].equals("0A") && sockets.contains("socket:[" + columns[9] + "]")) {
                    ports.add(Integer.parseInt(columns[1].substring(columns[1].indexOf(':') + 1), 16));
                }
            }
        }
        return ports;
    }

    @Test
    void aReadOnlyReleaseRunsNodesThatWriteElsewhere(@TempDir Path folder) throws Exception {
        UnpackedRelease release = UnpackedRelease.unpack(Role.COMBINED, folder);
        chmod("a-w", release.home());
        Map<String, String> before = contents(release.home());
        try (NodeProcess node = new NodeProcess(release, folder, "foo")) {
            node.start();
            assertThat(node.kv("status").status()).isZero();
            assertThat(node.kv("route", "b").status()).isZero();
            node.signal(Signal.TERM);
            assertThat(node.awaitEnd()).isZero();

            Ended start = node.kv("start");
            assertThat(start.status()).as(start.err()).isZero();
            assertThat(node.kv("restart").status()).isZero();
            assertThat(node.kv("stop").status()).isZero();
            assertThat(node.kv("config").status()).isZero();
        } finally {
            // The superuser can write all the same, so compare the contents.
            assertThat(contents(release.home())).isEqualTo(before);
            chmod("u+w", release.home());
        }
    }

    @Test
    void theFirstStartMakesACacheOfClassesThatLaterOnesUse(@TempDir Path folder) throws Exception {
        UnpackedRelease release =
                UnpackedRelease.unpack(Role.COMBINED, Files.createDirectory(folder.resolve("with blanks")));
        Path runtime = release.home().resolve("runtime");
        List<String> before = UnpackedRelease.names(runtime);
        Path cache = runtime.resolve("kv.aot");
        // As of a first start that was killed: no process has this id.
        Files.createFile(runtime.resolve("kv.aot.2147483647"));
        try (NodeProcess node = new NodeProcess(release, folder, "foo");
                AutoCloseable _ = () -> node.kv("stop")) {
            Ended first = node.kv("start");
            assertThat(first.status()).as(first.err()).isZero();
            assertThat(first.err()).startsWith("foo@h: making the cache of classes");
            assertThat(UnpackedRelease.names(runtime))
                    .hasSize(before.size() + 1)
                    .contains("kv.aot");
            assertThat(mapped(first)).contains(cache.toRealPath().toString());

            Ended second = node.kv("restart");
            assertThat(second.status()).isZero();
            assertThat(second.err()).doesNotContain("cache");
            assertThat(mapped(second)).contains(cache.toRealPath().toString());

            assertThat(node.kv("stop").status()).isZero();
            byte[] half = Files.readAllBytes(cache);
            Files.write(cache, Arrays.copyOf(half, half.length / 2));
            Ended third = node.kv("start");
            assertThat(third.status()).as(third.err()).isZero();
            assertThat(mapped(third)).doesNotContain("kv.aot");
        }
    }

    @Test
    void aStartThatIsEndedWhileItMakesTheCacheLeavesNothingBehind(@TempDir Path folder) throws Exception {
        UnpackedRelease release = UnpackedRelease.unpack(Role.COMBINED, folder);
        List<String> before = UnpackedRelease.names(release.home().resolve("runtime"));
        Process start = release.command(Map.of(), "start", "-Dkv.node.dir=" + folder.resolve("node"))
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("out").toFile())
                .start();
        Optional<ProcessHandle> trained = Optional.empty();
        Matcher files =
                Pattern.compile("-Dkv.node.dir=([^\0]*kv-aot[^\0]*)/node").matcher("");
        while (trained.isEmpty() && start.isAlive()) {
            trained = start.toHandle().children().findFirst();
            files.reset(trained.isEmpty() ? "" : commandLine(trained.get()));
            if (!files.find()) {
                trained = Optional.empty();
            }
        }
        start.destroy();

        assertThat(start.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(trained.orElseThrow().isAlive()).isFalse();
        assertThat(Path.of(files.group(1))).doesNotExist();
        assertThat(UnpackedRelease.names(release.home().resolve("runtime"))).isEqualTo(before);
    }

    private static String commandLine(ProcessHandle process) {
        try {
            return Files.readString(Path.of("/proc/" + process.pid() + "/cmdline"));
        } catch (IOException e) {
            // The process has ended since.
            return "";
        }
    }

    /** The memory map of the process that a start has started. */
    private static String mapped(Ended start) throws IOException {
        Matcher pid = Pattern.compile("process ([0-9]+)").matcher(start.out());
        assertThat(pid.find()).as(start.out()).isTrue();
        return Files.readString(Path.of("/proc/" + pid.group(1) + "/maps"));
    }

    private static void chmod(String mode, Path folder) {
        assertThat(Ended.of("chmod", "-R", mode, folder.toString()).status()).isZero();
    }

    /** Size, time and mode of each file, by path. */
    private static Map<String, String> contents(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            Map<String, String> contents = new TreeMap<>();
            for (Path file : files.toList()) {
                PosixFileAttributes attributes =
                        Files.readAttributes(file, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
                contents.put(
                        file.toString(),
                        attributes.size() + " " + attributes.lastModifiedTime() + " "
                                + PosixFilePermissions.toString(attributes.permissions()));
            }
            return contents;
        }
    }

    @Test
    void aReleaseRunsFromAFolderWithBlanksThroughSymlinksAndFromAnyDirectory(@TempDir Path folder) throws Exception {
        Path blanks = Files.createDirectory(folder.resolve("a folder  with 'blanks' & $signs"));
        UnpackedRelease release = UnpackedRelease.unpack(Role.COMBINED, blanks);
        // The cache of classes is the subject of another test, and of no use but for time.
        Path cache = Path.of("runtime/kv.aot");
        Files.copy(
                UnpackedRelease.of(Role.COMBINED).home().resolve(cache),
                release.home().resolve(cache));
        Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
        Files.createSymbolicLink(elsewhere.resolve("absolute"), release.program());
        Path relative = Files.createSymbolicLink(elsewhere.resolve("relative link"), Path.of("absolute"));
        Path folderLink = Files.createSymbolicLink(elsewhere.resolve("current"), release.home());

        for (String program : List.of("../elsewhere/" + relative.getFileName(), "./current/bin/kv")) {
            ProcessBuilder command = release.command(Map.of(), "config", "--json");
            command.command().set(0, program);
            Ended config = Ended.of(command.directory(elsewhere.toFile()));
            assertThat(config.status()).as(config.err()).isZero();
            assertThat(config.out())
                    .contains(release.home()
                            .toRealPath()
                            .resolve("config/kv.conf")
                            .toString());
        }
        ProcessBuilder inside = release.command(Map.of(), "version");
        inside.command().set(0, "./kv");
        assertThat(Ended.of(inside.directory(folderLink.resolve("bin").toFile()))
                        .status())
                .isZero();
        ProcessBuilder byPath =
                release.command(Map.of("PATH", folderLink.resolve("bin") + ":/usr/bin:/bin"), "version");
        byPath.command().addAll(0, List.of("sh", "-c", "cd / && exec kv version"));
        assertThat(Ended.of(byPath).status()).isZero();

        try (NodeProcess node = new NodeProcess(release, blanks, "foo")) {
            node.start();
            assertThat(node.kv("status").status()).isZero();
            node.signal(Signal.TERM);
            assertThat(node.awaitEnd()).isZero();
            assertThat(node.kv("start").status()).isZero();
            assertThat(node.kv("stop").status()).isZero();
        }
    }

    @Test
    void twoNodesRunFromOneFolderWithTheirOwnConfigurations(@TempDir Path site) throws Exception {
        UnpackedRelease release = UnpackedRelease.of(Role.COMBINED);
        try (NodeProcess foo = new NodeProcess(release, site, "foo");
                NodeProcess bar = new NodeProcess(release, site, "bar")) {
            foo.start();
            bar.start();
            foo.converse("> CREATE x\n> PUT x k foo\n< OK\n< OK\n");
            bar.converse("> CREATE x\n> PUT x k bar\n< OK\n< OK\n");
            foo.converse("> GET x k\n< foo\n< OK\n");

            assertThat(foo.kv("status").out()).contains("foo@h").doesNotContain("bar@h");
            assertThat(foo.kv("stop").status()).isZero();
            assertThat(foo.awaitEnd()).isZero();
            assertThat(bar.kv("status").status()).isZero();
            bar.converse("> GET x k\n< bar\n< OK\n");
        }
    }
}
