package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.NodeProcess;
import dev.kv.acceptance.harness.NodeProcess.Signal;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Failed starts: one line on standard error names the fault and where it is. */
@Timeout(60)
class BadStartsTest {
    private final UnpackedRelease combined = UnpackedRelease.of(Role.COMBINED);

    @TempDir
    private Path site;

    /** The line on standard error of a start that has failed. */
    private static String complaint(Ended ended) {
        assertThat(ended.status()).as(ended.err()).isEqualTo(1);
        assertThat(ended.out()).isEmpty();
        assertThat(ended.complaints()).hasSize(1);
        assertThat(ended.err()).startsWith("kv: ");
        return ended.complaints().getFirst().substring("kv: ".length());
    }

    private Path file(String text) throws IOException {
        return Files.writeString(site.resolve("site.conf"), text, UTF_8);
    }

    private String complaintAbout(Path file) {
        return complaint(combined.kv("run", "--config", file.toString(), "-Dkv.node.dir=" + site.resolve("node")));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "kv.server.port | 70000 | expected a port from 0 to 65535",
                "kv.router.port | \"-1\" | expected a port from 0 to 65535",
                "kv.router.timeout | 0 | expected a duration from 50ms to 1h",
                "kv.router.timeout | \"soon\" | expected a duration from 50ms to 1h",
                "kv.router.hops-max | \"many\" | expected a whole number from 1 to 64",
                "kv.log.level | \"loud\" | expected one of trace, debug, info, warn, error, off",
                "kv.router.timout | \"5s\" | no such key; did you mean kv.router.timeout?",
                "kv.router.patience | \"5s\" | this key is now kv.router.timeout",
                "kv.nonsense | true | no such key",
                "kv.node.drain | [1,2] | expected a single value",
                "kv.node.name | \"foo\" | expected name@host",
                "kv.node.name | \"a b@h\" | expected name@host",
                "kv.router.table | \"m..a=foo@h\" | line 1, column 1: expected a range from a lower byte to a higher one",
            })
    void anInvalidValueIsReportedWithItsKeyFileAndLine(String key, String value, String why) throws IOException {
        Path file = file("# a line before\n" + key + " = " + value + "\n");
        assertThat(complaintAbout(file)).startsWith(key + " = " + value + " (" + file + ": 2): " + why);
    }

    @Test
    void anInvalidValueOfTheCommandLineOrTheEnvironmentIsReportedWithItsOrigin() {
        assertThat(complaint(combined.kv("run", "-Dkv.server.port=70000")))
                .isEqualTo("kv.server.port = \"70000\" (-Dkv.server.port): expected a port from 0 to 65535");
        assertThat(complaint(combined.kv(Map.of("KV_PORT", "http"), "run")))
                .isEqualTo("kv.server.port = \"http\" (environment KV_PORT): expected a port from 0 to 65535");
    }

    @Test
    void textThatIsNotHoconIsReportedWithFileAndLine() throws IOException {
        Path file = file("kv.node.name = \"foo@h\"\nkv.router {\n  timeout = 5s\n");
        assertThat(complaintAbout(file)).contains(file.toString()).containsPattern(": [34]: ");
    }

    @Test
    void aMalformedTableIsReportedWithLineAndColumn() throws IOException {
        Path file = file("kv.router.table = \"\"\"\n  # who keeps what\n  a..m=foo@h\n  n..z=bar\n\"\"\"\n");
        assertThat(complaintAbout(file))
                .startsWith("kv.router.table = ")
                .contains(file.toString())
                .contains("line 4, column 11: expected @ and a host");
    }

    @Test
    void aMissingConfigurationFileIsReported() {
        Path file = site.resolve("nowhere.conf");
        assertThat(complaintAbout(file)).contains(file + " (No such file or directory)");
    }

    @Test
    void aPortInUseIsReported() throws Exception {
        NodeProcess node = node();
        assertNamesPort(node, "kv.server.port", node.clients());
        assertNamesPort(node, "kv.router.port", node.nodes());
        assertThat(complaint(node.kv("run", "-Dkv.server.port=" + node.nodes().getPort())))
                .endsWith("(-Dkv.server.port): it is kv.router.port of this node, too");
    }

    private static void assertNamesPort(NodeProcess node, String key, InetSocketAddress address) throws IOException {
        try (ServerSocket taken = new ServerSocket(address.getPort(), 1, InetAddress.getLoopbackAddress())) {
            assertThat(complaint(node.kv("run")))
                    .startsWith(key + " = \"" + taken.getLocalPort() + "\" (" + node.configuration() + ": ")
                    .endsWith("cannot listen at 127.0.0.1:" + taken.getLocalPort()
                            + ": Address already in use (`ss -ltnp` shows by which process)");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "rw-r-----, a secret, others than its owner may read it",
        "rw----r--, a secret, others than its owner may read it",
        "rw-------, '', it has no bytes",
        "rw-------, '  ', it has no bytes",
    })
    void aCookieThatOthersCanReadOrThatIsEmptyIsRefused(String mode, String content, String why) throws Exception {
        Path cookie = cookie(mode, content);
        assertThat(complaint(node().kv("run"))).startsWith("the cookie " + cookie + " is refused: " + why);
    }

    private Path cookie(String mode, String content) throws IOException {
        Path cookie = Files.writeString(site.resolve("cookie"), content, UTF_8);
        return Files.setPosixFilePermissions(cookie, PosixFilePermissions.fromString(mode));
    }

    private NodeProcess node() throws IOException {
        return new NodeProcess(combined, site, "foo");
    }

    @Test
    void aCookieHas255BytesAtMost() throws Exception {
        Path cookie = cookie("rw-------", "c".repeat(256) + "\n");
        assertThat(complaint(node().kv("run")))
                .startsWith("the cookie " + cookie + " is refused: it has too many bytes, expected 1 to 255");

        cookie("rw-------", "c".repeat(255) + "\n");
        try (NodeProcess node = node()) {
            node.start();
        }
    }

    @Test
    void aShortCookieIsLoggedAndAMissingOneIsCreated() throws Exception {
        cookie("rw-------", "short");
        try (NodeProcess node = node()) {
            node.start();
            assertThat(node.err()).containsPattern("WARN .*" + site.resolve("cookie") + " has only 5 bytes");
        }
        Path made = site.resolve("made");
        try (NodeProcess node = node()) {
            node.set("kv.router.cookie-file", made.toString());
            node.start();
            assertThat(node.err()).containsPattern("WARN .*" + made + ": every node needs the same file");
        }
        assertThat(made).content(UTF_8).matches("[0-9a-f]{64}\n");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(made)))
                .isEqualTo("rw-------");
    }

    @Test
    void aSecondNodeInAFolderIsRefusedAndTheFirstKeepsRunning() throws Exception {
        try (NodeProcess first = node();
                NodeProcess second = new NodeProcess(combined, site, "bar")) {
            first.start();
            second.set("kv.node.dir", first.folder().toString());
            assertThat(complaint(second.kv("run")))
                    .startsWith("a node runs in " + first.folder() + " already (process " + first.pid() + ")");
            first.converse("> CREATE x\n< OK\n");
            assertThat(first.kv("status").status()).isZero();
            first.signal(Signal.TERM);
            assertThat(first.awaitEnd()).isZero();
        }
    }

    @Test
    void aFolderThatCannotBeCreatedIsReported() throws Exception {
        Path file = Files.createFile(site.resolve("a-file"));
        NodeProcess node = node();
        node.set("kv.node.dir", file.resolve("node").toString());
        assertThat(complaint(node.kv("run"))).startsWith("kv.node.dir = \"" + file.resolve("node") + "\" (");
    }

    @Test
    void aServerDoesNotStartWithATableThatSendsBucketsToItself() throws Exception {
        NodeProcess server = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "front");
        server.set("kv.router.table", "a=foo@h,*=front@h");
        assertThat(complaint(server.kv("run")))
                .startsWith("kv.router.table = \"a=foo@h,*=front@h\" (" + server.configuration() + ": ")
                .endsWith("line 1, column 9: front@h is this node, which keeps no data (server release)");
    }

    @Test
    void keysOfModulesThatAReleaseLacksAreIgnoredAndLogged() throws Exception {
        try (NodeProcess storage = new NodeProcess(UnpackedRelease.of(Role.STORAGE), site, "foo");
                NodeProcess server = new NodeProcess(UnpackedRelease.of(Role.SERVER), site, "front")) {
            storage.set("kv.server.password", "secret");
            server.set("kv.storage.sync", "always");
            storage.start();
            server.start();
            assertThat(storage.err().lines().filter(line -> line.contains("kv.server")))
                    .singleElement()
                    .asString()
                    .endsWith("kv.server.* is ignored: a storage release has no use for it");
            assertThat(storage.err()).doesNotContain("secret");
            assertThat(server.err().lines().filter(line -> line.contains("kv.storage")))
                    .singleElement()
                    .asString()
                    .endsWith("kv.storage.* is ignored: a server release has no use for it");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "nonsense",
                "run --nonsense",
                "run -Dnovalue",
                "run --config",
                "route",
                "route a b",
                "route a%4"
            })
    void anInvalidCommandLineEndsWithStatusTwo(String words) {
        Ended ended = combined.kv(words.isEmpty() ? new String[0] : words.split(" ", -1));
        assertThat(ended.status()).as(ended.err()).isEqualTo(2);
        assertThat(ended.out()).isEmpty();
        assertThat(ended.complaints()).hasSize(2);
        assertThat(ended.complaints().getFirst()).startsWith("kv: ");
        assertThat(ended.complaints().getLast()).startsWith("Try: kv help");
    }
}
