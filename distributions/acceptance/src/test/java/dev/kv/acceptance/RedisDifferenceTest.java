package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.acceptance.harness.RedisServer;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.RespClient;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The same random requests to a combined node, a server node and Redis get the same replies, while names expire. */
@Timeout(120)
final class RedisDifferenceTest {
    private static final long SEED = Long.getLong("kv.seed", System.nanoTime());
    private static final int REQUESTS = 10_000;
    private static final int AHEAD_MAX = 50;

    /** Commands whose replies have no defined order. */
    private static final Set<String> UNORDERED =
            Set.of("HGETALL", "HKEYS", "HVALS", "HSCAN", "KEYS", "HRANDFIELD", "SCAN");

    /** Commands whose replies tell the time, or what is left of it. */
    private static final Set<String> OF_TIME = Set.of("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME");

    /** By so much the replies of two servers may differ that set a relative time one after the other. */
    private static final long APART_SECONDS = 10;

    /** Seconds since 1970 from which on only absolute times are: the year 2984. */
    private static final long ABSOLUTE_SECONDS = 32_000_000_000L;

    private static final List<String> NUMBERS = List.of(
            "0",
            "1",
            "-1",
            "7",
            "-250",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "1.5",
            "+1",
            "01",
            "",
            "x");

    private static final List<String> DECIMALS = List.of(
            "0.1",
            "-0.1",
            "3.0e3",
            "1e17",
            "-1e-7",
            "123456789.123456789",
            "0.3333333333333333333333",
            "1e300",
            "99999999999999999999",
            "x",
            "",
            "inf",
            "1e5000",
            "7");

    private final Random random = new Random(SEED);

    /** How long names were given to live, in seconds. */
    private final Set<Long> relative = new HashSet<>();

    @Test
    void randomRequestsAreAnsweredAlike(@TempDir Path folder) throws Exception {
        try (RedisServer redis = RedisServer.start(folder);
                Cluster cluster = new Cluster(folder.resolve("nodes"), "foo", "front")) {
            cluster.node("front").keepNoData();
            cluster.start("*=foo@h");
            compare(redis, cluster, "foo", "2");
            compare(redis, cluster, "front", "3");
        }
    }

    private void compare(RedisServer redis, Cluster cluster, String node, String version) throws Exception {
        try (RespClient theirs = new RespClient(redis.address());
                RespClient ours = new RespClient(cluster.node(node).clients())) {
            theirs.ask("HELLO", version);
            ours.ask("HELLO", version);
            theirs.ask("DEL", "a", "b", "c", "d");
            ours.ask("DEL", "a", "b", "c", "d");
            int left = REQUESTS;
            while (left > 0) {
                if (random.nextInt(20) == 0) {
                    letExpire(theirs, ours);
                }
                List<String[]> requests = new ArrayList<>();
                for (int i = random.nextInt(AHEAD_MAX); i >= 0; i--) {
                    requests.addAll(random.nextInt(20) == 0 ? transaction() : List.<String[]>of(request()));
                }
                StringBuilder sent = new StringBuilder();
                requests.forEach(request -> sent.append(RespClient.request(request)));
                theirs.send(sent.toString());
                ours.send(sent.toString());
                for (String[] request : requests) {
                    String expected = theirs.reply();
                    String got = ours.reply();
                    boolean unordered = UNORDERED.contains(request[0]) || request[0].equals("EXEC");
                    if (!OF_TIME.contains(request[0]) || !areSameTime(request[0], got, expected)) {
                        assertThat(unordered ? sorted(got) : got)
                                .as("%s at %s, with -Dkv.seed=%d", Arrays.toString(request), node, SEED)
                                .isEqualTo(unordered ? sorted(expected) : expected);
                    }
                }
                left -= requests.size();
            }
        }
    }

    /** Has two names expire; returns when they have. */
    private void letExpire(RespClient theirs, RespClient ours) throws Exception {
        long millis = System.currentTimeMillis() + 20;
        String time = Long.toString(millis);
        for (int i = 0; i < 2; i++) {
            String name = one("a", "b", "c", "d");
            String[] request = switch (random.nextInt(3)) {
                case 0 -> new String[] {"SET", name, value(), "PXAT", time};
                case 1 -> new String[] {"GETEX", name, "PXAT", time};
                default -> new String[] {"PEXPIREAT", name, time};
            };
            assertThat(ours.ask(request)).as(Arrays.toString(request)).isEqualTo(theirs.ask(request));
        }
        Await.until("they have expired", () -> System.currentTimeMillis() > millis);
    }

