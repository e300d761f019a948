package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.NodeProcess.Signal;
import dev.kv.acceptance.Release.Role;
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
import java.util.Properties;
import java.util.TreeMap;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What lies in the tarballs, and that the folder they unpack to may lie anywhere and need not be writable. */
@Timeout(60)
class ReleaseContentsTest {
    private static final Path REPOSITORY = Path.of(System.getProperty("kv.root"));

    /** The jars without their versions. */
    private static List<String> libraries(Role role) {
        List<String> libraries = new ArrayList<>(List.of(
                "audience-annotations",
                "commons-cli",
                "commons-io",
                "config",
                "curator-client",
                "curator-framework",
                "jline",
                "kv-logging",
                "kv-router",
                "logback-classic",
                "logback-core",
                "metrics-core",
                "mina-core",
                "netty-buffer",
                "netty-codec",
                "netty-common",
                "netty-handler",
                "netty-resolver",
                "netty-transport",
                "netty-transport-classes-epoll",
                "netty-transport-native-unix-common",
                "picocli",
                "slf4j-api",
                "snappy-java",
                "zookeeper",
                "zookeeper-jute"));
        if (role != Role.SERVER) {
            libraries.add("kv");
        }
        if (role != Role.STORAGE) {
            libraries.add("kv-server");
        }
        return libraries;
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void aReleaseHoldsWhatItsRoleNeedsAndNothingElse(Role role) throws IOException {
        Path home = Release.of(role).home();

        assertThat(names(home))
                .containsExactlyInAnyOrder(
                        "LICENSE",
                        "NOTICE",
                        "README.md",
                        "RELEASE",
                        "bin",
                        "config",
                        "docs",
                        "lib",
                        "licenses",
                        "runtime");
        assertThat(names(home.resolve("bin"))).containsExactlyInAnyOrder("kv", "zkCli.sh");
        assertThat(names(home.resolve("config"))).containsExactlyInAnyOrder("jvm.options", "kv.conf");
        assertThat(names(home.resolve("lib")))
                .allMatch(name -> name.endsWith(".jar"))
                .map(name -> name.replaceFirst("-[0-9][^/]*\\.jar$", ""))
                .containsExactlyInAnyOrderElementsOf(libraries(role));
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void aServerHasNoStorageCodeAndAStorageNoDoorForClients(Role role) throws IOException {
        List<String> packages = new ArrayList<>();
        try (Stream<Path> jars = Files.list(Release.of(role).home().resolve("lib"))) {
            for (Path file : jars.toList()) {
                try (JarFile jar = new JarFile(file.toFile())) {
                    jar.stream()
                            .map(entry -> entry.getName())
                            .filter(name -> name.matches("dev/kv/[^/]+/[^/]+\\.class"))
                            .forEach(name -> packages.add(name.split("/", -1)[2]));
                }
            }
        }
        assertThat(packages).contains("router", "logging");
        assertThat(packages.contains("storage")).isEqualTo(role != Role.SERVER);
        assertThat(packages.contains("server")).isEqualTo(role != Role.STORAGE);
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void whatAnOperatorEditsAndRunsIsWhatTheRepositoryHolds(Role role) throws IOException {
        Path home = Release.of(role).home();

        assertThat(home.resolve("bin/kv")).hasSameBinaryContentAs(REPOSITORY.resolve("bin/kv"));
        assertThat(home.resolve("config/kv.conf"))
                .hasSameBinaryContentAs(REPOSITORY.resolve("config/" + role.text() + "/kv.conf"));
        assertThat(home.resolve("config/jvm.options")).hasSameBinaryContentAs(REPOSITORY.resolve("config/jvm.options"));
        assertThat(home.resolve("LICENSE")).hasSameBinaryContentAs(REPOSITORY.resolve("LICENSE"));
        assertThat(home.resolve("README.md"))
                .content(UTF_8)
                .startsWith("# kv " + System.getProperty("kv.version") + ", " + role.text() + " release")
                .doesNotContain("${");
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void everyJarComesWithItsLicenceAndItsNotices(Role role) throws IOException {
        Path home = Release.of(role).home();
        List<String> named = Files.readAllLines(home.resolve("NOTICE"), UTF_8);
        List<String> jars = names(home.resolve("lib")).stream()
                .filter(name -> !name.startsWith("kv-"))
                .map(name -> name.replaceFirst("\\.jar$", ""))
                .toList();

        for (String jar : jars) {
            Path texts = home.resolve("licenses").resolve(jar);
            assertThat(named)
                    .filteredOn(line -> line.startsWith(jar + ", "))
                    .singleElement()
                    .asString()
                    .matches(".*, (Apache-2\\.0|BSD-3-Clause|MIT|EPL-2\\.0 or LGPL-2\\.1-only): licenses/" + jar);
            assertThat(names(texts)).as(jar).anyMatch(name -> name.startsWith("LICENSE"));
            try (JarFile content =
                    new JarFile(home.resolve("lib/" + jar + ".jar").toFile())) {
                for (JarEntry own : content.stream()
                        .filter(entry -> entry.getName().matches("(META-INF/)?(LICENSE|NOTICE)[^/]*"))
                        .toList()) {
                    assertThat(texts.resolve(Path.of(own.getName()).getFileName()))
                            .hasBinaryContent(content.getInputStream(own).readAllBytes());
                }
            }
        }
        assertThat(names(home.resolve("licenses"))).allMatch(name -> name.equals("runtime") || jars.contains(name));
    }

    /** Their jars come without them. */
    @ParameterizedTest
    @CsvSource({
        "jline, LICENSE.txt, the original author",
        "logback-core, LICENSE.EPL-2.0.md, Eclipse Public License - v 2.0",
        "logback-core, LICENSE.LGPL-2.1.txt, GNU LESSER GENERAL PUBLIC LICENSE",
        "metrics-core, NOTICE, Coda Hale",
        "netty-codec, NOTICE.txt, The Netty Project",
        "slf4j-api, LICENSE.txt, QOS.ch",
        "snappy-java, LICENSE.snappy.txt, Google Inc.",
        "zookeeper, NOTICE.txt, Apache ZooKeeper",
        "config, LICENSE, Apache License"
    })
    void whatAJarLeavesOutIsThereToo(String jar, String file, String holder) throws IOException {
        Path licenses = Release.of(Role.COMBINED).home().resolve("licenses");
        String folder = names(licenses).stream()
                .filter(name -> name.matches(jar + "-[0-9].*"))
                .findFirst()
                .orElseThrow();

        assertThat(licenses.resolve(folder).resolve(file)).content(UTF_8).contains(holder);
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void everyModuleOfTheRuntimeComesWithItsLicence(Role role) throws IOException {
        Path home = Release.of(role).home();
        Properties facts = new Properties();
        facts.load(Files.newBufferedReader(home.resolve("runtime/release"), UTF_8));

        assertThat(facts.getProperty("MODULES").replace("\"", "").split(" ", -1))
                .contains("java.base")
                .allSatisfy(module -> assertThat(home.resolve("runtime/legal/" + module + "/LICENSE"))
                        .content(UTF_8)
                        .contains("GNU General Public License"));
        assertThat(home.resolve("NOTICE"))
                .content(UTF_8)
                .contains("GPL-2.0-only WITH Classpath-exception-2.0: runtime/legal");
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void theReleaseFileAndTheVersionCommandSayTheSame(Role role) throws IOException {
        Release release = Release.of(role);
        Properties facts = new Properties();
        facts.load(Files.newBufferedReader(release.home().resolve("RELEASE"), UTF_8));
        assertThat(facts)
                .containsEntry("name", "kv")
                .containsEntry("role", role.text())
                .containsEntry("version", System.getProperty("kv.version"))
                .containsEntry("platform", Role.platform());
        assertThat(facts.getProperty("commit")).matches("[0-9a-f]{40}(-dirty)?|unknown");

        Ended version = release.kv("version");
        assertThat(version.out().lines().map(line -> line.split(" +", 2)[1]))
                .containsExactly(
                        facts.getProperty("version"),
                        facts.getProperty("commit"),
                        role.text(),
                        version.out().lines().toList().getLast().split(" +", 2)[1])
                .last()
                .asString()
                .startsWith("Java " + facts.getProperty("java"));
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void aTarballTellsNothingOfItsBuilder(Role role) throws IOException {
        Ended listing =
                Ended.of("tar", "--numeric-owner", "-tvzf", role.tarball().toString());
        List<String> entries = listing.out().lines().toList();
        List<String> names = new ArrayList<>();
        List<String> times = new ArrayList<>();
        for (String entry : entries) {
            String[] columns = entry.split(" +", 6);
            boolean isLink = columns[0].startsWith("l");
            String name = isLink ? columns[5].replaceFirst(" -> .*", "") : columns[5];
            boolean isProgram = name.matches("[^/]+/(bin|runtime/bin)/[^/]+|.*/(jspawnhelper|jexec)");
            assertThat(columns[0])
                    .as(name)
                    .isEqualTo(
                            name.endsWith("/")
                                    ? "drwxr-xr-x"
                                    : isLink ? "lrw-r--r--" : isProgram ? "-rwxr-xr-x" : "-rw-r--r--");
            assertThat(columns[1]).as(name).isEqualTo("0/0");
            times.add(columns[3] + " " + columns[4]);
            names.add(name);
        }
        assertThat(names).doesNotHaveDuplicates().allMatch(name -> name.startsWith(role.folder() + "/"));
        assertThat(names).contains(role.folder() + "/", role.folder() + "/lib/", role.folder() + "/runtime/bin/java");
        assertThat(times).containsOnly(times.getFirst());
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void aReleaseIsConfiguredSoundlyAsItComes(Role role) {
        Ended config = Release.of(role).kv("config");
        assertThat(config.status()).as(config.err()).isZero();
        assertThat(config.err()).isEmpty();
    }

    @Test
    void aReleaseNeedsNoJavaOfTheHost() throws IOException {
        Release release = Release.of(Role.COMBINED);
        ProcessBuilder command = release.command(Map.of(), "version");
        command.environment().clear();
        command.environment().put("PATH", "/usr/bin:/bin");
        Ended ended = Ended.of(command);
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(release.home().resolve("runtime/bin/javac")).doesNotExist();
    }

    @Test
    void aStorageHasNoPortForClients(@TempDir Path site) throws Exception {
        try (NodeProcess node = new NodeProcess(Release.of(Role.STORAGE), site, "foo")) {
            node.set("kv.router.table", "*=foo@h");
            node.start();
            assertThat(listeningPorts(node.pid())).containsExactly(node.nodes().getPort());
        }
    }

    /** The TCP ports on which a process listens: those sockets in the tables of the kernel that it holds open. */
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
    void aReleaseThatNobodyMayWriteToServesNodesThatWriteElsewhere(@TempDir Path folder) throws Exception {
        Release release = Release.unpack(Role.COMBINED, folder);
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
            // The superuser's writes would have gone through: so look for them too.
            assertThat(contents(release.home())).isEqualTo(before);
            chmod("u+w", release.home());
        }
    }

    @Test
    void theFirstStartMakesACacheOfClassesThatLaterOnesUse(@TempDir Path folder) throws Exception {
        Release release = Release.unpack(Role.COMBINED, folder);
        Path runtime = release.home().resolve("runtime");
        List<String> before = names(runtime);
        Path cache = runtime.resolve("kv.aot");
        try (NodeProcess node = new NodeProcess(release, folder, "foo");
                AutoCloseable _ = () -> node.kv("stop")) {
            Ended first = node.kv("start");
            assertThat(first.status()).as(first.err()).isZero();
            assertThat(first.err()).startsWith("foo@h: making the cache of classes");
            assertThat(names(runtime)).hasSize(before.size() + 1).contains("kv.aot");
            assertThat(mapped(first)).contains(cache.toRealPath().toString());

            Ended second = node.kv("restart");
            assertThat(second.status()).isZero();
            assertThat(second.err()).doesNotContain("cache");
            assertThat(mapped(second)).contains(cache.toRealPath().toString());

            byte[] half = Files.readAllBytes(cache);
            Files.write(cache, Arrays.copyOf(half, half.length / 2));
            assertThat(node.kv("stop").status()).isZero();
            Ended third = node.kv("start");
            assertThat(third.status()).as(third.err()).isZero();
            assertThat(mapped(third)).doesNotContain("kv.aot");
        }
    }

    /** What the process has in its memory that a start speaks of. */
    private static String mapped(Ended start) throws IOException {
        Matcher pid = Pattern.compile("process ([0-9]+)").matcher(start.out());
        assertThat(pid.find()).as(start.out()).isTrue();
        return Files.readString(Path.of("/proc/" + pid.group(1) + "/maps"));
    }

    private static void chmod(String mode, Path folder) {
        assertThat(Ended.of("chmod", "-R", mode, folder.toString()).status()).isZero();
    }

    /** What would change if something were written, by path. */
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
        Release release = Release.unpack(Role.COMBINED, blanks);
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
    void twoNodesRunFromOneFolderEachWithAConfigurationOfItsOwn(@TempDir Path site) throws Exception {
        Release release = Release.of(Role.COMBINED);
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
