package dev.kv.router.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.config.Settings.Setting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LayersTest {
    @TempDir
    private Path home;

    private Path site;
    private Path extra;

    @BeforeEach
    void makeFiles() throws IOException {
        site = Files.createDirectory(home.resolve("config")).resolve("kv.conf");
        extra = home.resolve("extra.conf");
    }

    @Test
    void eachLayerOverridesThoseBelowIt() throws IOException {
        Files.writeString(site, "kv.router { port = 1, hops-max = 1, timeout = 1s, table = \"a=x@h\" }");
        Files.writeString(extra, "kv.router { port = 2, hops-max = 2, table = \"b=x@h\" }");
        Map<String, String> environment = Map.of("KV_PEER_PORT", "3", "KV_TABLE", "c=x@h");

        Settings settings =
                new Layers(home, Optional.of(extra), environment, Map.of("kv.router.table", "d=x@h")).load();

        assertThat(settings.text("kv.router.table")).isEqualTo("d=x@h");
        assertThat(settings.port("kv.router.port")).isEqualTo(3);
        assertThat(settings.count("kv.router.hops-max", 1, 64)).isEqualTo(2);
        assertThat(settings.text("kv.router.timeout")).isEqualTo("1s");
        assertThat(settings.text("kv.router.reconnect-max")).isEqualTo("1s");
        assertThat(settings.all())
                .contains(
                        new Setting("kv.router.table", "d=x@h", "-Dkv.router.table"),
                        new Setting("kv.router.port", "3", "environment KV_PEER_PORT"),
                        new Setting("kv.router.hops-max", 2, extra + ": 1"),
                        new Setting("kv.router.timeout", "1s", site + ": 1"))
                .anySatisfy(setting -> {
                    assertThat(setting.key()).isEqualTo("kv.router.reconnect-max");
                    assertThat(setting.origin()).matches("reference\\.conf: \\d+");
                });
    }

    @Test
    void substitutionsSeeTheResultOfAllLayers() throws IOException {
        Files.writeString(site, "kv.router.table = \"*=\"${kv.node.name}");

        Settings settings = Layers.of(home, Map.of("kv.node.name", "foo@h")).load();

        assertThat(settings.text("kv.router.table")).isEqualTo("*=foo@h");
        assertThat(settings.path("kv.router.cookie-file")).isEqualTo(home.resolve("nodes/foo@h/cookie"));
        assertThat(settings.all()).contains(new Setting("kv.router.table", "*=foo@h", site + ": 1, -Dkv.node.name"));
    }

    @Test
    void anEmptyVariableCountsAsUnset() throws IOException {
        Files.writeString(site, "kv.node.name = \"foo@h\"");

        assertThat(new Layers(home, Optional.empty(), Map.of("KV_NODE", ""), Map.of())
                        .load()
                        .text("kv.node.name"))
                .isEqualTo("foo@h");
    }

    @Test
    void anEmptyOverrideIsAnEmptyText() throws IOException {
        Files.writeString(site, "kv.router.table = \"*=foo@h\"");

        assertThat(Layers.of(home, Map.of("kv.router.table", "")).load().text("kv.router.table"))
                .isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            KV_NODE        | kv.node.name
            KV_DIR         | kv.node.dir
            KV_TABLE       | kv.router.table
            KV_PEER_PORT   | kv.router.port
            KV_COOKIE_FILE | kv.router.cookie-file
            """)
    void aVariableOfTheEnvironmentSetsAKey(String variable, String key) {
        Layers layers = new Layers(home, Optional.empty(), Map.of(variable, "8"), Map.of());

        assertThat(layers.load().text(key)).isEqualTo("8");
    }

    @Test
    void settingsOfAModuleThatIsAbsentAreLeftOut() throws IOException {
        Files.writeString(site, "kv.server { port = nonsense }, kv.storage.dir = ${kv.node.dir}\"/d\"");

        Settings settings = new Layers(home, Optional.empty(), Map.of("KV_PORT", "1", "KV_DATA", "d"), Map.of()).load();

        assertThat(settings.ignored()).containsExactly("kv.server", "kv.storage");
        assertThat(settings.all()).noneMatch(setting -> setting.key().startsWith("kv.server."));
        assertThat(Layers.of(home.resolve("elsewhere"), Map.of()).load().ignored())
                .isEmpty();
    }

    @Test
    void variablesOfAModuleThatIsAbsentSetNothing() {
        Settings settings = new Layers(home, Optional.empty(), Map.of("KV_PORT", "1", "KV_DATA", "d"), Map.of()).load();

        assertThat(settings.ignored()).isEmpty();
    }

    @Test
    void textThatIsNotHoconIsReportedWithoutTheLibrarysAdviceToRenameTheFile() throws IOException {
        Files.writeString(site, "kv.router.port = = 3");

        assertThatThrownBy(() -> Layers.of(home, Map.of()).load())
                .isInstanceOf(BadStart.class)
                .hasMessageContaining(site + ": 1: ")
                .hasMessageContaining("double quotes")
                .hasMessageNotContaining(".properties");
    }

    @Test
    void aBraceThatIsNotClosedIsReported() throws IOException {
        Files.writeString(site, "kv.router {\n  port = 4041\n");

        assertThatThrownBy(() -> Layers.of(home, Map.of()).load())
                .isInstanceOf(BadStart.class)
                .hasMessage(site + ": 3: expected } before the end of the file");
    }

    @Test
    void aVariableThatSetsNothingIsNamedWithTheOneThatWasProbablyMeant() {
        Map<String, String> environment =
                Map.of("KV_NODE", "foo@h", "KV_NODES", "x", "KV_JAVA_OPTIONS", "-Xmx1g", "KV_QQ", "1", "KV_ZZ", "");

        assertThat(new Layers(home, Optional.empty(), environment, Map.of()).idleVariables())
                .containsExactly(
                        "the variable KV_NODES sets no key of this release; did you mean KV_NODE?",
                        "the variable KV_QQ sets no key of this release");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            kv.router.prot = 4041            | kv.router.prot = 4041 (FILE: 2): no such key; did you mean kv.router.port?
            kv.rooter.port = 4041            | kv.rooter.port = 4041 (FILE: 2): no such key; did you mean kv.router.port?
            colour = blue                    | colour = "blue" (FILE: 2): no such key
            router.port = 4041               | router.port = 4041 (FILE: 2): no such key; did you mean kv.router.port?
            kv.router = 4041                 | kv.router = 4041 (FILE: 2): this is a section with keys of its own
            kv.router.peers = "a@h"          | kv.router.peers = "a@h" (FILE: 2): this is a section with keys of its own
            kv.router.port = [4041]          | kv.router.port = [4041] (FILE: 2): expected a single value
            kv.router.port = {}              | kv.router.port = {} (FILE: 2): expected a single value
            kv.router.port = null            | kv.router.port = null (FILE: 2): expected a single value
            kv.router.port { x = 1 }         | kv.router.port.x = 1 (FILE: 2): no such key; did you mean kv.router.port?
            kv.log.loggers { a.b = off }     | kv.log.loggers.a.b = "off" (FILE: 2): put what follows kv.log.loggers in quotes: it is one name
            """)
    void aKeyThatIsUnknownOrHasNoSingleValueEndsTheStart(String line, String message) throws IOException {
        Files.writeString(site, "# the first line\n" + line);

        assertThatThrownBy(() -> Layers.of(home, Map.of()).load())
                .isInstanceOf(BadStart.class)
                .hasMessage(message.replace("FILE", site.toString()));
    }

    @Test
    void anUnknownKeyOfTheCommandLineEndsTheStart() {
        assertThatThrownBy(() -> Layers.of(home, Map.of("java.io.tmpdir", "/x")).load())
                .isInstanceOf(BadStart.class)
                .hasMessage("java.io.tmpdir = \"/x\" (-Djava.io.tmpdir): no such key");
    }

    @ParameterizedTest
    @ValueSource(strings = {"kv.router.peers.a@h", "", "kv..node"})
    void aMalformedKeyOfTheCommandLineEndsTheStart(String key) {
        assertThatThrownBy(() -> Layers.of(home, Map.of(key, "1")).load())
                .isInstanceOf(BadStart.class)
                .hasMessage(
                        "-D" + key + ": this is no key, which is words with dots between them; put a part with other"
                                + " characters in quotes, as in '-Dkv.router.peers.\"foo@red\"=red:4141'");
    }

    @Test
    void aFileThatDoesNotExistEndsTheStart() {
        assertThatThrownBy(() -> new Layers(home, Optional.of(extra), Map.of(), Map.of()).load())
                .isInstanceOf(BadStart.class)
                .hasMessage("cannot read the configuration: " + extra + " (No such file or directory)");
    }

    @Test
    void anUnreadableFileIsNotTreatedAsMissing() throws IOException {
        Files.createDirectory(site);

        assertThatThrownBy(() -> Layers.of(home, Map.of()).load())
                .isInstanceOf(BadStart.class)
                .hasMessage("cannot read the configuration: " + site + " (Is a directory)");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "kv.node {",
                "kv.node.name = ${nobody}",
                "kv.node.name = foo@h",
                "kv.node.dir = ${kv.node.dir}/x/${"
            })
    void aMalformedFileEndsTheStartWithOneLine(String text) throws IOException {
        Files.writeString(site, text);

        assertThatThrownBy(() -> Layers.of(home, Map.of()).load())
                .isInstanceOf(BadStart.class)
                .message()
                .startsWith(site + ": 1: ")
                .doesNotContain("\n");
    }
}
