package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The files of the tarballs, their modes, owners and times. */
@Timeout(60)
class ReleaseContentsTest {
    private static final Path REPOSITORY = Path.of(System.getProperty("kv.root"));

    /** The names of the jars, without versions. */
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

    @ParameterizedTest
    @EnumSource(Role.class)
    void aReleaseHoldsWhatItsRoleNeedsAndNothingElse(Role role) throws IOException {
        Path home = UnpackedRelease.of(role).home();

        assertThat(UnpackedRelease.names(home))
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
        assertThat(UnpackedRelease.names(home.resolve("bin"))).containsExactlyInAnyOrder("kv", "zkCli.sh");
        assertThat(UnpackedRelease.names(home.resolve("config"))).containsExactlyInAnyOrder("jvm.options", "kv.conf");
        assertThat(UnpackedRelease.names(home.resolve("lib")))
                .allMatch(name -> name.endsWith(".jar"))
                .map(name -> name.replaceFirst("-[0-9][^/]*\\.jar$", ""))
                .containsExactlyInAnyOrderElementsOf(libraries(role));
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void aServerHasNoStorageCodeAndAStorageNoDoorForClients(Role role) throws IOException {
        List<String> packages = new ArrayList<>();
        try (Stream<Path> jars = Files.list(UnpackedRelease.of(role).home().resolve("lib"))) {
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
    @ValueSource(strings = {"backup x", "restore x", "verify", "repair", "export x", "import x"})
    void aServerReleaseSaysThatItKeepsNoData(String words) {
        assertThat(UnpackedRelease.of(Role.SERVER).kv(words.split(" ", -1)))
                .isEqualTo(
                        new Ended(
                                1,
                                "",
                                "kv: this is a server release, which keeps no data: call this in the one of a node that does\n"));
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void scriptsAndConfigurationAreThoseOfTheRepository(Role role) throws IOException {
        Path home = UnpackedRelease.of(role).home();

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
    void theReleaseFileAndTheVersionCommandSayTheSame(Role role) throws IOException {
        UnpackedRelease release = UnpackedRelease.of(role);
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
    void ownersModesAndTimesDoNotDependOnTheBuilder(Role role) throws IOException {
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
    void theShippedConfigurationIsValid(Role role) {
        Ended config = UnpackedRelease.of(role).kv("config");
        assertThat(config.status()).as(config.err()).isZero();
        assertThat(config.err()).isEmpty();
    }
}
