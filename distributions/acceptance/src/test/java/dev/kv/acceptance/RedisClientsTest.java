package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.acceptance.harness.Cluster;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.GetExArgs;
import io.lettuce.core.LettuceFutures;
import io.lettuce.core.MapScanCursor;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.SetArgs;
import io.lettuce.core.TransactionResult;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.protocol.ProtocolVersion;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.Response;
import redis.clients.jedis.Transaction;
import redis.clients.jedis.args.ExpiryOption;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.GetExParams;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.resps.ScanResult;

/** Jedis and Lettuce at a combined node and at a server node. */
@Timeout(60)
final class RedisClientsTest {
    private static final String PASSWORD = "a password";
    private static final int AHEAD = 10_000;

    @TempDir
    private static Path folder;

    private static Cluster cluster;

    @BeforeAll
    static void start() throws IOException {
        cluster = new Cluster(folder.resolve("nodes"), "foo", "bar", "front");
        cluster.node("front").keepNoData();
        cluster.set("kv.server.password", PASSWORD);
        cluster.start("a..m=foo@h,n..z=bar@h");
    }

    @AfterAll
    static void close() {
        cluster.close();
    }

    static Stream<Arguments> jedis() {
        return Stream.of("foo", "front")
                .flatMap(node -> Stream.of(RedisProtocol.RESP2, RedisProtocol.RESP3)
                        .map(protocol -> Arguments.of(node, protocol)));
    }

    private static Jedis connect(String node, RedisProtocol protocol) {
        InetSocketAddress address = cluster.node(node).clients();
        return new Jedis(
                new HostAndPort("127.0.0.1", address.getPort()),
                DefaultJedisClientConfig.builder()
                        .protocol(protocol)
                        .password(PASSWORD)
                        .clientName("jedis")
                        .timeoutMillis(20_000)
                        .build());
    }

    @ParameterizedTest
    @MethodSource("jedis")
    void jedisFindsHashes(String node, RedisProtocol protocol) {
        try (Jedis client = connect(node, protocol)) {
            for (String bucket : List.of("jedis-here", "remote-jedis")) {
                client.del(bucket);
                assertThat(client.hset(bucket, "milk", "1")).isEqualTo(1);
                assertThat(client.hset(bucket, Map.of("eggs", "12", "tea", "0.5")))
                        .isEqualTo(2);
                assertThat(client.hget(bucket, "milk")).isEqualTo("1");
                assertThat(client.hget(bucket, "none")).isNull();
                assertThat(client.hgetAll(bucket)).isEqualTo(Map.of("milk", "1", "eggs", "12", "tea", "0.5"));
                assertThat(client.hmget(bucket, "milk", "none")).containsExactly("1", null);
                assertThat(client.hincrBy(bucket, "milk", 4)).isEqualTo(5);
                assertThat(client.hincrByFloat(bucket, "tea", 0.1)).isEqualTo(0.6);
                assertThat(client.hkeys(bucket)).containsExactlyInAnyOrder("milk", "eggs", "tea");
                assertThat(client.hvals(bucket)).containsExactlyInAnyOrder("5", "12", "0.6");
                assertThat(client.hexists(bucket, "tea")).isTrue();
                assertThat(client.hsetnx(bucket, "tea", "1")).isZero();
                assertThat(client.hstrlen(bucket, "eggs")).isEqualTo(2);
                assertThat(client.hrandfield(bucket, 3)).hasSize(3);
                assertThat(client.hrandfieldWithValues(bucket, 5)).hasSize(3);
                assertThat(client.hdel(bucket, "tea", "none")).isEqualTo(1);
                assertThat(client.hlen(bucket)).isEqualTo(2);
                assertThat(client.type(bucket)).isEqualTo("hash");
                assertThat(client.ttl(bucket)).isEqualTo(-1);
                client.hset(bucket, "note", "fresh");
                assertThatThrownBy(() -> client.hincrBy(bucket, "note", 1))
                        .isInstanceOf(JedisDataException.class)
                        .hasMessage("ERR hash value is not an integer");
            }
            assertThat(client.keys("*jedis*")).contains("jedis-here", "remote-jedis");
            assertThat(client.exists("jedis-here", "remote-jedis", "none")).isEqualTo(2);
            assertThat(client.ping()).isEqualTo("PONG");
            assertThat(client.clientGetname()).isEqualTo("jedis");
            assertThat(client.info("server")).contains("kv_version:");
            assertThat(client.info().lines().filter(line -> !line.isEmpty() && !line.startsWith("#")))
                    .isNotEmpty()
                    .allSatisfy(line -> assertThat(line).matches("[A-Za-z0-9_]+:.*"));
            assertThat(client.configGet("save")).isEqualTo(Map.of("save", ""));
            assertThat(client.unlink("jedis-here", "remote-jedis")).isEqualTo(2);
            assertThatThrownBy(() -> client.lpush("key", "value"))
                    .isInstanceOf(JedisDataException.class)
                    .hasMessageStartingWith("ERR unknown command 'LPUSH', with args beginning with: 'key' 'value'");
        }
    }

