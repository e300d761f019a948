package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.router.testing.Await;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.cache.Cache;
import org.springframework.dao.DataAccessException;
import org.springframework.data.redis.cache.BatchStrategies;
import org.springframework.data.redis.cache.RedisCacheConfiguration;
import org.springframework.data.redis.cache.RedisCacheManager;
import org.springframework.data.redis.cache.RedisCacheWriter;
import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.core.Cursor;
import org.springframework.data.redis.core.HashOperations;
import org.springframework.data.redis.core.RedisOperations;
import org.springframework.data.redis.core.RedisTemplate;
import org.springframework.data.redis.core.ScanOptions;
import org.springframework.data.redis.core.SessionCallback;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.data.redis.core.ValueOperations;
import org.springframework.data.redis.serializer.RedisSerializer;
import org.springframework.session.Session;
import org.springframework.session.SessionRepository;
import org.springframework.session.data.redis.RedisSessionRepository;

/** Spring's templates, cache and sessions at a combined node and at a server node. */
@Timeout(60)
final class SpringDataRedisTest {
    private static Cluster cluster;

    private LettuceConnectionFactory factory;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        cluster = Cluster.withFront(folder);
    }

    @AfterAll
    static void close() {
        cluster.close();
    }

    private StringRedisTemplate connect(String node) {
        factory = new LettuceConnectionFactory(new RedisStandaloneConfiguration(
                "127.0.0.1", cluster.node(node).clients().getPort()));
        factory.afterPropertiesSet();
        factory.start();
        return new StringRedisTemplate(factory);
    }

    @AfterEach
    void disconnect() {
        factory.destroy();
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void valuesAreSetAndExpire(String node) {
        StringRedisTemplate template = connect(node);
        ValueOperations<String, String> values = template.opsForValue();
        for (String name : List.of("apple", "zebra")) {
            values.set(name, "red", Duration.ofSeconds(100));
            assertThat(values.get(name)).isEqualTo("red");
            assertThat(template.getExpire(name)).isBetween(50L, 100L);
            assertThat(values.setIfAbsent(name, "green", Duration.ofSeconds(5))).isFalse();
            assertThat(values.setIfPresent(name, "green")).isTrue();
            assertThat(values.getAndSet(name, "1")).isEqualTo("green");
            assertThat(values.increment(name, 4)).isEqualTo(5);
            assertThat(values.append(name, "kg")).isEqualTo(3);
            assertThat(values.getAndExpire(name, Duration.ofHours(1))).isEqualTo("5kg");
            assertThat(template.getExpire(name, TimeUnit.MINUTES)).isBetween(50L, 60L);
            assertThat(template.persist(name)).isTrue();
            assertThat(template.expire(name, Duration.ofSeconds(90))).isTrue();
            assertThat(values.getAndDelete(name)).isEqualTo("5kg");
            assertThat(template.hasKey(name)).isFalse();
        }
        values.multiSet(Map.of("apple", "1", "zebra", "2"));
        assertThat(values.multiGet(List.of("zebra", "none", "apple"))).containsExactly("2", null, "1");
        assertThat(template.countExistingKeys(List.of("apple", "zebra", "none")))
                .isEqualTo(2);
        assertThat(template.delete(List.of("apple", "zebra"))).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void hashesAreSetAndScanned(String node) {
        StringRedisTemplate template = connect(node);
        HashOperations<String, String, String> hashes = template.opsForHash();
        for (String name : List.of("account", "wallet")) {
            hashes.putAll(name, Map.of("a", "1", "b", "2"));
            assertThat(hashes.putIfAbsent(name, "a", "7")).isFalse();
            assertThat(hashes.increment(name, "a", 2)).isEqualTo(3);
            assertThat(hashes.multiGet(name, List.of("a", "none"))).containsExactly("3", null);
            assertThat(hashes.expire(name, Duration.ofSeconds(100), List.of("a"))
                            .allOk())
                    .isTrue();
            assertThat(hashes.getTimeToLive(name, List.of("a")).ttlOf("a").toSeconds())
                    .isBetween(50L, 100L);
            Set<String> fields = new HashSet<>();
            try (Cursor<Map.Entry<String, String>> cursor = hashes.scan(name, ScanOptions.NONE)) {
                cursor.forEachRemaining(field -> fields.add(field.getKey()));
            }
            assertThat(fields).containsExactlyInAnyOrder("a", "b");
            assertThat(hashes.delete(name, "a", "b")).isEqualTo(2);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void aTransactionAfterAWatchIsRunAsAWhole(String node) {
        StringRedisTemplate template = connect(node);
        template.opsForValue().set("zebra", "1");
        List<Object> replies = template.execute(new SessionCallback<List<Object>>() {
            @Override
            @SuppressWarnings("unchecked")
            public <K, V> List<Object> execute(RedisOperations<K, V> operations) throws DataAccessException {
                operations.watch((K) "zebra");
                operations.multi();
                operations.opsForValue().increment((K) "zebra");
                operations.expire((K) "zebra", Duration.ofSeconds(100));
                return operations.exec();
            }
        });
        assertThat(replies).containsExactly(2L, true);
        assertThat(template.delete("zebra")).isTrue();
    }

    /**
     * Spring may put, evict and clear after the call has returned; the other calls are done by then. To clear, it uses SCAN here: for KEYS
     * this Spring calls a method that this Lettuce does not have.
     */
    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void aCacheKeepsAndForgetsWhatItIsGiven(String node) throws Exception {
        connect(node);
        RedisCacheManager manager = RedisCacheManager.builder(
                        RedisCacheWriter.nonLockingRedisCacheWriter(factory, BatchStrategies.scan(100)))
                .cacheDefaults(RedisCacheConfiguration.defaultCacheConfig().entryTtl(Duration.ofMinutes(1)))
                .build();
        manager.afterPropertiesSet();
        for (String name : List.of("books", "words")) {
            Cache cache = manager.getCache(name);
            cache.put("one", List.of("a", "b"));
            Await.until("one is in the cache", () -> cache.get("one") != null);
            assertThat(cache.get("one").get()).isEqualTo(List.of("a", "b"));
            assertThat(cache.get("two", () -> "made")).isEqualTo("made");
            assertThat(cache.putIfAbsent("two", "again").get()).isEqualTo("made");
            assertThat(cache.get("none")).isNull();
            cache.evict("one");
            Await.until("one was evicted", () -> cache.get("one") == null);
            assertThat(cache.evictIfPresent("one")).isFalse();
            assertThat(cache.invalidate()).isTrue();
            assertThat(cache.get("two")).isNull();
            cache.put("three", "3");
            Await.until("three is in the cache", () -> cache.get("three") != null);
            cache.clear();
            Await.until("the cache was cleared", () -> cache.get("three") == null);
        }
    }

    /** The repository of sessions that needs neither sets nor scripts nor notifications, which is Spring's default one. */
    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void sessionsAreKept(String node) {
        connect(node);
        RedisTemplate<String, Object> template = new RedisTemplate<>();
        template.setConnectionFactory(factory);
        template.setKeySerializer(RedisSerializer.string());
        template.setHashKeySerializer(RedisSerializer.string());
        template.afterPropertiesSet();
        sessionIsKept(new RedisSessionRepository(template), template);
    }

    private static <S extends Session> void sessionIsKept(
            SessionRepository<S> sessions, RedisTemplate<String, Object> template) {
        S session = sessions.createSession();
        session.setAttribute("user", "ann");
        session.setMaxInactiveInterval(Duration.ofMinutes(10));
        sessions.save(session);
        assertThat(template.getExpire("spring:session:sessions:" + session.getId()))
                .isBetween(590L, 600L);

        S found = sessions.findById(session.getId());
        assertThat(found.<String>getAttribute("user")).isEqualTo("ann");
        String before = found.getId();
        String after = found.changeSessionId();
        sessions.save(found);
        assertThat(sessions.findById(before)).isNull();
        assertThat(sessions.findById(after).<String>getAttribute("user")).isEqualTo("ann");
        sessions.deleteById(after);
        assertThat(sessions.findById(after)).isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void aTemplateForAnotherDatabaseIsRefused(String node) {
        RedisStandaloneConfiguration other = new RedisStandaloneConfiguration(
                "127.0.0.1", cluster.node(node).clients().getPort());
        other.setDatabase(1);
        factory = new LettuceConnectionFactory(other);
        factory.afterPropertiesSet();
        factory.start();
        StringRedisTemplate template = new StringRedisTemplate(factory);
        assertThatThrownBy(() -> template.opsForValue().set("apple", "1"))
                .isInstanceOf(DataAccessException.class)
                .hasStackTraceContaining("kv has database 0 alone");
    }
}
