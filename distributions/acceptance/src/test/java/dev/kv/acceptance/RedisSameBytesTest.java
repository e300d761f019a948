package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.acceptance.harness.RedisServer;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A connection to a combined node, a server node and Redis gets the same bytes for the same bytes. */
@Timeout(60)
final class RedisSameBytesTest {
    private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|(\\S+)");

    private static final Set<String> CONTAINERS =
            Set.of("client", "command", "config", "latency", "memory", "object", "slowlog");

    private static final String QUIT = RespClient.request("QUIT");

    private static RedisServer redis;
    private static RedisServer locked;
    private static Cluster cluster;
    private static Cluster lockedCluster;

    @BeforeAll
    static void start(@TempDir Path folder, @TempDir Path lockedFolder) throws Exception {
        redis = RedisServer.start(folder);
        locked = RedisServer.start(lockedFolder, "--requirepass", "sesame");
        cluster = new Cluster(folder.resolve("nodes"), "foo", "front");
        cluster.node("front").keepNoData();
        cluster.start("*=foo@h");
        lockedCluster = new Cluster(lockedFolder.resolve("nodes"), "foo");
        lockedCluster.set("kv.server.password", "sesame");
        lockedCluster.start("*=foo@h");
    }

    @AfterAll
    static void close() {
        for (AutoCloseable one : Arrays.asList(redis, locked, cluster, lockedCluster)) {
            try {
                if (one != null) {
                    one.close();
                }
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** All that comes back on a connection of its own until the other side closes it. */
    private static String bytes(InetSocketAddress address, String sent) throws IOException {
        try (RespClient client = new RespClient(address)) {
            client.send(sent);
            return client.rest();
        }
    }

    /** Words are separated by blanks, or in quotes; {@code \0} is a NUL. */
    private static String request(String line) {
        return RespClient.request(
                WORD.matcher(line).results().map(RedisSameBytesTest::word).toArray(String[]::new));
    }

    private static String word(MatchResult word) {
        String text = word.group(1) == null ? word.group(2) : word.group(1);
        return text.replace("\\0", "\0")
                .replace("\\r", "\r")
                .replace("\\n", "\n")
                .replace("\\t", "\t");
    }

    private static void sameBytes(String sent, String end) throws IOException {
        String expected = bytes(redis.address(), sent + end);
        for (String node : List.of("foo", "front")) {
            assertThat(bytes(cluster.node(node).clients(), sent + end))
                    .as("at %s", node)
                    .isEqualTo(expected);
        }
    }

    static Stream<String> input() {
        String ping = RespClient.request("PING");
        return Stream.of(
                "\r\n" + ping,
                "\n" + ping,
                "\r\n\n \t\r\n\r\n" + ping + "\r\n" + ping + "\n\n" + ping,
                ping + "SYNCX\r\n" + ping,
                ping + "SYNCX  a \t bb\r\n" + ping,
                ping + "SYNCX" + " a".repeat(60) + "\r\n" + ping,
                ping + "SYNCX " + "a".repeat(200) + " b\r\n" + ping);
    }

    /** Not a byte more than it takes to be refused: what nobody reads would reset the connection. */
    static Stream<String> inputWithoutARequest() {
        int least = 64 * 1024 + 1;
        return Stream.of(
                "a".repeat(least),
                "\0" + "a".repeat(least - 1),
                "\r\n\n" + " ".repeat(least),
                RespClient.request("PING") + "\r\n" + "a".repeat(least));
    }

    @ParameterizedTest
    @MethodSource("inputWithoutARequest")
    void longInputWithoutARequestIsRefusedAlike(String sent) throws Exception {
        sameBytes(sent, "");
    }

    @ParameterizedTest
    @MethodSource("input")
    void inputBetweenRequestsIsTakenAlike(String sent) throws Exception {
        sameBytes(sent, QUIT);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "HSET h a 1 ; SCAN 0 TYPE HASH ; SCAN 0 TYPE Hash ; SCAN 0 TYPE string ; SCAN 0 TYPE \"\" ; DEL h",
                "SCAN 00 ; SCAN +0 ; SCAN -0 ; SCAN \"\" ; SCAN + ; SCAN \" 0\" ; SCAN \"0 \" ; SCAN 0\\0x ; SCAN \\t0 ; SCAN 0x1 ; SCAN abc",
                "SCAN 18446744073709551616 ; SCAN 99999999999999999999999 ; SCAN -18446744073709551616",
                "HSCAN none 00 ; HSCAN none +0 ; HSCAN none -1 ; HSCAN none \"\" ; HSCAN none x ; HSCAN none 18446744073709551615",
                "HSCAN none 0 COUNT abc ; HSCAN none 0 FOO ; HSCAN none x FOO ; HSCAN none 0 MATCH",
                "HSET h a 1 ; HSCAN h 00 COUNT abc ; HSCAN h 0 FOO ; HSCAN h +0 COUNT 0 ; HSCAN h 0 MATCH ; DEL h",
                "CLIENT KILL ID 0 ; CLIENT KILL ID -1 ; CLIENT KILL ID abc ; CLIENT KILL USER nobody ; CLIENT KILL USER \"\"",
                "CLIENT KILL ID 0 foo ; CLIENT KILL TYPE x ADDR ; CLIENT KILL ID 999999 foo ; CLIENT KILL FOO 1 ; CLIENT KILL 1.2.3.4:5",
                "CLIENT KILL USER no\\0body ; CLIENT KILL SKIPME maybe ; CLIENT LIST ID x ; CLIENT LIST TYPE foo ; CLIENT LIST FOO x",
                "CLIENT NO-EVICT on ; CLIENT NO-EVICT x ; CLIENT UNPAUSE ; CLIENT TRACKING off ; CLIENT TRACKING x ; CLIENT",
                "MULTI ; CLIENT ID x ; EXEC ; EXEC",
                "MULTI ; CLIENT NOPE ; EXEC",
                "MULTI ; CONFIG GET ; EXEC",
                "MULTI ; SLOWLOG LEN x ; PING ; EXEC",
                "MULTI ; SLOWLOG LEN ; SLOWLOG GET abc ; PING ; EXEC",
                "MULTI ; HSET a b ; EXEC",
                "EXEC x ; MULTI ; EXEC x ; EXEC ; DISCARD ; DISCARD x",
                "MULTI ; MULTI ; EXEC",
                "SLOWLOG GET -5 ; SLOWLOG GET abc ; SLOWLOG GET -1 ; SLOWLOG GET 1 2 ; SLOWLOG LEN x ; SLOWLOG FOO ; SLOWLOG",
                "NO\\0SUCH a\\0b c ; \\0 ; \"\" ; CLIENT LI\\0ST ; CONFIG \\0 ; NOSUCH \"a\\r\\nb\" \"\"",
                "NOSUCH aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b c d"
                        + " eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee f",
                "COMMAND LIST foo ; COMMAND LIST FILTERBY X Y ; COMMAND LIST FILTERBY PATTERN ; COMMAND LIST FILTERBY MODULE x",
                "COMMAND LIST FILTERBY ACLCAT nocat ; COMMAND LIST FILTERBY ACLCAT @hash ; COMMAND LIST filterby pattern HGETA*",
                "COMMAND LIST FILTERBY PATTERN HGETA* FILTERBY PATTERN HKEY? ; COMMAND LIST FILTERBY PATTERN a FILTERBY MODULE",
                "COMMAND INFO slowlog|len SLOWLOG|GET nosuch client| client|list|x hset|x",
                "COMMAND GETKEYS NOSUCH x ; COMMAND GETKEYS PING x ; COMMAND GETKEYS HSET x ; COMMAND GETKEYS CLIENT LIST x",
                "COMMAND GETKEYS RENAME a b ; COMMAND GETKEYS CLIENT x ; COMMAND GETKEYS DEL a b c ; COMMAND GETKEYS x ; COMMAND FOO",
                "COMMAND DOCS nosuch ; COMMAND COUNT x",
                "CONFIG RESETSTAT ; CONFIG RESETSTAT x ; CONFIG ; CONFIG FOO x ; CONFIG GET",
                "CLIENT REPLY SKIP ; ECHO a ; ECHO b",
                "CLIENT REPLY OFF ; ECHO a ; HLEN h ; CLIENT REPLY ON ; ECHO b",
                "CLIENT REPLY SKIP ; CLIENT REPLY ON ; ECHO a",
                "CLIENT REPLY SKIP ; CLIENT REPLY SKIP ; ECHO a ; ECHO b",
                "CLIENT REPLY OFF ; NOSUCH ; EXEC ; HLEN ; DEL a b ; HGETALL h ; SCAN 0 ; CLIENT REPLY ON",
                "CLIENT REPLY SKIP ; HLEN h ; HLEN h ; CLIENT REPLY x",
                "SET v abc ; GET v ; GET none ; GETDEL v ; GET v ; GETSET v x ; GETSET v y ; GETDEL none ; SETNX v x ; SETNX w x ; DEL v w",
                "SET v abc ; SET v x NX ; SET v x XX GET ; SET none x XX ; SET none x GET ; DEL none ; SET v y nx get ; GET v ; DEL v",
                "SET v abc KEEPTTL ; SET v ; SET v x NX XX ; SET v x FOO ; SET v x EX ; SET v x GET GET KEEPTTL KEEPTTL ; GET ; GET v ; DEL v",
                "SET v \"\" ; GET v ; STRLEN v ; EXISTS v ; TYPE v ; GETRANGE v 0 -1 ; INCRBYFLOAT v 1 ; INCRBYFLOAT v inf ; INCR v ; DEL v",
                "SET v abc ; APPEND v de ; APPEND n \"\" ; EXISTS n ; APPEND n x ; STRLEN v ; STRLEN none ; GET v ; DEL v n",
                "SET v abc ; GETRANGE v 0 1 ; GETRANGE v -2 -1 ; GETRANGE v 5 9 ; GETRANGE v 0 -100 ; GETRANGE v -1 -100 ; SUBSTR v 1 1 ; DEL v",
                "SET v abc ; GETRANGE v x 1 ; GETRANGE v 1 x ; GETRANGE none 0 -1 ; GETRANGE v 0 ; SUBSTR v 0 ; DEL v",
                "SET v abc ; SETRANGE v 1 XY ; SETRANGE v 5 z ; GET v ; SETRANGE v 0 \"\" ; SETRANGE n 0 \"\" ; EXISTS n ; SETRANGE n 2 a ; GET n ; DEL v n",
                "SET v abc ; SETRANGE v -1 x ; SETRANGE v x x ; SETRANGE v 1 ; SETRANGE v 99999999999999999999 x ; DEL v",
                "INCR n ; INCRBY n 41 ; DECR n ; DECRBY n 41 ; GET n ; INCR n x ; INCRBY n x ; INCRBY n 1.5 ; DEL n",
                "SET n 9223372036854775807 ; INCR n ; DECRBY n -1 ; DECRBY n -9223372036854775808 ; INCRBY n 9223372036854775808 ; GET n ; DEL n",
                "SET n \" 1\" ; INCR n ; SET n 01 ; INCR n ; SET n 1.0 ; INCR n ; SET n -0 ; INCR n ; SET n +1 ; INCR n ; DEL n",
                "SET v abc ; INCR v ; INCRBYFLOAT v 1 ; INCRBYFLOAT v x ; INCRBYFLOAT v inf ; INCRBYFLOAT none inf ; INCRBYFLOAT none x ; DEL v",
                "INCRBYFLOAT n 10.50 ; INCRBYFLOAT n 0.1 ; INCRBYFLOAT n -5 ; INCRBYFLOAT n 5.0e3 ; GET n ; INCRBYFLOAT n nan ; INCRBYFLOAT n ; DEL n",
                "INCRBYFLOAT n 1e-4951 ; INCRBYFLOAT n -1.8225e-4951 ; EXISTS n ; HINCRBYFLOAT h f 1e-4951 ; INCRBYFLOAT n 1.8226e-4951 ; GET n ; DEL n",
                "HSET h f 1 ; GET h ; GETDEL h ; GETSET h x ; SETNX h x ; APPEND h x ; STRLEN h ; GETRANGE h 0 1 ; SETRANGE h 0 x ; SETRANGE h -1 x ; DEL h",
                "HSET h f 1 ; INCR h ; DECRBY h 1 ; INCRBY h x ; INCRBYFLOAT h 1 ; INCRBYFLOAT h x ; INCRBYFLOAT h inf ; SET h x GET ; SET h x NX ; DEL h",
                "HSET h f 1 ; SET v abc ; MGET h v none ; MGET v v ; MGET ; EXISTS h v v none ; TOUCH h v none ; TYPE v ; TYPE h ; TYPE none ; DEL h v",
                "HSET h f 1 ; SET h x XX ; TYPE h ; HGET h f ; HSET h f 1 ; DEL h ; HSET h f 1 ; TYPE h ; SET h y ; GET h ; DEL h",
                "SET v abc ; HGET v f ; HSET v f 1 ; HSETNX v f 1 ; HMSET v f 1 ; HLEN v ; HDEL v f ; HKEYS v ; HVALS v ; HGETALL v ; HMGET v f ; DEL v",
                "SET v abc ; HSCAN v 0 ; HSCAN v x ; HSCAN v 0 FOO ; HRANDFIELD v ; HRANDFIELD v 2 ; HEXISTS v f ; HSTRLEN v f ; DEL v",
                "SET v abc ; HINCRBY v f x ; HINCRBY v f 1 ; HINCRBYFLOAT v f x ; HINCRBYFLOAT v f 1 ; TTL v ; PTTL v ; TTL none ; DEL v",
                "MSET a 1 b 2 a 3 ; MGET a b c ; MSET a ; MSET a b c ; MSET ; HSET h f 1 ; MSET h x a 4 ; MGET h a ; DEL a b h",
                "MSETNX a 1 b 2 ; MSETNX b 3 c 4 ; MGET a b c ; MSETNX a b c ; MSETNX d 1 d 2 ; GET d ; HSET h f 1 ; MSETNX h 1 e 1 ; DEL a b d h",
                "SET v abc ; RENAME v w ; GET w ; GET v ; HSET h f 1 ; RENAME w h ; GET h ; HSET g f 1 ; RENAME g h ; HGETALL h ; RENAME none x ; DEL h",
                "SET v abc ; UNLINK v none ; GET v ; SET v x ; DEL v v ; DBSIZE",
                "SET v abc ; SCAN 0 TYPE string ; SCAN 0 TYPE hash ; SCAN 0 TYPE STRING ; SCAN 0 TYPE list ; SCAN 0 ; KEYS * ; RANDOMKEY ; DBSIZE ; DEL v",
                "SET i 12 ; SET v abc ; HSET h f 1 ; OBJECT ENCODING i ; OBJECT ENCODING v ; OBJECT ENCODING h ; OBJECT ENCODING none ; DEL i v h",
                "SET v aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ; OBJECT ENCODING v ; OBJECT REFCOUNT v ; OBJECT REFCOUNT none ; DEL v",
                "SET v abc ; OBJECT FREQ v ; OBJECT FREQ none ; OBJECT FOO ; OBJECT ; OBJECT ENCODING ; OBJECT ENCODING v x ; DEL v",
                "MULTI ; SET v 1 ; INCR v ; APPEND v 0 ; GET v ; HGET v f ; MGET v v ; MSET v x ; GETDEL v ; EXISTS v ; EXEC ; GET v",
                "MULTI ; SET v ; EXEC ; MULTI ; SET v x FOO ; SETRANGE v -1 x ; GET v ; EXEC ; DEL v",
                "SET v 1 ; HSET h f 1 ; MULTI ; INCR v ; HSET h g 2 ; GET v ; HLEN h ; SET w x ; DEL v w ; EXISTS h v w ; EXEC ; MGET v w ; DEL h",
                "MULTI ; SET a 1 ; HGET a f ; INCR b ; MSET c 1 d 2 ; MGET a b c d ; EXEC ; DEL a b c d",
                "SET v 1 ; WATCH v ; MULTI ; INCR v ; EXEC ; WATCH v ; SET v 5 ; MULTI ; INCR v ; EXEC ; GET v ; DEL v",
                "SET v 1 ; WATCH v none ; UNWATCH ; SET v 2 ; MULTI ; GET v ; EXEC ; WATCH none ; SET none x ; MULTI ; PING ; EXEC ; DEL v none",
                "WATCH v ; MULTI ; WATCH v ; UNWATCH ; EXEC ; WATCH v ; MULTI ; DISCARD ; SET v 1 ; MULTI ; GET v ; EXEC ; DEL v ; WATCH",
                "SET v a ; RENAMENX v w ; RENAMENX none w ; GET w ; SET v b ; RENAMENX v w ; RENAMENX v v ; RENAMENX none none ; HSET h f 1 ; RENAMENX h x ; HGET x f ; DEL v w x",
                "SET v a ; COPY v v ; COPY v w DB x ; COPY v w FOO ; COPY v w DB ; COPY v ; COPY v v FOO ; COPY v w DB 0 ; COPY v v REPLACE ; DEL v w",
                "MEMORY USAGE none ; MEMORY USAGE none SAMPLES 5 ; MEMORY USAGE v SAMPLES x ; MEMORY USAGE v FOO ; MEMORY USAGE ; MEMORY FOO ; MEMORY",
                "FLUSHDB FOO ; FLUSHALL SYNC ; SET v 1 ; HSET h f 1 ; FLUSHALL ASYNC FOO ; DBSIZE ; FLUSHDB ; DBSIZE ; EXISTS v h ; FLUSHALL async ; FLUSHDB sync",
                "HSET h f 1 ; WATCH h ; HGET h f ; HLEN h ; MULTI ; HSET h f 2 ; EXEC ; WATCH h ; HDEL h f ; MULTI ; PING ; EXEC ; WATCH h ; RENAME none x",
                "HSET h f 1 ; WATCH h w ; RENAME h w ; MULTI ; PING ; EXEC ; WATCH w ; DEL none ; MULTI ; TTL none ; EXEC ; DEL w",
                "SET v abc ; COPY v w ; GET w ; COPY v w ; COPY v w REPLACE ; COPY none w ; COPY none w REPLACE ; GET w ; DEL v w",
                "HSET h a 1 b 2 ; COPY h g ; HLEN g ; HMGET g a b ; HSET g c 3 ; HLEN h ; SET v x ; COPY h v ; COPY h v replace ; TYPE v ; DEL g h v",
                "SET v abc EX 100 ; TTL v ; PERSIST v ; PERSIST v ; TTL v ; PTTL v ; PERSIST none ; TTL none ; PTTL none ; DEL v",
                "SET v abc ; EXPIRETIME v ; PEXPIRETIME v ; EXPIRETIME none ; PEXPIRETIME none ; TTL ; PERSIST v x ; DEL v",
                "SET v abc EXAT 33000000000 ; EXPIRETIME v ; PEXPIRETIME v ; SET v x ; EXPIRETIME v ; SET v x PXAT 33000000000500 ; DEL v",
                "SET v x PXAT 33000000000500 ; PEXPIRETIME v ; EXPIRETIME v ; SET v y KEEPTTL ; PEXPIRETIME v ; GET v ; DEL v",
                "SET v a EX 0 ; SET v a EX x ; SET v a PX 1 EX 1 ; SET v a EX 1 KEEPTTL ; SET v a KEEPTTL EX 1 ; SET v a EX ; GET v",
                "SET v a PX 9223372036854775807 ; SET v a EX 9223372036854775807 ; SET v a PXAT 9223372036854775807 ; PEXPIRETIME v ; DEL v",
                "SET v a ; SET v x EXAT 1 ; GET v ; EXISTS v ; TTL v ; SET v x PXAT -1 ; SET v x EX 1.5 ; GET v ; SETNX v b ; DEL v",
                "SET v a EX 100 EX 200 ; TTL v ; SET v b EX 100 NX ; TTL v ; SET v c XX EX 100 GET ; TTL v ; SET v d GET EX ; DEL v",
                "SETEX v 100 abc ; TTL v ; GET v ; SETEX v 0 x ; SETEX v abc x ; PSETEX v -1 x ; SETEX v 9223372036854775807 x ; SETEX v ; DEL v",
                "PSETEX v 100000 y ; TTL v ; HSET h f 1 ; SETEX h 100 x ; GET h ; TTL h ; PSETEX h x x ; DEL v h",
                "SET v abc ; GETEX v EX 100 ; TTL v ; GETEX v ; TTL v ; GETEX v PERSIST ; TTL v ; GETEX v PX 200000 PX 100000 ; TTL v ; DEL v",
                "SET v abc ; GETEX v EX 0 ; GETEX v EX x ; GETEX v FOO ; GETEX v EX ; GETEX v EX 1 PERSIST ; GETEX v KEEPTTL ; GETEX ; TTL v ; DEL v",
                "GETEX none EX 0 ; GETEX none EX x ; GETEX none EX 100 ; GETEX none ; SET v abc ; GETEX v EXAT 1 ; GET v ; EXISTS v",
                "HSET h f 1 ; GETEX h ; GETEX h EX 0 ; GETEX h EX 100 ; GETEX h FOO ; TTL h ; DEL h",
                "SET v abc ; EXPIRE v 100 ; TTL v ; EXPIRE v 200 NX ; EXPIRE v 200 XX ; TTL v ; EXPIRE v 100 GT ; EXPIRE v 300 GT ; TTL v ; DEL v",
                "SET v abc EX 300 ; EXPIRE v 400 LT ; EXPIRE v 200 LT ; TTL v ; EXPIRE v 200 LT ; EXPIRE v 100 XX LT ; EXPIRE v 400 XX GT ; TTL v ; DEL v",
                "SET v abc ; EXPIRE v 100 XX ; EXPIRE v 100 GT ; EXPIRE v 100 XX GT ; EXPIRE v 100 XX LT ; TTL v ; EXPIRE v 100 LT ; TTL v ; DEL v",
                "SET v abc ; EXPIRE v x ; EXPIRE v 10 NX XX ; EXPIRE v 10 NX GT ; EXPIRE v 10 GT LT ; EXPIRE v 10 FOO ; EXPIRE v x FOO ; EXPIRE v ; DEL v",
                "EXPIRE none 10 ; EXPIRE none x ; EXPIRE none 10 FOO ; EXPIRE none 10 XX ; PEXPIREAT none 1 ; SET v a ; EXPIRE v 100 nx NX ; TTL v ; DEL v",
                "SET v abc ; EXPIRE v 9223372036854775807 ; EXPIRE v -9223372036854775808 ; PEXPIRE v 9223372036854775807 ; EXPIREAT v -9223372036854775808 ; DEL v",
                "SET v abc ; PEXPIREAT v 9223372036854775807 ; PEXPIRETIME v ; EXPIRE v -1 ; EXISTS v ; GET v ; EXPIRE v -1 ; SET v a ; PEXPIRE v 0 ; GET v",
                "SET v abc ; PEXPIRE v 100000 ; TTL v ; PEXPIRE v 90000 GT ; PEXPIRE v 90000 NX ; PEXPIRE v 90000 LT ; TTL v ; PEXPIRE none 1000 ; DEL v",
                "SET v abc ; PEXPIREAT v -1 ; GET v ; SET v abc EX 100 ; EXPIREAT v 1 GT ; GET v ; EXPIREAT v 1 NX ; GET v ; EXPIREAT v 1 LT ; GET v",
                "HSET h f 1 ; EXPIRE h 100 ; TTL h ; HSET h g 2 ; TTL h ; HDEL h f ; TTL h ; HINCRBY h g 1 ; TTL h ; DEL h ; HSET h f 1 ; TTL h ; DEL h",
                "HSET h f 1 g 2 ; EXPIREAT h 1 ; HGET h f ; HLEN h ; EXISTS h ; TYPE h ; HSET h f 2 ; HGETALL h ; TTL h ; EXPIREAT h 33000000000 ; SET h x ; TTL h ; DEL h",
                "SET v 1 EX 100 ; INCR v ; TTL v ; APPEND v 5 ; TTL v ; SETRANGE v 0 9 ; TTL v ; INCRBYFLOAT v 0.5 ; TTL v ; GETSET v y ; TTL v ; DEL v",
                "SET v 1 EX 100 ; MSET v z ; TTL v ; EXPIRE v 100 ; GETDEL v ; SET v 1 ; TTL v ; EXPIRE v 100 ; DEL v ; MSETNX v 1 ; TTL v ; DEL v",
                "SET v abc EX 100 ; RENAME v w ; TTL w ; SET x 1 ; RENAME x w ; TTL w ; SET v a EX 100 ; SETNX v b ; TTL v ; HSET h f 1 ; RENAME h v ; TTL v ; DEL v w",
                "MULTI ; SET v a EX 100 ; TTL v ; EXPIRE v 200 ; TTL v ; PERSIST v ; TTL v ; EXPIRE v x ; EXPIRE v -1 ; GET v ; EXEC ; GET v",
                "SET v a EX 100 ; SCAN 0 ; KEYS * ; DBSIZE ; RANDOMKEY ; OBJECT ENCODING v ; TYPE v ; STRLEN v ; GETRANGE v 0 -1 ; TOUCH v ; DEL v",
                "HSET h f 1 ; WATCH h ; EXPIRE h 100 ; MULTI ; PING ; EXEC ; WATCH h ; EXPIRE h 1 NX ; MULTI ; TTL h ; EXEC ; DEL h",
                "SET v abc EX 100 ; COPY v w ; TTL w ; COPY v w ; SET w x ; COPY v w REPLACE ; TTL w ; PERSIST v ; TTL w ; DEL v w",
                "HSET h a 1 b 2 ; EXPIRE h 100 ; COPY h g ; TTL g ; SET v x EX 50 ; COPY h v REPLACE ; TTL v ; DEL g h v",
                "LATENCY RESET ; LATENCY HISTORY x ; LATENCY LATEST ; LATENCY ; LATENCY FOO",
                "INFO nosuch ; HELLO 4 ; HELLO x ; HELLO 2 FOO ; HELLO 2 SETNAME ; SELECT x ; SELECT 0",
            })
    void requestsAreAnsweredAlike(String requests) throws Exception {
        StringBuilder sent = new StringBuilder();
        for (String line : requests.split(" ; ", -1)) {
            sent.append(request(line));
        }
        sameBytes(sent.toString(), QUIT);
    }

    @Test
    void theIdleTimeIsRefusedAsByARedisWhosePolicyIsOneOfLfu() throws Exception {
        try (RespClient theirs = new RespClient(redis.address())) {
            assertThat(theirs.say("CONFIG SET maxmemory-policy allkeys-lfu")).isEqualTo("OK");
            requestsAreAnsweredAlike("SET v abc ; OBJECT IDLETIME v ; OBJECT IDLETIME none ; OBJECT IDLETIME ; DEL v");
            theirs.say("CONFIG SET maxmemory-policy noeviction");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"EXEC", "MULTI", "EXEC x", "HGET a", "CLIENT ID", "CLIENT ID x", "NOSUCH", "AUTH", "CLIENT FOO"})
    void requestsBeforeTheLoginAreRefusedAlike(String line) throws Exception {
        String sent = request(line) + request("AUTH sesame") + request("PING") + QUIT;
        assertThat(bytes(lockedCluster.node("foo").clients(), sent)).isEqualTo(bytes(locked.address(), sent));
    }

    /** Commands with subcommands are left out: Redis has more of these. */
    @ParameterizedTest
    @ValueSource(strings = {"2", "3"})
    void theTableSaysOfACommandWhatThatOfRedisSays(String version) throws Exception {
        Set<String> differing = new TreeSet<>();
        try (RespClient ours = new RespClient(cluster.node("foo").clients());
                RespClient theirs = new RespClient(redis.address())) {
            ours.ask("HELLO", version);
            theirs.ask("HELLO", version);
            List<String> names = names(ours.say("COMMAND LIST"));
            List<String> known = names(theirs.say("COMMAND LIST"));
            assertThat(names)
                    .contains("hset", "client|list", "config|resetstat")
                    .hasSizeGreaterThan(60);
            for (String name : names) {
                if (!known.contains(name) || CONTAINERS.contains(name)) {
                    continue;
                }
                String info = ours.ask("COMMAND", "INFO", name).replace(" no_multi", "");
                if (!info.equals(theirs.ask("COMMAND", "INFO", name))) {
                    differing.add("INFO " + name);
                }
                String arguments = arguments(ours.ask("COMMAND", "DOCS", name));
                if (!arguments.equals(arguments(theirs.ask("COMMAND", "DOCS", name)))) {
                    differing.add("DOCS " + name);
                }
            }
        }
        assertThat(differing)
                .containsExactly(
                        // Names of arguments that say more.
                        "DOCS client|kill",
                        // Is refused as a whole.
                        "DOCS client|tracking",
                        // Redis names no arguments.
                        "DOCS command|getkeys",
                        // NOVALUES is of Redis 7.4.
                        "DOCS hscan",
                        // IFEQ is of Redis 8.4.
                        "DOCS set",
                        // Redis has a note at the key.
                        "INFO getex",
                        "INFO set");
    }

    private static List<String> names(String reply) {
        return Pattern.compile("\"([^\"]*)\"")
                .matcher(reply)
                .results()
                .map(name -> name.group(1))
                .toList();
    }

    /** The arguments in the document of a command, without the versions that had them first. */
    private static String arguments(String docs) {
        int from = docs.indexOf("\"arguments\" [");
        return from < 0 ? "" : docs.substring(from).replaceAll(" \"since\" \"[^\"]*\"", "");
    }
}