    @ParameterizedTest
    @MethodSource("jedis")
    void jedisFindsValues(String node, RedisProtocol protocol) {
        try (Jedis client = connect(node, protocol)) {
            for (String name : List.of("jedis-here", "remote-jedis")) {
                String other = name + "-2";
                assertThat(client.set(name, "1")).isEqualTo("OK");
                assertThat(client.get(name)).isEqualTo("1");
                assertThat(client.type(name)).isEqualTo("string");
                assertThat(client.ttl(name)).isEqualTo(-1);
                assertThat(client.set(name, "2", SetParams.setParams().nx())).isNull();
                assertThat(client.setGet(name, "5")).isEqualTo("1");
                assertThat(client.incrBy(name, 4)).isEqualTo(9);
                assertThat(client.incrByFloat(name, 0.5)).isEqualTo(9.5);
                assertThat(client.append(name, "kg")).isEqualTo(5);
                assertThat(client.strlen(name)).isEqualTo(5);
                assertThat(client.getrange(name, -2, -1)).isEqualTo("kg");
                assertThat(client.setrange(name, 3, "lb")).isEqualTo(5);
                assertThat(client.msetnx(name, "x", other, "y")).isZero();
                assertThat(client.msetnx(other, "y")).isEqualTo(1);
                assertThat(client.mget(name, "none", other)).containsExactly("9.5lb", null, "y");
                assertThatThrownBy(() -> client.hset(name, "field", "1"))
                        .isInstanceOf(JedisDataException.class)
                        .hasMessage("WRONGTYPE Operation against a key holding the wrong kind of value");
                assertThat(client.rename(other, name)).isEqualTo("OK");
                assertThat(client.getDel(name)).isEqualTo("y");
                assertThat(client.exists(name, other)).isZero();
            }
            assertThat(client.mset("jedis-here", "a", "remote-jedis", "b")).isEqualTo("OK");
            assertThat(client.mget("remote-jedis", "jedis-here")).containsExactly("b", "a");
            assertThat(client.del("jedis-here", "remote-jedis")).isEqualTo(2);
        }
    }

