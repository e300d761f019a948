package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.acceptance.harness.Cluster;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.redisson.Redisson;
import org.redisson.api.RBatch;
import org.redisson.api.RBucket;
import org.redisson.api.RMap;
import org.redisson.api.RedissonClient;
import org.redisson.client.RedisException;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.Config;

/** What of Redisson needs no scripts, at a combined node and at a server node. */
@Timeout(60)
final class RedissonTest {
    private static Cluster cluster;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        cluster = Cluster.withFront(folder);
    }

    @AfterAll
    static void close() {
        cluster.close();
    }

    /** Without the cache of scripts: with it, a call that needs a script does not return. */
    private static RedissonClient connect(String node) {
        Config config = new Config();
        config.setUseScriptCache(false);
        config.setCodec(StringCodec.INSTANCE);
        config.useSingleServer()
                .setAddress("redis://127.0.0.1:" + cluster.node(node).clients().getPort())
                .setConnectionMinimumIdleSize(1)
                .setConnectionPoolSize(2);
        return Redisson.create(config);
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void bucketsNumbersAndMapsWorkWithoutScripts(String node) {
        RedissonClient client = connect(node);
        try {
            for (String name : List.of("apple", "zebra")) {
                RBucket<String> bucket = client.getBucket(name);
                bucket.set("1", Duration.ofSeconds(60));
                assertThat(bucket.get()).isEqualTo("1");
                assertThat(bucket.remainTimeToLive()).isBetween(50_000L, 60_000L);
                assertThat(bucket.setIfAbsent("2", Duration.ofSeconds(60))).isFalse();
                assertThat(bucket.setIfExists("2")).isTrue();
                assertThat(bucket.getAndSet("3")).isEqualTo("2");
                assertThat(bucket.getAndExpire(Duration.ofSeconds(60))).isEqualTo("3");
                assertThat(bucket.clearExpire()).isTrue();
                assertThat(bucket.delete()).isTrue();
                assertThat(bucket.isExists()).isFalse();

                assertThat(client.getAtomicLong(name).addAndGet(4)).isEqualTo(4);
                assertThat(client.getKeys().delete(name)).isEqualTo(1);
                RMap<String, String> map = client.getMap(name);
                assertThat(map.fastPut("a", "1")).isTrue();
                map.putAll(Map.of("b", "2", "c", "3"));
                assertThat(map.readAllMap()).isEqualTo(Map.of("a", "1", "b", "2", "c", "3"));
                assertThat(map.get("a")).isEqualTo("1");
                assertThat(map.fastRemove("a", "b", "c")).isEqualTo(3);
            }
            client.getBuckets().set(Map.of("apple", "1", "zebra", "2"));
            assertThat(client.getBuckets().get("apple", "zebra", "none")).isEqualTo(Map.of("apple", "1", "zebra", "2"));
            RBatch batch = client.createBatch();
            var _ = batch.getBucket("apple").deleteAsync();
            var _ = batch.getBucket("zebra").deleteAsync();
            assertThat(batch.execute().getResponses()).isEqualTo(List.of(true, true));
        } finally {
            client.shutdown(0, 0, TimeUnit.SECONDS);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void whatNeedsAScriptIsRefused(String node) {
        RedissonClient client = connect(node);
        try {
            RBucket<String> bucket = client.getBucket("apple");
            for (ThrowingCallable call : List.<ThrowingCallable>of(
                    () -> bucket.compareAndSet("1", "2"),
                    bucket::getAndDelete,
                    () -> bucket.expire(Duration.ofSeconds(60)),
                    () -> client.getMap("apple").put("a", "1"),
                    () -> client.getLock("apple").tryLock())) {
                assertThatThrownBy(call)
                        .isInstanceOf(RedisException.class)
                        .hasMessageContaining("unknown command 'EVAL'");
            }
        } finally {
            client.shutdown(0, 0, TimeUnit.SECONDS);
        }
    }
}
