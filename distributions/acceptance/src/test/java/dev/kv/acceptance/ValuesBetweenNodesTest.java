package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Values that stand on several nodes, and at one that keeps none. */
@Timeout(60)
final class ValuesBetweenNodesTest {
    private static final int MIB = 1024 * 1024;

    private Cluster cluster;

    @BeforeEach
    void make(@TempDir Path folder) throws IOException {
        cluster = new Cluster(folder, "foo", "bar", "front");
        cluster.node("front").keepNoData();
    }

    @AfterEach
    void close() {
        cluster.close();
    }

    private void start() {
        cluster.start("a..m=foo@h,n..z=bar@h");
    }

    private RespClient client(String node) throws IOException {
        return new RespClient(cluster.node(node).clients());
    }

    @Test
    void valuesOfSeveralNodesAreSetAndReadTogether() throws Exception {
        start();
        try (RespClient client = client("front")) {
            assertThat(client.say("MSET apple 1 pear 2 melon 3 pear 4")).isEqualTo("OK");
            assertThat(client.say("HSET nuts k v")).isEqualTo(":1");
            assertThat(client.say("MGET pear none apple nuts melon")).isEqualTo("[\"4\" nil \"1\" nil \"3\"]");
            assertThat(client.say("EXISTS pear none apple nuts")).isEqualTo(":3");
            assertThat(client.say("SCAN 0 TYPE hash COUNT 100")).isEqualTo("[\"0\" [\"nuts\"]]");
            assertThat(client.say("MSETNX kiwi 1 lemon 2")).isEqualTo(":1");
            assertThat(client.say("MSETNX date 1 pear 2"))
                    .isEqualTo(
                            "ERR foo@h does not keep \"pear\": one node has to keep all names that are set together");
            assertThat(client.say("MGET date lemon")).isEqualTo("[nil \"2\"]");

            cluster.node("front").to(cluster.node("bar")).silence();
            assertThat(client.say("MGET apple pear melon"))
                    .startsWith("UNCERTAIN bar@h")
                    .endsWith("(2 of 3 done)");
            assertThat(client.say("MSET apple 5 pear 5")).startsWith("UN").endsWith("(1 of 2 done)");
            assertThat(client.say("MGET apple melon")).isEqualTo("[\"5\" \"3\"]");
        }
    }

    private static String request(String command, Stream<String> words) {
        return RespClient.request(Stream.concat(Stream.of(command), words).toArray(String[]::new));
    }

    /** In one pipeline: each request sees what those before it have changed. */
    @Test
    void tenThousandNamesOfSeveralNodesAreAnsweredInTheirOrder() throws Exception {
        start();
        int count = 10_000;
        List<String> names = IntStream.range(0, count)
                .mapToObj(i -> (i % 3 == 0 ? "apple" : "pear") + i)
                .toList();
        String large = "v".repeat(200_000);
        for (String node : new String[] {"foo", "bar", "front"}) {
            try (RespClient client = client(node)) {
                client.send(request("MSET", names.stream().flatMap(name -> Stream.of(name, "of " + name)))
                        + RespClient.request("SET", names.get(5_000), large)
                        + RespClient.request("DEL", names.get(6_000), names.get(6_001))
                        + RespClient.request("HSET", names.get(6_001), "k", "v")
                        + request("MGET", names.stream())
                        + RespClient.request("SET", names.get(0), "later")
                        + request("EXISTS", names.stream())
                        + request("TOUCH", names.stream())
                        + request("DEL", names.stream())
                        + RespClient.request("MGET", names.get(0), names.get(1)));
                assertThat(client.reply()).isEqualTo("OK");
                assertThat(client.reply()).isEqualTo("OK");
                assertThat(client.reply()).isEqualTo(":2");
                assertThat(client.reply()).isEqualTo(":1");
                assertThat(client.reply())
                        .isEqualTo(IntStream.range(0, count)
                                .mapToObj(i -> switch (i) {
                                    case 5_000 -> '"' + large + '"';
                                    case 6_000, 6_001 -> "nil";
                                    default -> "\"of " + names.get(i) + '"';
                                })
                                .collect(Collectors.joining(" ", "[", "]")));
                assertThat(client.reply()).isEqualTo("OK");
                for (int i = 0; i < 3; i++) {
                    assertThat(client.reply()).isEqualTo(":" + (count - 1));
                }
                assertThat(client.reply()).isEqualTo("[nil nil]");
            }
        }
    }

    @Test
    void whatANodeThatIsDownKeepsIsTheOnlyPartThatIsNotDone() throws Exception {
        start();
        try (RespClient client = client("front")) {
            String names = "apple pear berry plum cherry quince";
            assertThat(client.say("MSET apple 1 pear 2 berry 3 plum 4 cherry 5 quince 6"))
                    .isEqualTo("OK");
            cluster.node("bar").kill();
            assertThat(client.say("MSET apple 7 pear 7 berry 7 plum 7 cherry 7"))
                    .startsWith("UN")
                    .endsWith("(3 of 5 done)");
            for (String command : new String[] {"MGET", "EXISTS", "TOUCH", "DEL"}) {
                assertThat(client.say(command + " " + names))
                        .as(command)
                        .startsWith("UN")
                        .endsWith("(3 of 6 done)");
            }
            assertThat(client.say("EXISTS apple berry cherry")).isEqualTo(":0");
            cluster.node("bar").start("*=bar@h");
            Await.until(() -> client.say("MGET pear plum").equals("[\"2\" \"4\"]"));
        }
    }