    @ParameterizedTest
    @MethodSource("jedis")
    void jedisHasKeysAndFieldsExpire(String node, RedisProtocol protocol) {
        long far = 33_000_000_000L;
        try (Jedis client = connect(node, protocol)) {
            for (String name : List.of("jedis-here", "remote-jedis")) {
                assertThat(client.set(name, "1", SetParams.setParams().nx().ex(60)))
                        .isEqualTo("OK");
                assertThat(client.ttl(name)).isBetween(30L, 60L);
                assertThat(client.set(name, "2", SetParams.setParams().ex(100))).isEqualTo("OK");
                assertThat(client.pttl(name)).isBetween(50_000L, 100_000L);
                assertThat(client.getEx(name, GetExParams.getExParams().exAt(far)))
                        .isEqualTo("2");
                assertThat(client.expireTime(name)).isEqualTo(far);
                assertThat(client.expire(name, 10, ExpiryOption.GT)).isZero();
                assertThat(client.persist(name)).isEqualTo(1);
                assertThat(client.ttl(name)).isEqualTo(-1);
                assertThat(client.expireAt(name, 1)).isEqualTo(1);
                assertThat(client.exists(name)).isFalse();

                client.hset(name, Map.of("a", "1", "b", "2"));
                assertThat(client.hexpireAt(name, far, "a", "none")).containsExactly(1L, -2L);
                assertThat(client.hexpireTime(name, "a", "b")).containsExactly(far, -1L);
                assertThat(client.hpersist(name, "a")).containsExactly(1L);
                assertThat(client.httl(name, "a")).containsExactly(-1L);
                assertThat(client.del(name)).isEqualTo(1);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("jedis")
    void jedisWatchesWhatItChanges(String node, RedisProtocol protocol) {
        try (Jedis client = connect(node, protocol);
                Jedis other = connect("foo", protocol)) {
            for (String bucket : List.of("account", "safe")) {
                String value = bucket + "-total";
                client.set(value, "1");
                assertThat(client.watch(bucket, value)).isEqualTo("OK");
                Transaction transaction = client.multi();
                transaction.incr(value);
                transaction.hset(bucket, "balance", "10");
                assertThat(transaction.exec()).containsExactly(2L, 1L);

                assertThat(client.watch(value)).isEqualTo("OK");
                other.incr(value);
                Transaction late = client.multi();
                late.incr(value);
                assertThat(late.exec()).isNull();
                assertThat(client.get(value)).isEqualTo("3");
                assertThat(client.copy(bucket, bucket + "-copy", false)).isTrue();
                assertThat(client.renamenx(bucket, bucket + "-copy")).isZero();
                assertThat(client.memoryUsage(bucket)).isPositive();
                assertThat(client.del(bucket, value, bucket + "-copy")).isEqualTo(3);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("jedis")
    void jedisSendsTenThousandRequestsAheadAndScansThem(String node, RedisProtocol protocol) {
        try (Jedis client = connect(node, protocol)) {
            Pipeline pipeline = client.pipelined();
            List<Response<Long>> replies = new ArrayList<>();
            for (int i = 0; i < AHEAD; i++) {
                replies.add(pipeline.hset((i % 2 == 0 ? "even" : "odd") + i % 100, "field" + i, "v" + i));
            }
            pipeline.sync();
            assertThat(replies).allSatisfy(reply -> assertThat(reply.get()).isEqualTo(1));

            Set<String> buckets = new HashSet<>();
            String cursor = ScanParams.SCAN_POINTER_START;
            do {
                ScanResult<String> page =
                        client.scan(cursor, new ScanParams().match("*d*").count(9));
                buckets.addAll(page.getResult());
                cursor = page.getCursor();
            } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
            assertThat(buckets).filteredOn(name -> name.startsWith("odd")).hasSize(50);

            Map<String, String> fields = new HashMap<>();
            do {
                ScanResult<Map.Entry<String, String>> page = client.hscan("odd1", cursor, new ScanParams().count(7));
                page.getResult().forEach(pair -> fields.put(pair.getKey(), pair.getValue()));
                cursor = page.getCursor();
            } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
            assertThat(fields).isEqualTo(client.hgetAll("odd1")).hasSize(100);
            client.keys("*").forEach(client::del);
            assertThat(client.dbSize()).isZero();
        }
    }

    @ParameterizedTest
    @MethodSource("jedis")
    void jedisRunsTransactions(String node, RedisProtocol protocol) {
        try (Jedis client = connect(node, protocol)) {
            for (String bucket : List.of("account", "safe")) {
                Transaction transaction = client.multi();
                transaction.hset(bucket, "balance", "10");
                transaction.hincrBy(bucket, "balance", -3);
                Response<Map<String, String>> all = transaction.hgetAll(bucket);
                assertThat(transaction.exec()).hasSize(3);
                assertThat(all.get()).isEqualTo(Map.of("balance", "7"));
                client.del(bucket);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("jedis")
    void jedisIsNotLetInWithAnotherPassword(String node, RedisProtocol protocol) {
        InetSocketAddress address = cluster.node(node).clients();
        DefaultJedisClientConfig wrong = DefaultJedisClientConfig.builder()
                .protocol(protocol)
                .password("another")
                .build();
        assertThatThrownBy(() -> new Jedis(new HostAndPort("127.0.0.1", address.getPort()), wrong))
                .hasMessageContaining("WRONGPASS invalid username-password pair or user is disabled.");
    }

    static Stream<Arguments> lettuce() {
        return Stream.of("foo", "front")
                .flatMap(node -> Stream.of(ProtocolVersion.RESP2, ProtocolVersion.RESP3)
                        .map(protocol -> Arguments.of(node, protocol)));
    }

    private static RedisClient lettuce(String node, ProtocolVersion protocol) {
        RedisClient client = RedisClient.create(RedisURI.builder()
                .withHost("127.0.0.1")
                .withPort(cluster.node(node).clients().getPort())
                .withPassword(PASSWORD.toCharArray())
                .withTimeout(Duration.ofSeconds(20))
                .build());
        client.setOptions(ClientOptions.builder().protocolVersion(protocol).build());
        return client;
    }

    @ParameterizedTest
    @MethodSource("lettuce")
    void lettuceFindsHashes(String node, ProtocolVersion protocol) {
        try (RedisClient client = lettuce(node, protocol);
                StatefulRedisConnection<String, String> connection = client.connect()) {
            RedisCommands<String, String> sync = connection.sync();
            for (String bucket : List.of("lettuce", "with-lettuce")) {
                assertThat(sync.hset(bucket, Map.of("a", "1", "b", "2"))).isEqualTo(2);
                assertThat(sync.hgetall(bucket)).isEqualTo(Map.of("a", "1", "b", "2"));
                assertThat(sync.hget(bucket, "none")).isNull();
                assertThat(sync.hincrbyfloat(bucket, "a", 0.5)).isEqualTo(1.5);
                assertThat(sync.hrandfieldWithvalues(bucket, 2)).hasSize(2);
                MapScanCursor<String, String> page =
                        sync.hscan(bucket, ScanCursor.INITIAL, ScanArgs.Builder.limit(100));
                assertThat(page.isFinished()).isTrue();
                assertThat(page.getMap()).isEqualTo(Map.of("a", "1.5", "b", "2"));
                assertThat(sync.multi()).isEqualTo("OK");
                sync.hset(bucket, "c", "3");
                sync.hlen(bucket);
                TransactionResult result = sync.exec();
                assertThat(result.stream().toList()).isEqualTo(List.of(true, 3L));
                assertThat(sync.del(bucket)).isEqualTo(1);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("lettuce")
    void lettuceFindsValuesThatExpire(String node, ProtocolVersion protocol) {
        try (RedisClient client = lettuce(node, protocol);
                StatefulRedisConnection<String, String> connection = client.connect()) {
            RedisCommands<String, String> sync = connection.sync();
            for (String name : List.of("lettuce", "with-lettuce")) {
                assertThat(sync.set(name, "1", SetArgs.Builder.ex(60).nx())).isEqualTo("OK");
                assertThat(sync.ttl(name)).isBetween(30L, 60L);
                assertThat(sync.setGet(name, "2", SetArgs.Builder.keepttl())).isEqualTo("1");
                assertThat(sync.getex(name, GetExArgs.Builder.persist())).isEqualTo("2");
                assertThat(sync.pttl(name)).isEqualTo(-1);
                assertThat(sync.expire(name, Duration.ofSeconds(100))).isTrue();
                assertThat(sync.incr(name)).isEqualTo(3);
                assertThat(sync.mget(name, "none").stream().map(pair -> pair.getValueOrElse("nothing")))
                        .containsExactly("3", "nothing");
                assertThat(sync.watch(name)).isEqualTo("OK");
                assertThat(sync.multi()).isEqualTo("OK");
                sync.ttl(name);
                sync.expireat(name, 1);
                sync.exists(name);
                List<Object> answers = sync.exec().stream().toList();
                assertThat((long) answers.getFirst()).isBetween(50L, 100L);
                assertThat(answers).endsWith(true, 0L).hasSize(3);
                sync.hset(name, Map.of("a", "1"));
                assertThat(sync.hexpire(name, 100, "a")).isEqualTo(List.of(1L));
                assertThat(sync.httl(name, "a"))
                        .singleElement()
                        .satisfies(left -> assertThat(left).isBetween(50L, 100L));
                assertThat(sync.flushall()).isEqualTo("OK");
                assertThat(sync.exists(name)).isZero();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("lettuce")
    void lettuceSendsManyRequestsAheadWithoutWaiting(String node, ProtocolVersion protocol) throws Exception {
        try (RedisClient client = lettuce(node, protocol);
                StatefulRedisConnection<String, String> connection = client.connect()) {
            RedisAsyncCommands<String, String> async = connection.async();
            connection.setAutoFlushCommands(false);
            List<RedisFuture<?>> replies = new ArrayList<>();
            for (int i = 0; i < AHEAD; i++) {
                String bucket = (i % 2 == 0 ? "fast" : "quick") + i % 10;
                replies.add(i % 3 == 0 ? async.hget(bucket, "field" + (i - 1)) : async.hset(bucket, "field" + i, "v"));
            }
            connection.flushCommands();
            assertThat(LettuceFutures.awaitAll(Duration.ofSeconds(20), replies.toArray(RedisFuture[]::new)))
                    .isTrue();
            connection.setAutoFlushCommands(true);
            for (String bucket : async.keys("*").get()) {
                async.del(bucket).get();
            }
        }
    }
}
