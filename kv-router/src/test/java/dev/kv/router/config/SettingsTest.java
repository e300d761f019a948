package dev.kv.router.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SettingsTest {
    private enum Colour {
        RED,
        GREEN
    }

    @TempDir
    private Path home;

    private Settings with(String key, String value) {
        return Layers.of(home, Map.of(key, value)).load();
    }

    @Test
    void sizesAndDurationsHaveUnits() {
        Settings settings = Layers.of(home, Map.of("kv.router.value-max", "3 MB", "kv.router.timeout", "1.5s"))
                .load();

        assertThat(settings.size("kv.router.value-max", 1, 1L << 30)).isEqualTo(3_000_000);
        assertThat(settings.size("kv.router.key-max", 1, 1L << 16)).isEqualTo(65_536);
        assertThat(settings.duration("kv.router.timeout", Duration.ZERO, Duration.ofHours(1)))
                .isEqualTo(Duration.ofMillis(1500));
    }

    @Test
    void bothBoundsAreIncluded() {
        assertThat(with("kv.router.port", "0").port("kv.router.port")).isZero();
        assertThat(with("kv.router.port", "65535").port("kv.router.port")).isEqualTo(65535);
        assertThat(with("kv.router.hops-max", "64").count("kv.router.hops-max", 1, 64))
                .isEqualTo(64);
        assertThat(with("kv.router.timeout", "50ms")
                        .duration("kv.router.timeout", Duration.ofMillis(50), Duration.ofHours(1)))
                .isEqualTo(Duration.ofMillis(50));
    }

    @ParameterizedTest
    @ValueSource(strings = {"70000", "-1", "65536", "", "http", "4041.5", "0x10", "99999999999999999999"})
    void invalidPortsAreRefused(String value) {
        assertThatThrownBy(() -> with("kv.router.port", value).port("kv.router.port"))
                .isInstanceOf(BadStart.class)
                .hasMessage("kv.router.port = \"" + value + "\" (-Dkv.router.port): expected a port from 0 to 65535");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "49ms", "2h", "-5s", "soon", "", "5 parsecs"})
    void invalidDurationsAreRefused(String value) {
        assertThatThrownBy(() -> with("kv.router.timeout", value)
                        .duration("kv.router.timeout", Duration.ofMillis(50), Duration.ofHours(1)))
                .isInstanceOf(BadStart.class)
                .hasMessage("kv.router.timeout = \"" + value
                        + "\" (-Dkv.router.timeout): expected a duration from 50ms to 1h (units: ms, s, m, h)");
    }

    @ParameterizedTest
    @ValueSource(strings = {"5", "1500", "0.5"})
    void aDurationWithoutAUnitIsRefused(String value) {
        assertThatThrownBy(() -> with("kv.router.timeout", value)
                        .duration("kv.router.timeout", Duration.ZERO, Duration.ofHours(1)))
                .isInstanceOf(BadStart.class)
                .hasMessage(
                        "kv.router.timeout = \"%s\" (-Dkv.router.timeout): expected a duration with a unit, such as %ss or %sms",
                        value, value, value);
        assertThat(with("kv.router.timeout", "0").duration("kv.router.timeout", Duration.ZERO, Duration.ofHours(1)))
                .isZero();
    }

    @Test
    void aKeyThatWasRenamedIsRefusedWithItsNewName() {
        assertThatThrownBy(() -> with("kv.router.patience", "5s"))
                .isInstanceOf(BadStart.class)
                .hasMessage("kv.router.patience = \"5s\" (-Dkv.router.patience): this key is now kv.router.timeout");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "2GiB", "-1", "large", "", "9999999999999TiB"})
    void invalidSizesAreRefused(String value) {
        assertThatThrownBy(() -> with("kv.router.value-max", value).size("kv.router.value-max", 1024, 1L << 30))
                .isInstanceOf(BadStart.class)
                .hasMessage(
                        "kv.router.value-max = \"" + value
                                + "\" (-Dkv.router.value-max): expected a size from 1KiB to 1GiB (units: KiB, MiB, GiB; without one, bytes)");
    }

    @ParameterizedTest
    @CsvSource({"0,'0ms'", "1500,1500ms", "2000,2s", "90000,90s", "120000,2m", "7200000,2h"})
    void boundsAreWrittenInTheLargestUnitThatFits(long millis, String written) {
        Duration bound = Duration.ofMillis(millis);

        assertThatThrownBy(() -> with("kv.router.timeout", "-1s").duration("kv.router.timeout", bound, bound))
                .hasMessageContaining(" from " + written + " to " + written + " (units: ");
    }

    @Test
    void aChoiceIsWrittenInLowerCase() {
        assertThat(with("kv.log.level", "green").choice("kv.log.level", Colour.class))
                .isEqualTo(Colour.GREEN);
        assertThatThrownBy(() -> with("kv.log.level", "GREEN").choice("kv.log.level", Colour.class))
                .isInstanceOf(BadStart.class)
                .hasMessage("kv.log.level = \"GREEN\" (-Dkv.log.level): expected one of red, green");
    }

    @Test
    void aRelativePathStartsAtTheReleasesFolder() {
        assertThat(with("kv.node.dir", "x/../y").path("kv.node.dir")).isEqualTo(home.resolve("y"));
        assertThat(with("kv.node.dir", "/var/lib/kv").path("kv.node.dir")).isEqualTo(Path.of("/var/lib/kv"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a\0b"})
    void invalidPathsAreRefused(String value) {
        assertThatThrownBy(() -> with("kv.node.dir", value).path("kv.node.dir"))
                .isInstanceOf(BadStart.class)
                .hasMessageEndingWith("(-Dkv.node.dir): expected a path");
    }

    @Test
    void keysOfAnOpenSectionAreChosenByTheSite() {
        Settings settings = Layers.of(
                        home,
                        Map.of("kv.router.peers.\"foo@h.example\"", "10.0.0.1:1", "kv.router.peers.\"bar@h\"", "h:2"))
                .load();

        assertThat(settings.texts("kv.router.peers"))
                .containsExactly(Map.entry("bar@h", "h:2"), Map.entry("foo@h.example", "10.0.0.1:1"));
        assertThat(settings.text(Settings.key("kv.router.peers", "foo@h.example")))
                .isEqualTo("10.0.0.1:1");
        assertThat(settings.bad(Settings.key("kv.router.peers", "bar@h"), "no"))
                .hasMessage("kv.router.peers.\"bar@h\" = \"h:2\" (-Dkv.router.peers.\"bar@h\"): no");
    }

    @Test
    void aLongValueIsCutInAMessage() {
        assertThat(with("kv.router.table", "x\n".repeat(1000)).bad("kv.router.table", "no"))
                .message()
                .startsWith("kv.router.table = \"x\\nx\\n")
                .endsWith("x\\n... (-Dkv.router.table): no")
                .hasSizeLessThan(320);
    }

    @Test
    void aPasswordIsHidden() {
        Config config = ConfigFactory.parseString("kv.door.password = secret");
        Settings settings = Settings.checked(home, config, config);

        assertThat(settings.text("kv.door.password")).isEqualTo("secret");
        assertThat(settings.all()).asString().contains("kv.door.password").doesNotContain("secret");
        assertThat(settings.bad("kv.door.password", "no").getMessage())
                .contains("kv.door.password = (hidden)")
                .doesNotContain("secret");
    }

    @Test
    void anEmptyPasswordIsNoSecret() {
        Config config = ConfigFactory.parseString("kv.door.password = \"\"");
        Settings settings = Settings.checked(home, config, config);

        assertThat(settings.all()).asString().contains("kv.door.password = \"\"");
    }
}