    /** Whether two replies tell of one relative time, or of how long is left. */
    private static boolean areSameTime(String command, String got, String expected) {
        if (!got.matches(":[0-9]+") || !expected.matches(":[0-9]+")) {
            return false;
        }
        long unit = command.startsWith("P") ? 1_000 : 1;
        long time = Long.parseLong(expected.substring(1));
        return (command.endsWith("TTL") || time < ABSOLUTE_SECONDS * unit)
                && Math.abs(Long.parseLong(got.substring(1)) - time) <= APART_SECONDS * unit;
    }

    private static String sorted(String reply) {
        return String.join(
                " ", Arrays.stream(reply.split("[\\[\\]{} ]+")).sorted().toList());
    }

    private List<String[]> transaction() {
        List<String[]> requests = new ArrayList<>();
        requests.add(new String[] {"MULTI"});
        if (random.nextInt(4) == 0) {
            requests.add(0, new String[] {"WATCH", one("a", "b", "c", "d"), one("a", "b", "c", "d")});
            if (random.nextBoolean()) {
                requests.add(1, request());
            }
        }
        for (int i = random.nextInt(5); i >= 0; i--) {
            requests.add(request());
        }
        // These are not allowed in a transaction, or are compared one by one.
        requests.removeIf(request ->
                Set.of("RENAME", "RENAMENX", "COPY", "MSETNX").contains(request[0]) || OF_TIME.contains(request[0]));
        requests.add(new String[] {random.nextInt(10) == 0 ? "DISCARD" : "EXEC"});
        return requests;
    }

    private String[] request() {
        String bucket = one("a", "b", "c", "d");
        return switch (random.nextInt(46)) {
            case 0, 1, 2 -> words("HSET", bucket, pairs());
            case 3 -> new String[] {"HSETNX", bucket, field(), value()};
            case 4 -> words("HMSET", bucket, pairs());
            case 5, 6 -> new String[] {"HGET", bucket, field()};
            case 7 -> words("HMGET", bucket, fields());
            case 8 -> new String[] {"HGETALL", bucket};
            case 9, 10 -> words("HDEL", bucket, fields());
            case 11 -> new String[] {"HEXISTS", bucket, field()};
            case 12 -> new String[] {"HKEYS", bucket};
            case 13 -> new String[] {"HVALS", bucket};
            case 14 -> new String[] {"HLEN", bucket};
            case 15 -> new String[] {"HSTRLEN", bucket, field()};
            case 16 -> new String[] {"HINCRBY", bucket, field(), one(NUMBERS)};
            case 17, 18 -> new String[] {"HINCRBYFLOAT", bucket, field(), one(DECIMALS)};
            case 19 -> new String[] {"HRANDFIELD", bucket, "100", "WITHVALUES"};
            case 20 ->
                new String[] {"HSCAN", bucket, "0", "COUNT", "1000", "MATCH", one("*", "f*", "f?", "[a-f]1", "\\f1", "")
                };
            case 21 -> words("DEL", one("a", "b"), List.of(one("b", "c")));
            case 22 -> words(one("EXISTS", "TOUCH"), bucket, List.of("a", "b", "c"));
            case 23 -> new String[] {one("TYPE", "EXPIRETIME", "PEXPIRETIME", "TTL", "PTTL"), bucket};
            case 24 -> new String[] {one("RENAME", "RENAMENX", "COPY"), bucket, one("a", "b", "c", "d")};
            case 25, 26 -> words("SET", bucket, options());
            case 27 -> new String[] {one("GET", "GETDEL", "STRLEN", "INCR", "DECR"), bucket};
            case 28 -> new String[] {"GET", bucket};
            case 29 -> new String[] {one("GETSET", "SETNX", "APPEND"), bucket, part()};
            case 30 -> words("MGET", bucket, List.of("a", "b", "c"));
            case 31 -> words(one("MSET", "MSETNX"), bucket, values());
            case 32, 33 -> new String[] {one("INCRBY", "DECRBY"), bucket, one(NUMBERS)};
            case 34, 35 -> new String[] {"INCRBYFLOAT", bucket, one(DECIMALS)};
            case 36 -> new String[] {one("GETRANGE", "SUBSTR"), bucket, index(), index()};
            case 37 -> new String[] {"SETRANGE", bucket, offset(), part()};
            case 38 -> new String[] {"DEL", bucket};
            case 39 -> words(one("EXPIREAT", "PEXPIREAT"), bucket, times(time()));
            case 40 ->
                random.nextBoolean()
                        ? words("EXPIRE", bucket, times(seconds("")))
                        : words("PEXPIRE", bucket, times(seconds("000")));
            case 41 -> new String[] {"PERSIST", bucket};
            case 42 -> words("GETEX", bucket, expiry("PERSIST"));
            case 43, 44 -> new String[] {one("EXPIRETIME", "PEXPIRETIME", "TTL", "PTTL"), bucket};
            default -> new String[] {one("HSET", "HGET", "HINCRBY", "NOSUCH", "HDEL"), bucket};
        };
    }

