package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Commands on expiry that the Redis of the other tests does not have, by Redis's documentation of them; how long things have left; and what
 * expires between nodes and over restarts. Each at a combined node and at one that keeps no data.
 */
@Timeout(60)
final class ExpiryTest {
    /** In the year 3015. */
    private static final String FAR = "33000000000000";

    /** From 50 to 100 seconds, in milliseconds. */
    private static final String MILLIS_LEFT = "([5-9][0-9]{4}|100000)";

    private static Cluster cluster;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        cluster = new Cluster(folder, "foo", "front");
        cluster.node("front").keepNoData();
        cluster.start("*=foo@h");
    }

    @AfterAll
    static void close() {
        cluster.close();
    }

    private static RespClient client(String node) throws IOException {
        RespClient client = new RespClient(cluster.node(node).clients());
        client.say("DEL h v s");
        return client;
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void fieldsExpireByThemselves(String node) throws Exception {
        try (RespClient client = client(node)) {
            client.say("HSET h a 1 b 2 c 3");
            assertThat(client.say("HPEXPIREAT h " + FAR + " FIELDS 2 a none")).isEqualTo("[:1 :-2]");
            assertThat(client.say("HPEXPIRETIME h FIELDS 3 a b none")).isEqualTo("[:" + FAR + " :-1 :-2]");
            assertThat(client.say("HEXPIRETIME h FIELDS 1 a")).isEqualTo("[:33000000000]");
            assertThat(client.say("HEXPIREAT h 1 FIELDS 1 b")).isEqualTo("[:2]");
            assertThat(client.say("HLEN h")).isEqualTo(":2");
            assertThat(client.say("HMGET h a b c")).isEqualTo("[\"1\" nil \"3\"]");
            assertThat(client.say("HEXISTS h b")).isEqualTo(":0");
            assertThat(client.say("HPERSIST h FIELDS 3 a c b")).isEqualTo("[:1 :-1 :-2]");
            assertThat(client.say("HTTL h FIELDS 1 a")).isEqualTo("[:-1]");
            assertThat(client.say("HEXPIRE h 100 FIELDS 1 a")).isEqualTo("[:1]");
            assertThat(client.say("HTTL h FIELDS 1 a")).matches("\\[:([5-9][0-9]|100)]");
            assertThat(client.say("HPEXPIRE h 100000 FIELDS 2 a b")).isEqualTo("[:1 :-2]");
            assertThat(client.say("HPTTL h FIELDS 3 a c b")).matches("\\[:" + MILLIS_LEFT + " :-1 :-2]");
            assertThat(client.say("HPEXPIRE h 0 FIELDS 2 a c")).isEqualTo("[:2 :2]");
            assertThat(client.say("HPTTL h FIELDS 1 a")).isEqualTo("[:-2]");
            assertThat(client.say("EXISTS h")).isEqualTo(":0");
            assertThat(client.say("HTTL h FIELDS 2 a b")).isEqualTo("[:-2 :-2]");
            assertThat(client.say("HEXPIRE h 100 FIELDS 1 a")).isEqualTo("[:-2]");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void namesExpireInMilliseconds(String node) throws Exception {
        try (RespClient client = client(node)) {
            client.say("SET v x");
            client.say("HSET h a 1");
            for (String name : new String[] {"v", "h"}) {
                assertThat(client.say("PEXPIRE " + name + " 100000")).isEqualTo(":1");
                assertThat(client.say("PTTL " + name)).matches(":" + MILLIS_LEFT);
                assertThat(client.say("PEXPIRE " + name + " 1000 GT")).isEqualTo(":0");
                assertThat(client.say("TTL " + name)).matches(":([5-9][0-9]|100)");
            }
            assertThat(client.say("PEXPIRE none 100000")).isEqualTo(":0");
            client.say("SET v x PX 100000");
            assertThat(client.say("PTTL v")).matches(":" + MILLIS_LEFT);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void anExpiryOfAFieldIsChangedOnCondition(String node) throws Exception {
        try (RespClient client = client(node)) {
            client.say("HSET h a 1 b 2");
            assertThat(client.say("HEXPIREAT h 33000000000 NX FIELDS 1 a")).isEqualTo("[:1]");
            assertThat(client.say("HEXPIREAT h 33000000001 NX FIELDS 2 a b")).isEqualTo("[:0 :1]");
            assertThat(client.say("HEXPIREAT h 33000000001 GT FIELDS 2 a b")).isEqualTo("[:1 :0]");
            assertThat(client.say("HEXPIREAT h 33000000000 LT FIELDS 1 b")).isEqualTo("[:1]");
            assertThat(client.say("HPERSIST h FIELDS 1 a")).isEqualTo("[:1]");
            assertThat(client.say("HEXPIREAT h 33000000002 XX FIELDS 2 a b")).isEqualTo("[:0 :1]");
            assertThat(client.say("HEXPIREAT h 33000000002 GT FIELDS 1 a")).isEqualTo("[:0]");
            assertThat(client.say("HEXPIREAT h 1 GT FIELDS 2 a b")).isEqualTo("[:0 :0]");
            assertThat(client.say("HEXPIREAT h 33000000002 LT FIELDS 1 a")).isEqualTo("[:1]");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void writesKeepOrClearTheExpiryOfAFieldAsInRedis(String node) throws Exception {
        try (RespClient client = client(node)) {
            client.say("HSET h a 1 b 2 c 3");
            client.say("HPEXPIREAT h " + FAR + " FIELDS 3 a b c");
            client.say("HSET h a 5");
            client.say("HINCRBY h b 1");
            client.say("HINCRBYFLOAT h c 0.5");
            assertThat(client.say("HPEXPIRETIME h FIELDS 3 a b c")).isEqualTo("[:-1 :" + FAR + " :" + FAR + "]");
            assertThat(client.say("HSETNX h b 9")).isEqualTo(":0");
            assertThat(client.say("PEXPIREAT h " + FAR)).isEqualTo(":1");
            assertThat(client.say("RENAME h v")).isEqualTo("OK");
            assertThat(client.say("PEXPIRETIME v")).isEqualTo(":" + FAR);
            assertThat(client.say("HPEXPIRETIME v FIELDS 3 a b c")).isEqualTo("[:-1 :" + FAR + " :" + FAR + "]");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void fieldsAreReadAndDeleted(String node) throws Exception {
        try (RespClient client = client(node)) {
            client.say("HSET h a 1 b 2");
            assertThat(client.say("HGETDEL h FIELDS 2 a none")).isEqualTo("[\"1\" nil]");
            assertThat(client.say("HGETALL h")).isEqualTo("[\"b\" \"2\"]");
            assertThat(client.say("HGETDEL h FIELDS 2 b b")).isEqualTo("[\"2\" nil]");
            assertThat(client.say("EXISTS h")).isEqualTo(":0");
            assertThat(client.say("HGETDEL h FIELDS 1 a")).isEqualTo("[nil]");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void fieldsAreReadAndExpire(String node) throws Exception {
        try (RespClient client = client(node)) {
            client.say("HSET h a 1 b 2");
            assertThat(client.say("HGETEX h FIELDS 2 a none")).isEqualTo("[\"1\" nil]");
            assertThat(client.say("HGETEX h PXAT " + FAR + " FIELDS 2 a none")).isEqualTo("[\"1\" nil]");
            assertThat(client.say("HPEXPIRETIME h FIELDS 2 a b")).isEqualTo("[:" + FAR + " :-1]");
            assertThat(client.say("HGETEX h FIELDS 1 a")).isEqualTo("[\"1\"]");
            assertThat(client.say("HPEXPIRETIME h FIELDS 1 a")).isEqualTo("[:" + FAR + "]");
            assertThat(client.say("HGETEX h PERSIST FIELDS 1 a")).isEqualTo("[\"1\"]");
            assertThat(client.say("HTTL h FIELDS 1 a")).isEqualTo("[:-1]");
            assertThat(client.say("HGETEX h PERSIST\0x FIELDS 1 a")).startsWith("ERR unknown argument: PERSIST");
            assertThat(client.say("HGETEX h EX 100 FIELDS 1 a")).isEqualTo("[\"1\"]");
            assertThat(client.say("HTTL h FIELDS 1 a")).matches("\\[:([5-9][0-9]|100)]");
            assertThat(client.say("HGETEX h PX 100000 FIELDS 2 none b")).isEqualTo("[nil \"2\"]");
            assertThat(client.say("HPTTL h FIELDS 1 b")).matches("\\[:" + MILLIS_LEFT + "]");
            assertThat(client.say("HGETEX h EXAT 1 FIELDS 2 a b")).isEqualTo("[\"1\" \"2\"]");
            assertThat(client.say("EXISTS h")).isEqualTo(":0");
            assertThat(client.say("HGETEX h EX 10 FIELDS 1 a")).isEqualTo("[nil]");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void fieldsAreSetWithAnExpiry(String node) throws Exception {
        try (RespClient client = client(node)) {
            assertThat(client.say("HSETEX h FXX FIELDS 1 a 1")).isEqualTo(":0");
            assertThat(client.say("EXISTS h")).isEqualTo(":0");
            assertThat(client.say("HSETEX h FNX PXAT " + FAR + " FIELDS 2 a 1 b 2"))
                    .isEqualTo(":1");
            assertThat(client.say("HPEXPIRETIME h FIELDS 2 a b")).isEqualTo("[:" + FAR + " :" + FAR + "]");
            assertThat(client.say("HSETEX h FNX FIELDS 2 c 1 b 3")).isEqualTo(":0");
            assertThat(client.say("HSETEX h FXX FIELDS 2 c 1 b 3")).isEqualTo(":0");
            assertThat(client.say("HMGET h a b c")).isEqualTo("[\"1\" \"2\" nil]");
            assertThat(client.say("HSETEX h FXX KEEPTTL FIELDS 1 a 4")).isEqualTo(":1");
            assertThat(client.say("HSETEX h FIELDS 1 b 5")).isEqualTo(":1");
            assertThat(client.say("HPEXPIRETIME h FIELDS 2 a b")).isEqualTo("[:" + FAR + " :-1]");
            assertThat(client.say("HMGET h a b")).isEqualTo("[\"4\" \"5\"]");
            assertThat(client.say("HSETEX h EX 100 FIELDS 1 a 6")).isEqualTo(":1");
            assertThat(client.say("HSETEX h PX 100000 FIELDS 1 b 7")).isEqualTo(":1");
            assertThat(client.say("HSETEX h FNX EXAT 33000000000 FIELDS 1 c 8")).isEqualTo(":1");
            assertThat(client.say("HPTTL h FIELDS 2 a b")).matches("\\[:" + MILLIS_LEFT + " :" + MILLIS_LEFT + "]");
            assertThat(client.say("HPEXPIRETIME h FIELDS 1 c")).isEqualTo("[:" + FAR + "]");
            assertThat(client.say("HMGET h a b c")).isEqualTo("[\"6\" \"7\" \"8\"]");
            assertThat(client.say("HSETEX h EXAT 1 FIELDS 1 c 9")).isEqualTo(":1");
            assertThat(client.say("HEXISTS h c")).isEqualTo(":0");
            assertThat(client.say("HSETEX h PXAT 1 FIELDS 2 a 6 b 7")).isEqualTo(":1");
            assertThat(client.say("EXISTS h")).isEqualTo(":0");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "HEXPIRE h x FIELDS 1 a | ERR value is not an integer or out of range",
                "HEXPIRE h -1 FIELDS 1 a | ERR invalid expire time, must be >= 0",
                "HEXPIRE h 99999999999 FIELDS 1 a | ERR invalid expire time in 'hexpire' command",
                "HPEXPIREAT h 70368744177664 FIELDS 1 a | ERR invalid expire time in 'hpexpireat' command",
                "HEXPIRE h 1 FOO FIELDS 1 a | ERR Mandatory argument FIELDS is missing or not at the right position",
                "HEXPIRE h 1 NX GT FIELDS 1 a | ERR Mandatory argument FIELDS is missing or not at the right position",
                "HEXPIRE h 1 FIELDS 0 a | ERR Parameter `numFields` should be greater than 0",
                "HEXPIRE h 1 FIELDS x a | ERR Parameter `numFields` should be greater than 0",
                "HEXPIRE h 1 FIELDS 2 a | ERR The `numfields` parameter must match the number of arguments",
                "HEXPIRE h 1 FIELDS 1 | ERR wrong number of arguments for 'hexpire' command",
                "HEXPIRE s x FIELDS 1 a | WRONGTYPE Operation against a key holding the wrong kind of value",
                "HTTL h FOO 1 a | ERR Mandatory argument FIELDS is missing or not at the right position",
                "HTTL h FIELDS 0 a | ERR Number of fields must be a positive integer",
                "HPERSIST h FIELDS 2 a | ERR The `numfields` parameter must match the number of arguments",
                "HTTL s FIELDS 1 a | WRONGTYPE Operation against a key holding the wrong kind of value",
                "HGETDEL h FIELDS 1 a b | ERR The `numfields` parameter must match the number of arguments",
                "HGETDEL s FIELDS 1 a | WRONGTYPE Operation against a key holding the wrong kind of value",
                "HGETEX h EX 1 PERSIST FIELDS 1 a | ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified",
                "HGETEX h KEEPTTL FIELDS 1 a | ERR unknown argument: KEEPTTL",
                "HGETEX h FIELDS x a | ERR invalid number of fields",
                "HGETEX h FIELDS 2 a | ERR wrong number of arguments for 'hgetex' command",
                "HGETEX h EX -1 FIELDS 1 a | ERR invalid expire time, must be >= 0",
                "HGETEX s FIELDS 1 a | WRONGTYPE Operation against a key holding the wrong kind of value",
                "HSETEX h FNX FXX FIELDS 1 a 1 | ERR Only one of FXX or FNX arguments can be specified",
                "HSETEX h EX 1 KEEPTTL FIELDS 1 a 1 | ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
                "HSETEX h FIELDS 1 a 1 b | ERR wrong number of arguments for 'hsetex' command",
                "HSETEX h FIELDS 2 a 1 | ERR wrong number of arguments for 'hsetex' command",
                "HSETEX h PERSIST FIELDS 1 a 1 | ERR unknown argument: PERSIST",
                "HSETEX s FIELDS 1 a 1 | WRONGTYPE Operation against a key holding the wrong kind of value",
            })
    void wrongArgumentsAreNamedAsInRedis(String request, String error) throws Exception {
        try (RespClient client = client("front")) {
            client.say("HSET h a 1");
            client.say("SET s x");
            assertThat(client.say(request.strip())).isEqualTo(error.strip());
            assertThat(client.say("HGETALL h")).isEqualTo("[\"a\" \"1\"]");
        }
    }

    /** The times count from EXEC: what was queued does not grow old. */
    @ParameterizedTest
    @ValueSource(strings = {"foo", "front"})
    void expiryIsPartOfATransaction(String node) throws Exception {
        try (RespClient client = client(node)) {
            client.say("MULTI");
            client.say("HSET h a 1 b 2");
            client.say("HEXPIRE h 100 FIELDS 1 a");
            client.say("EXPIRE h 200");
            client.say("HTTL h FIELDS 2 a b");
            client.say("TTL h");
            assertThat(client.say("EXEC")).isEqualTo("[:2 [:1] :1 [:100 :-1] :200]");
        }
    }

    @Test
    void whatHasExpiredIsGoneInEveryView() throws Exception {
        try (RespClient client = client("front");
                LineClient lines = cluster.node("front").connect()) {
            client.say("HSET h a 1 b 2");
            client.say("SET v x");
            long expiry = System.currentTimeMillis() + 50;
            client.say("PEXPIREAT v " + expiry);
            client.say("HPEXPIREAT h " + expiry + " FIELDS 1 a");
            while (System.currentTimeMillis() < expiry) {
                Thread.onSpinWait();
            }
            assertThat(client.say("GET v")).isEqualTo("nil");
            assertThat(client.say("EXISTS v h")).isEqualTo(":1");
            assertThat(client.say("TYPE v")).isEqualTo("none");
            assertThat(client.say("PTTL v")).isEqualTo(":-2");
            assertThat(client.say("KEYS *")).isEqualTo("[\"h\"]");
            assertThat(client.say("SCAN 0 TYPE string COUNT 1000")).isEqualTo("[\"0\" []]");
            assertThat(client.say("RANDOMKEY")).isEqualTo("\"h\"");
            assertThat(client.say("HGETALL h")).isEqualTo("[\"b\" \"2\"]");
            assertThat(client.say("HSCAN h 0")).isEqualTo("[\"0\" [\"b\" \"2\"]]");
            assertThat(client.say("HRANDFIELD h 5")).isEqualTo("[\"b\"]");
            assertThat(client.say("HSTRLEN h a")).isEqualTo(":0");
            assertThat(client.say("RENAME v w")).isEqualTo("ERR no such key");
            assertThat(lines.ask("GET h a")).isEqualTo("");
            assertThat(client.say("SET v y NX")).isEqualTo("OK");
            assertThat(client.say("HSETNX h a 3")).isEqualTo(":1");
        }
    }

    @Test
    void sizesCountWhatHasExpiredForASecondAtMost() throws Exception {
        try (RespClient client = client("foo")) {
            long expiry = 0;
            for (long millis = 1_000; expiry <= System.currentTimeMillis(); millis *= 2) {
                expiry = System.currentTimeMillis() + millis;
                setMany(client, expiry);
            }
            Await.until(() ->
                    client.say("DBSIZE").equals(":1") && client.say("HLEN h").equals(":1"));
            assertThat(System.currentTimeMillis()).isBetween(expiry, expiry + 1_000);
            assertThat(client.say("HGETALL h")).isEqualTo("[\"left\" \"x\"]");
        }
    }

    /** Names, and fields of a hash; all fields expire, and one of them later. */
    private static void setMany(RespClient client, long expiry) throws IOException {
        client.say("HSETEX h EX 1000 FIELDS 1 left x");
        for (int i = 0; i < 20; i++) {
            StringBuilder requests = new StringBuilder();
            StringBuilder fields = new StringBuilder();
            for (int j = 0; j < 1_000; j++) {
                requests.append(RespClient.request("SET", "name-" + i + "-" + j, "x", "PXAT", "" + expiry));
                fields.append(" field-").append(i).append('-').append(j).append(" x");
            }
            client.send(requests.toString());
            for (int j = 0; j < 1_000; j++) {
                assertThat(client.reply()).isEqualTo("OK");
            }
            assertThat(client.say("HSETEX h PXAT " + expiry + " FIELDS 1000" + fields))
                    .isEqualTo(":1");
        }
    }

    @Test
    void aRestartForgetsNoExpiry() throws Exception {
        try (RespClient client = client("foo")) {
            client.say("SET v x PXAT " + FAR);
            client.say("HSET h a 1 b 2");
            client.say("HPEXPIREAT h " + FAR + " FIELDS 1 a");
            client.say("PEXPIREAT h " + FAR);
        }
        cluster.node("foo").stop();
        cluster.node("foo").start("*=foo@h");
        try (RespClient client = new RespClient(cluster.node("foo").clients())) {
            assertThat(client.say("PEXPIRETIME v")).isEqualTo(":" + FAR);
            assertThat(client.say("PEXPIRETIME h")).isEqualTo(":" + FAR);
            assertThat(client.say("HPEXPIRETIME h FIELDS 2 a b")).isEqualTo("[:" + FAR + " :-1]");
        }
    }
}
