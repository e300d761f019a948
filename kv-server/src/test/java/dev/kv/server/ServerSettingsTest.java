package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.config.BadStart;
import dev.kv.router.config.Layers;
import dev.kv.router.config.Settings;
import dev.kv.router.net.Addresses;
import dev.kv.server.auth.Password;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ServerSettingsTest {
    @TempDir
    private Path home;

    private Settings settings(Map<String, String> overrides) {
        return Layers.of(home, overrides).load();
    }

    @Test
    void theKeysAndDefaultsAreTheseAndNoOthers() {
        Settings settings = settings(Map.of());

        assertThat(settings.all().stream().map(Settings.Setting::key).filter(key -> key.startsWith("kv.server.")))
                .isEqualTo(List.of(
                        "kv.server.buffer-max",
                        "kv.server.connections-max",
                        "kv.server.held-max",
                        "kv.server.held-time",
                        "kv.server.host",
                        "kv.server.idle",
                        "kv.server.large-max",
                        "kv.server.line-max",
                        "kv.server.login-timeout",
                        "kv.server.logins-max",
                        "kv.server.password",
                        "kv.server.port",
                        "kv.server.replies-max",
                        "kv.server.requests-max",
                        "kv.server.stalled-time",
                        "kv.server.unsent-max"));
        assertThat(ServerSettings.from(settings))
                .isEqualTo(new ServerSettings(
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), 4040),
                        1_048_576,
                        Duration.ZERO,
                        0,
                        256,
                        Duration.ofMinutes(1),
                        1024,
                        1L << 24,
                        64,
                        1_048_576,
                        0,
                        1L << 34,
                        Duration.ofSeconds(30),
                        Duration.ofSeconds(1),
                        new Password(Bytes.EMPTY)));
    }

    @Test
    void hostAndPortComeFromTheEnvironment() {
        Map<String, String> environment = Map.of("KV_HOST", "::1", "KV_PORT", "4050");
        ServerSettings server = ServerSettings.from(new Layers(home, Optional.empty(), environment, Map.of()).load());

        assertThat(Addresses.text(server.address())).isEqualTo("[0:0:0:0:0:0:0:1]:4050");
    }

    @Test
    void thePasswordComesFromTheEnvironmentAndIsNeverShown() {
        Map<String, String> environment = Map.of("KV_PASSWORD", "open sesame");
        Settings settings = new Layers(home, Optional.empty(), environment, Map.of()).load();

        assertThat(ServerSettings.from(settings).password()).isEqualTo(new Password(Bytes.of("open sesame")));
        assertThat(ServerSettings.from(settings)).asString().doesNotContain("sesame");
        assertThat(settings.all()).asString().contains("kv.server.password").doesNotContain("sesame");
    }

    @ParameterizedTest
    @CsvSource({
        "host, no such host",
        "host, ' '",
        "port, 70000",
        "port, http",
        "line-max, 1023",
        "line-max, 257MiB",
        "line-max, -1",
        "idle, 500ms",
        "idle, -1s",
        "connections-max, -1",
        "connections-max, many",
        "replies-max, 0",
        "requests-max, 0",
        "large-max, 0",
        "unsent-max, 0",
        "buffer-max, 4095KiB",
    })
    void aWrongValueIsABadStartThatNamesTheKeyAndTheValue(String key, String value) {
        Settings settings = settings(Map.of("kv.server." + key, value));

        assertThatThrownBy(() -> new ClientDoor().configure(settings))
                .isInstanceOf(BadStart.class)
                .hasMessageStartingWith("kv.server." + key + " = ")
                .hasMessageContaining(value)
                .hasMessageNotContaining("\n");
    }

    @Test
    void theBufferHoldsAtLeastFourLines() {
        Map<String, String> enough = Map.of("kv.server.line-max", "64MiB", "kv.server.buffer-max", "256MiB");
        assertThat(ServerSettings.from(settings(enough)).lineMaxBytes()).isEqualTo(67_108_864);

        Settings less = settings(Map.of("kv.server.line-max", "65MiB", "kv.server.buffer-max", "256MiB"));
        assertThatThrownBy(() -> ServerSettings.from(less))
                .isInstanceOf(BadStart.class)
                .hasMessageContaining("kv.server.buffer-max")
                .hasMessageContaining("0, or at least four times kv.server.line-max");
    }
}
