package dev.kv.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import dev.kv.acceptance.harness.Ended;
import dev.kv.acceptance.harness.TwoNodes;
import dev.kv.acceptance.harness.UnpackedRelease;
import dev.kv.acceptance.harness.UnpackedRelease.Role;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The commands of {@code bin/kv} that only print: config, version, status, route and help. */
@Timeout(120)
class InspectionCommandsTest extends TwoNodes {

    @Test
    void everyLayerOfTheConfigurationWinsOverTheOneBelow() throws Exception {
        UnpackedRelease server = UnpackedRelease.of(Role.SERVER);
        List<String> reference = Files.readAllLines(
                Path.of(System.getProperty("kv.root"), "kv-router/src/main/resources/reference.conf"), UTF_8);
        int line = 1 + reference.indexOf("  table = \"\"");
        assertThat(table(server.kv("config", "--json")))
                .containsExactly(
                        "", "lib/kv-router-" + System.getProperty("kv.version") + ".jar!/reference.conf: " + line);
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
        Config table = config.succeeded().json().getConfig("\"kv.router.table\"");
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
        Config config = release.kv(variables, "config", "--json").succeeded().json();
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
        String config = release.kv("config", "-Dkv.server.port=4140", "-Dkv.node.name=foo@h")
                .succeeded()
                .out();
        assertThat(config.lines())
                .allMatch(line -> line.matches("kv\\.[a-z.-]+(\\.\"[^\"]+\")? = .+  # .+"))
                .isSorted()
                .anyMatch(line -> line.matches("kv\\.server\\.port = \"4140\" +# -Dkv\\.server\\.port"))
                .anyMatch(line ->
                        line.matches("kv\\.node\\.dir = \"nodes/foo@h\" +# lib/kv-router-.*jar!/reference.conf.*"))
                .anyMatch(line -> line.matches("kv\\.storage\\.max-bytes = 0 +# lib/kv-[0-9].*jar!/reference.conf.*"));
    }

    @Test
    void versionTellsWhatThisIs() {
        String version = release.kv("version").succeeded().out();
        assertThat(version.lines().map(line -> line.replaceFirst(" .*", "")))
                .containsExactly("version", "commit", "role", "runtime");
        Config json = release.kv("version", "--json").succeeded().json();
        assertThat(json.root()).containsOnlyKeys("version", "commit", "role", "runtime");
        assertThat(json.getString("role")).isEqualTo("combined");
        assertThat(json.getString("version")).isEqualTo(System.getProperty("kv.version"));
    }

    @Test
    void statusAsJsonHasAllThatAScriptAsksFor() throws Exception {
        Ended before = foo.kv("status", "--json");
        assertThat(before.status()).isEqualTo(3);
        assertThat(before.json().getString("state")).isEqualTo("not running");

        Instant start = Instant.now();
        foo.start();
        Config status = foo.kv("status", "--json").succeeded().json();
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
    void routePrintsEveryNodeOnThePathAndItsEntry() throws Exception {
        foo.set("kv.router.table", "# who keeps what\na..m=foo@h\nshop-*=bar@h,n..q=bar@h");
        bar.set("kv.router.table", "*=bar@h");
        foo.start();
        bar.start();

        assertThat(foo.kv("route", "apples").succeeded().out())
                .isEqualTo("foo@h: table static, line 2, column 1: a..m=foo@h\n");
        assertThat(foo.kv("route", "nuts").succeeded().out()).isEqualTo("""
                foo@h: table static, line 3, column 14: n..q=bar@h
                bar@h: table static, line 1, column 1: *=bar@h
                """);
        assertThat(foo.kv("route", "shop%2Dlist").succeeded().out()).contains("column 1: shop-*=bar@h\n");

        Config way = foo.kv("route", "--json", "nuts").succeeded().json();
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
        assertThat(jsonNowhere.json().getString("failure.word")).isEqualTo("NOROUTE");

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
    void helpListsTheCommandsAndPrintsThatOfOne() {
        String all = release.kv("help").succeeded().out();
        assertThat(all).contains("Example:");
        for (String command : List.of("run", "start", "stop", "restart", "status", "config", "version", "route")) {
            assertThat(all).containsPattern("\n +" + command + " +[A-Z]");
        }
        String route = release.kv("help", "route").succeeded().out();
        assertThat(route)
                .contains("Usage: kv route", "--config=FILE", "-D=KEY=VALUE")
                .containsPattern("Example:\n  bin/kv route");
        assertThat(release.kv("route", "--help").succeeded().out()).isEqualTo(route);
    }
}