    /** The values of one MGET together are larger than what the front may give to a client that takes no reply. */
    @Test
    void manyLargeValuesOfAnotherNodeAreReadTogether() throws Exception {
        cluster.node("front").set("kv.router.assembly-max", "16MiB");
        cluster.set("kv.router.value-max", "8MiB");
        start();
        String value = "v".repeat(5 * MIB);
        try (RespClient client = client("front")) {
            for (String name : new String[] {"a", "b", "pear"}) {
                assertThat(client.ask("SET", name, value)).isEqualTo("OK");
            }
            assertThat(client.say("MGET a b pear none"))
                    .isEqualTo("[\"%s\" \"%s\" \"%s\" nil]".formatted(value, value, value));
            assertThat(client.say("STRLEN b")).isEqualTo(":" + value.length());
        }
        try (RespClient client = client("foo")) {
            assertThat(client.say("MGET a b pear none"))
                    .isEqualTo("[\"%s\" \"%s\" \"%s\" nil]".formatted(value, value, value));
        }
    }

    @Test
    void moreThanAReplyHoldsIsAnError() throws Exception {
        cluster.set("kv.router.value-max", "2MiB");
        cluster.set("kv.router.reply-max", "4MiB");
        start();
        String value = "v".repeat(MIB + MIB / 2);
        try (RespClient client = client("front")) {
            for (String name : new String[] {"a", "b", "pear"}) {
                assertThat(client.ask("SET", name, value)).isEqualTo("OK");
            }
            assertThat(client.say("MGET a b pear"))
                    .isEqualTo("ERR reply too large (kv.router.reply-max), ask for fewer keys at once");
            assertThat(client.say("APPEND a none")).isEqualTo(":" + (value.length() + 4));
            assertThat(client.ask("APPEND", "a", value))
                    .isEqualTo("TOOLARGE the value has %d bytes, at most 2097152 are allowed (kv.router.value-max)"
                            .formatted(2 * value.length() + 4));
            assertThat(client.say("SETRANGE none 2097152 x"))
                    .isEqualTo(
                            "TOOLARGE the value has 2097153 bytes, at most 2097152 are allowed (kv.router.value-max)");
            assertThat(client.say("EXISTS none")).isEqualTo(":0");
        }
    }

    /** What is newer than the Redis that the other tests compare with. */
    @Test
    void aValueIsReplacedOrDeletedOnlyIfItIsTheOneThatIsKnown() throws Exception {
        start();
        for (String node : new String[] {"foo", "front"}) {
            try (RespClient client = client(node)) {
                assertThat(client.say("SET lock a IFEQ a")).isEqualTo("nil");
                assertThat(client.say("SET lock a IFEQ a GET")).isEqualTo("nil");
                assertThat(client.say("EXISTS lock")).isEqualTo(":0");
                assertThat(client.say("SET lock a NX")).isEqualTo("OK");
                assertThat(client.say("SET lock b IFEQ x")).isEqualTo("nil");
                assertThat(client.say("SET lock b IFEQ a")).isEqualTo("OK");
                assertThat(client.say("SET lock c IFEQ b GET")).isEqualTo("\"b\"");
                assertThat(client.say("SET lock x IFEQ b GET")).isEqualTo("\"c\"");
                assertThat(client.say("SET lock c IFEQ x EX 100")).isEqualTo("nil");
                assertThat(client.say("TTL lock")).isEqualTo(":-1");
                assertThat(client.say("SET lock c IFEQ c EX 100")).isEqualTo("OK");
                assertThat(client.say("TTL lock")).matches(":([5-9][0-9]|100)");
                assertThat(client.say("SET lock c IFEQ c KEEPTTL")).isEqualTo("OK");
                assertThat(client.say("TTL lock")).matches(":([5-9][0-9]|100)");
                assertThat(client.say("SET lock c IFEQ c")).isEqualTo("OK");
                assertThat(client.say("TTL lock")).isEqualTo(":-1");
                assertThat(client.say("SET lock d NX IFEQ c")).isEqualTo("ERR syntax error");
                assertThat(client.say("DELIFEQ lock b")).isEqualTo(":0");
                assertThat(client.say("DELEX lock IFEQ b")).isEqualTo(":0");
                assertThat(client.say("DELEX lock IFEQ c")).isEqualTo(":1");
                assertThat(client.say("DELIFEQ lock c")).isEqualTo(":0");
                assertThat(client.say("HSET h f v")).isEqualTo(":1");
                for (String request : new String[] {"SET h a IFEQ v", "DELEX h IFEQ v", "DELIFEQ h v"}) {
                    assertThat(client.say(request))
                            .as(request)
                            .isEqualTo("WRONGTYPE Operation against a key holding the wrong kind of value");
                }
                assertThat(client.say("DELEX h IFEQ")).isEqualTo("ERR wrong number of arguments for 'delex' command");
                assertThat(client.say("DELEX h IFNE v")).isEqualTo("ERR syntax error");
                assertThat(client.say("DELEX h")).isEqualTo(":1");
            }
        }
    }

    @Test
    void aClientOfLinesIsToldOfAValue() throws Exception {
        start();
        try (RespClient client = client("front");
                LineClient lines = cluster.node("front").connect()) {
            assertThat(client.say("SET v x")).isEqualTo("OK");
            for (String line : new String[] {"CREATE v", "PUT v k x", "GET v k", "DELETE v k"}) {
                assertThat(lines.ask(line))
                        .as(line)
                        .isEqualTo("ERROR WRONGTYPE Operation against a key holding the wrong kind of value");
            }
            assertThat(client.say("GET v")).isEqualTo("\"x\"");
            assertThat(lines.ask("CREATE kept")).isEqualTo("OK");
            assertThat(client.say("APPEND kept x")).isEqualTo(":1");
            assertThat(client.say("TYPE kept")).isEqualTo("string");
        }
    }
}
