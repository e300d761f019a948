package dev.kv.router.config;

import static java.util.stream.Collectors.toMap;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.config.Settings.Setting;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** All keys of kv-router with their defaults. Sites rely on both: a change here is a change of the contract. */
class ReferenceTest {
    @Test
    void theKeysAndDefaultsAreTheseAndNoOthers(@TempDir Path home) {
        Map<String, Object> settings = Layers.of(home, Map.of("kv.node.name", "foo@h")).load().all().stream()
                .collect(toMap(Setting::key, Setting::value));

        assertThat(settings)
                .isEqualTo(Map.ofEntries(
                        Map.entry("kv.node.name", "foo@h"),
                        Map.entry("kv.node.dir", "nodes/foo@h"),
                        Map.entry("kv.node.drain", "10s"),
                        Map.entry("kv.node.socket.callers-max", 16),
                        Map.entry("kv.node.socket.line-max", "256KiB"),
                        Map.entry("kv.node.socket.timeout", "5s"),
                        Map.entry("kv.node.socket.piece-timeout", "1m"),
                        Map.entry("kv.node.socket.long-max", 4),
                        Map.entry("kv.log.level", "info"),
                        Map.entry("kv.log.loggers.\"org.apache.mina.core.service.AbstractIoService\"", "off"),
                        Map.entry("kv.log.loggers.\"org.apache.zookeeper\"", "error"),
                        Map.entry("kv.log.loggers.\"org.apache.curator\"", "off"),
                        Map.entry("kv.router.table", ""),
                        Map.entry("kv.router.table-max", "64KiB"),
                        Map.entry("kv.router.host", "0.0.0.0"),
                        Map.entry("kv.router.port", 4041),
                        Map.entry("kv.router.advertise", ""),
                        Map.entry("kv.router.timeout", "5s"),
                        Map.entry("kv.router.handshake-timeout", "5s"),
                        Map.entry("kv.router.handshakes-max", 64),
                        Map.entry("kv.router.hops-max", 16),
                        Map.entry("kv.router.reconnect-max", "1s"),
                        Map.entry("kv.router.cookie-file", "nodes/foo@h/cookie"),
                        Map.entry("kv.router.bucket-max", "64KiB"),
                        Map.entry("kv.router.key-max", "64KiB"),
                        Map.entry("kv.router.value-max", "64MiB"),
                        Map.entry("kv.router.reply-max", "256MiB"),
                        Map.entry("kv.router.pattern-max", "1KiB"),
                        Map.entry("kv.router.io-threads", 0),
                        Map.entry("kv.router.io-turn-max", "2ms"),
                        Map.entry("kv.router.reply-threads", 0),
                        Map.entry("kv.router.connections-max", 1024),
                        Map.entry("kv.router.unsent-max", "64MiB"),
                        Map.entry("kv.router.assembly-max", 0),
                        Map.entry("kv.router.replies-max", 0),
                        Map.entry("kv.router.in-flight-max", 65536),
                        Map.entry("kv.router.zookeeper.connect", ""),
                        Map.entry("kv.router.zookeeper.path", "/kv"),
                        Map.entry("kv.router.zookeeper.session-timeout", "10s"),
                        Map.entry("kv.router.zookeeper.start-wait", "5s"),
                        Map.entry("kv.router.zookeeper.poll", "30s"),
                        Map.entry("kv.router.zookeeper.document-max", "512KiB"),
                        Map.entry("kv.router.zookeeper.nodes-max", 1000),
                        Map.entry("kv.router.zookeeper.auth", "")));
    }

    @Test
    void theNodeIsNamedAfterItsHost(@TempDir Path home) {
        assertThat(Layers.of(home, Map.of()).load().text("kv.node.name")).matches("kv@[A-Za-z0-9._-]+");
    }
}