    private static String[] words(String command, String bucket, List<String> more) {
        List<String> words = new ArrayList<>(List.of(command, bucket));
        words.addAll(more);
        return words.toArray(String[]::new);
    }

    private List<String> pairs() {
        List<String> pairs = new ArrayList<>();
        for (int i = random.nextInt(4); i >= 0; i--) {
            pairs.add(field());
            pairs.add(value());
        }
        if (random.nextInt(20) == 0) {
            pairs.removeLast();
        }
        return pairs;
    }

    /** A value, and options of {@code SET}. */
    private List<String> options() {
        List<String> words = new ArrayList<>(List.of(value()));
        while (random.nextInt(3) == 0) {
            words.add(one("NX", "XX", "GET", "KEEPTTL", "get", "FOO"));
        }
        if (random.nextInt(3) == 0) {
            words.addAll(expiry("KEEPTTL"));
        }
        return words;
    }

    /** An option that says when something expires, mostly. */
    private List<String> expiry(String plain) {
        return switch (random.nextInt(8)) {
            case 0 -> List.of();
            case 1 -> List.of(plain);
            case 2 -> List.of("EX", seconds(""));
            case 3 -> List.of("PX", seconds("000"));
            default -> List.of(one("EXAT", "PXAT"), time());
        };
    }

    /**
     * How long something has to live, mostly: behind the end of all tests, and further from any other than the servers are apart.
     *
     * @param zeros what makes milliseconds of seconds
     */
    private String seconds(String zeros) {
        if (random.nextInt(6) == 0) {
            return one("0", "-1", "1.5", "x", "", "9223372036854775807");
        }
        long seconds;
        do {
            seconds = 10_000L + 100L * random.nextInt(1_000_000);
        } while (!relative.add(seconds));
        return seconds + zeros;
    }

    /** A time, and options of {@code EXPIREAT} and {@code EXPIRE}. */
    private List<String> times(String time) {
        List<String> words = new ArrayList<>(List.of(time));
        while (random.nextInt(3) == 0) {
            words.add(one("NX", "XX", "GT", "LT", "FOO"));
        }
        return words;
    }

    /** Behind the end of all tests, or long past, as seconds and as milliseconds. */
    private String time() {
        return random.nextInt(6) == 0 ? one(NUMBERS) : Long.toString(33_000_000_000_000L + random.nextInt(5) * 250L);
    }

    /** A value, and more names with values. */
    private List<String> values() {
        List<String> words = new ArrayList<>(List.of(value()));
        while (random.nextInt(2) == 0) {
            words.add(one("a", "b", "c", "d"));
            words.add(value());
        }
        return words;
    }

    /** A value that makes no hexadecimal number of a part of another one, which nodes do not take. */
    private String part() {
        return value().replace('x', 'y');
    }

    /** Where SETRANGE writes, mostly. */
    private String offset() {
        return random.nextInt(10) == 0 ? "x" : Integer.toString(random.nextInt(30) - 2);
    }

    /** The position of a byte, mostly. */
    private String index() {
        return random.nextInt(10) == 0 ? one(NUMBERS) : Integer.toString(random.nextInt(40) - 20);
    }

    private List<String> fields() {
        List<String> fields = new ArrayList<>();
        for (int i = random.nextInt(3); i >= 0; i--) {
            fields.add(field());
        }
        return fields;
    }

    private String field() {
        return "f" + random.nextInt(8);
    }

    private String value() {
        return switch (random.nextInt(4)) {
            case 0 -> one(NUMBERS);
            case 1 -> one(DECIMALS);
            case 2 -> "\0\u00FF".repeat(random.nextInt(3)) + random.nextInt();
            default -> Integer.toString(random.nextInt(1000));
        };
    }

    private String one(String... choices) {
        return choices[random.nextInt(choices.length)];
    }

    private String one(List<String> choices) {
        return choices.get(random.nextInt(choices.size()));
    }
}
