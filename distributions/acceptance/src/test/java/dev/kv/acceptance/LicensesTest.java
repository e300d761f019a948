package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The licences and notices that a tarball holds for each jar and for the Java runtime. */
@Timeout(60)
class LicensesTest {
    /** A licence or notice in a jar, wherever it lies. */
    private static final Pattern TEXT =
            Pattern.compile("(?i)(.*/)?(LICEN[SC]E|NOTICE|COPYING|COPYRIGHT)[^/]*(?<!\\.class)");

    @ParameterizedTest
    @EnumSource(Role.class)
    void everyJarComesWithItsLicenceAndItsNotices(Role role) throws IOException {
        Path home = UnpackedRelease.of(role).home();
        List<String> named = Files.readAllLines(home.resolve("NOTICE"), UTF_8);
        List<String> jars = UnpackedRelease.names(home.resolve("lib")).stream()
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
            assertThat(UnpackedRelease.names(texts)).as(jar).anyMatch(name -> name.startsWith("LICENSE"));
            try (JarFile content =
                    new JarFile(home.resolve("lib/" + jar + ".jar").toFile())) {
                for (JarEntry own : content.stream()
                        .filter(entry -> TEXT.matcher(entry.getName()).matches())
                        .toList()) {
                    assertThat(texts.resolve(Path.of(own.getName()).getFileName()))
                            .hasBinaryContent(content.getInputStream(own).readAllBytes());
                }
            }
        }
        assertThat(UnpackedRelease.names(home.resolve("licenses")))
                .allMatch(name -> name.equals("runtime") || jars.contains(name));
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void whatAJarContainsOfOthersIsNamedWithIt(Role role) throws IOException {
        Path home = UnpackedRelease.of(role).home();
        String notice = Files.readString(home.resolve("NOTICE"), UTF_8);

        assertThat(notice)
                .containsPattern("\ncurator-client-.*\n  it contains Guava, Apache-2\\.0\n")
                .containsPattern("\nnetty-common-.*\n  it contains JCTools, Apache-2\\.0\n");
        for (String jar : UnpackedRelease.names(home.resolve("lib"))) {
            try (JarFile content = new JarFile(home.resolve("lib/" + jar).toFile())) {
                if (content.stream().anyMatch(entry -> entry.getName().contains("/shaded/"))) {
                    assertThat(notice)
                            .containsPattern(
                                    "\n" + Pattern.quote(jar.replaceFirst("\\.jar$", "")) + ",.*\n  it contains ");
                }
            }
        }
    }

    /** Texts that the jars themselves do not contain. */
    @ParameterizedTest
    @CsvSource({
        "jline, LICENSE.txt, the original author",
        "logback-core, LICENSE.EPL-2.0.md, Eclipse Public License - v 2.0",
        "logback-core, LICENSE.LGPL-2.1.txt, GNU LESSER GENERAL PUBLIC LICENSE",
        "metrics-core, NOTICE, Coda Hale",
        "netty-codec, NOTICE.txt, The Netty Project",
        "netty-codec, LICENSE.protobuf.txt, Google Inc.",
        "netty-common, LICENSE.slf4j.txt, QOS.ch",
        "slf4j-api, LICENSE.txt, QOS.ch",
        "snappy-java, LICENSE.snappy.txt, Google Inc.",
        "zookeeper, NOTICE.txt, Apache ZooKeeper",
        "config, LICENSE, Apache License"
    })
    void textsThatAJarDoesNotContainAreThere(String jar, String file, String holder) throws IOException {
        Path licenses = UnpackedRelease.of(Role.COMBINED).home().resolve("licenses");
        String folder = UnpackedRelease.names(licenses).stream()
                .filter(name -> name.matches(jar + "-[0-9].*"))
                .findFirst()
                .orElseThrow();

        assertThat(licenses.resolve(folder).resolve(file)).content(UTF_8).contains(holder);
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void everyModuleOfTheRuntimeComesWithItsLicence(Role role) throws IOException {
        Path home = UnpackedRelease.of(role).home();
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
}
