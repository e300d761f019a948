package dev.kv.storage.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.config.BadStart;
import dev.kv.router.config.Layers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SyncTest {
    private static final String KEY = "kv.storage.sync";

    @TempDir
    private Path home;

    private Sync of(String value) {
        return Sync.of(Layers.of(home, Map.of(KEY, value)).load(), KEY);
    }

    @Test
    void isAlwaysOrOsOrADuration() {
        assertThat(of("always")).isEqualTo(new Sync(true, Optional.empty()));
        assertThat(of("os")).isEqualTo(new Sync(false, Optional.empty()));
        assertThat(of("250ms")).isEqualTo(new Sync(false, Optional.of(Duration.ofMillis(250))));
    }

    @ParameterizedTest
    @ValueSource(strings = {"often", "9ms", "2h"})
    void anythingElseIsRefused(String value) {
        assertThatThrownBy(() -> of(value))
                .isInstanceOf(BadStart.class)
                .hasMessage(KEY + " = \"" + value + "\" (-D" + KEY
                        + "): expected always, os, or a duration from 10ms to 1h");
    }
}
