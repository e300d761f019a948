package dev.kv.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.acceptance.harness.Cluster.Member;
import dev.kv.acceptance.harness.ThreeMembers;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * RESP commands on several buckets and on all buckets of a cluster. It is over 400 lines, as each of them is asked of every node, and while
 * one does not answer.
 */
@Timeout(60)
final class AllBucketsTest extends ThreeMembers {
    private static final String SHOP_AND_THIRDS = "shop-*=baz@h," + THIRDS;

    private static String say(Member node, String request) throws IOException {
        try (RespClient client = new RespClient(node.clients())) {
            return client.say(request);
        }
    }

    private static Set<String> words(String array) {
        String inside = array.replaceAll("[\\[\\]\"]", "");
        return inside.isBlank()
                ? Set.of()
                : new TreeSet<>(Arrays.asList(inside.trim().split(" +")));
    }

    private static Set<String> make(Member node, String... prefixes) throws IOException {
        Set<String> names = new TreeSet<>();
        try (RespClient client = new RespClient(node.clients())) {
            for (String prefix : prefixes) {
                for (int i = 0; i < 50; i++) {
                    names.add(prefix + i);
                    assertThat(client.ask("HSET", prefix + i, "k", "v")).isEqualTo(":1");
                }
            }
        }
        return names;
    }

    @Test
    void everyNodeListsTheBucketsOfAllNodes() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        Set<String> names = make(foo, "apple", "melon", "zebra", "shop-", "sheep");

        for (Member node : cluster.nodes()) {
            assertThat(say(node, "DBSIZE")).isEqualTo(":" + names.size());
            assertThat(words(say(node, "KEYS *"))).isEqualTo(names);
            assertThat(words(say(node, "KEYS shop-?"))).hasSize(10).contains("shop-7");
            assertThat(names).contains(say(node, "RANDOMKEY").replace("\"", ""));
        }
    }

    @Test
    void aScanContinuesOnAnyNodeAndReturnsEachNameOnce() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        Set<String> names = make(bar, "apple", "melon", "zebra", "shop-");

        List<String> told = new ArrayList<>();
        String cursor = "0";
        int pages = 0;
        do {
            Member node = cluster.nodes().get(pages++ % 3);
            String page = say(node, "SCAN " + cursor + " COUNT 7");
            cursor = page.substring(2, page.indexOf('"', 2));
            assertThat(Long.parseLong(cursor)).isNotNegative();
            told.addAll(words(page.substring(page.indexOf(' '))));
        } while (!cursor.equals("0"));

        assertThat(told).containsExactlyInAnyOrderElementsOf(names);
        assertThat(pages).isGreaterThan(3);
    }

    @Test
    void aScanContinuesOnlyWhileTheSameNodesKeepTheSameNames() throws IOException {
        foo.start("a..m=foo@h,n..z=bar@h");
        bar.start("a..m=foo@h,n..z=bar@h");
        make(foo, "apple");
        String page = say(foo, "SCAN 0 COUNT 5");
        String cursor = page.substring(2, page.indexOf('"', 2));

        baz.start("a..m=foo@h,n..y=bar@h");
        assertThat(say(baz, "SCAN " + cursor)).isEqualTo("ERR table changed, start the scan again");
        assertThat(say(baz, "SCAN 0 COUNT 1000")).startsWith("[\"0\"");
        baz.stop();
        baz.start("a..f=foo@h,g..z=bar@h");
        assertThat(say(baz, "SCAN " + cursor)).startsWith("[");
    }

    @Test
    void aBucketIsCountedOnTheNodeThatARequestForItReaches() throws IOException {
        foo.start("*=foo@h");
        bar.start("a..m=foo@h,n..z=bar@h");
        baz.start("*=bar@h");
        assertThat(say(foo, "HSET zebra k misplaced")).isEqualTo(":1");
        assertThat(say(bar, "HSET nuts k v")).isEqualTo(":1");
        assertThat(say(baz, "HSET apple k v")).isEqualTo(":1");

        assertThat(words(say(foo, "KEYS *"))).containsExactly("apple", "zebra");
        assertThat(words(say(bar, "KEYS *"))).containsExactly("apple", "nuts");
        assertThat(words(say(baz, "KEYS *"))).containsExactly("apple", "nuts");
        assertThat(say(baz, "DBSIZE")).isEqualTo(":2");
    }

    @Test
    void bucketsWithoutKeysDoNotExistForRedisClients() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        try (LineClient lines = foo.connect()) {
            assertThat(lines.ask("CREATE empty")).isEqualTo("OK");
            assertThat(lines.ask("CREATE melons")).isEqualTo("OK");
        }
        assertThat(say(foo, "DBSIZE")).isEqualTo(":0");
        assertThat(say(foo, "EXISTS empty melons")).isEqualTo(":0");
        assertThat(say(foo, "TYPE empty")).isEqualTo("none");
        assertThat(say(foo, "RANDOMKEY")).isEqualTo("nil");
        assertThat(say(foo, "HSET melons k v")).isEqualTo(":1");
        assertThat(say(foo, "HDEL melons k")).isEqualTo(":1");
        try (LineClient lines = foo.connect()) {
            assertThat(lines.ask("PUT melons k v")).isEqualTo("OK");
        }
        assertThat(say(foo, "DEL empty melons")).isEqualTo(":1");
        try (LineClient lines = foo.connect()) {
            assertThat(lines.ask("GET empty k")).isEqualTo("NOT FOUND");
            assertThat(lines.ask("GET melons k")).isEqualTo("NOT FOUND");
        }
    }

    @Test
    void randomKeyFindsTheOneBucketWithKeysAmongTwentyThousandWithout() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        int empty = 20_000;
        try (LineClient lines = foo.connect()) {
            StringBuilder requests = new StringBuilder();
            for (int i = 0; i < empty; i++) {
                requests.append("CREATE ")
                        .append(i % 2 == 0 ? "e" : "m")
                        .append(i)
                        .append("\r\n");
            }
            lines.send(requests.toString());
            for (int i = 0; i < empty; i++) {
                assertThat(lines.line()).isEqualTo("OK");
            }
        }
        assertThat(say(bar, "RANDOMKEY")).isEqualTo("nil");
        assertThat(say(bar, "HSET full k v")).isEqualTo(":1");
        assertThat(say(bar, "RANDOMKEY")).isEqualTo("\"full\"");
    }

    @Test
    void aBucketMadeByARedisClientIsDroppedWithItsLastKeyInEitherProtocol() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        for (String bucket : List.of("apples", "melons")) {
            assertThat(say(foo, "HSET " + bucket + " k v")).isEqualTo(":1");
            try (LineClient lines = foo.connect()) {
                assertThat(lines.ask("PUT " + bucket + " l w")).isEqualTo("OK");
                assertThat(lines.ask("DELETE " + bucket + " k")).isEqualTo("OK");
                assertThat(lines.ask("GET " + bucket + " k")).isEmpty();
                assertThat(lines.line()).isEqualTo("OK");
                assertThat(lines.ask("DELETE " + bucket + " l")).isEqualTo("OK");
                assertThat(lines.ask("GET " + bucket + " k")).isEqualTo("NOT FOUND");
            }
        }
    }

    @Test
    void aNodeThatDoesNotAnswerIsAnErrorAndNeverAPartialResult() throws IOException {
        cluster.set("kv.router.timeout", "500ms");
        foo.start(SHOP_AND_THIRDS);
        baz.start(SHOP_AND_THIRDS);
        make(foo, "apple", "zebra");

        for (String request : List.of("DBSIZE", "KEYS *", "SCAN 0", "RANDOMKEY")) {
            assertThat(say(foo, request)).as(request).startsWith("UNREACHABLE bar@h");
        }
        foo.to(baz).silence();
        assertThat(say(foo, "DEL apple1 melon1 zebra1 apple2")).startsWith("UN").endsWith("(2 of 4 done)");
        assertThat(say(foo, "EXISTS apple1 apple2 apple3")).isEqualTo(":1");
    }

    @Test
    void routingLoopsAreErrors() throws IOException {
        foo.start("a..m=foo@h,n..z=bar@h");
        bar.start("a..m=foo@h,n..z=foo@h");

        assertThat(say(foo, "DBSIZE")).isEqualTo("CIRCLE foo@h -> bar@h -> foo@h");
        assertThat(say(bar, "KEYS *")).isEqualTo("CIRCLE bar@h -> foo@h -> bar@h");
    }

    @Test
    void bucketsWithoutAnEntryAreOnNoNode() throws IOException {
        foo.start("a..m=foo@h");
        make(foo, "apple");

        assertThat(say(foo, "DBSIZE")).isEqualTo(":50");
        assertThat(say(foo, "HSET zebra k v")).startsWith("NOROUTE could not find entry");
    }

    @Test
    void aBucketIsRenamedOnlyWithinItsNode() throws IOException {
        foo.start(SHOP_AND_THIRDS);
        bar.start(SHOP_AND_THIRDS);
        baz.start(SHOP_AND_THIRDS);
        make(bar, "melon");

        assertThat(say(foo, "RENAME melon1 nuts")).isEqualTo("OK");
        assertThat(say(foo, "HGET nuts k")).isEqualTo("\"v\"");
        assertThat(say(foo, "RENAME nuts apple"))
                .isEqualTo(
                        "ERR bar@h does not keep \"apple\": a name is renamed within its node; `kv export` it, `kv import` it"
                                + " under the new name at the node of that, and DEL the old one");
        assertThat(say(foo, "HGET nuts k")).isEqualTo("\"v\"");
    }

    @Test
    void aTransactionRunsOnOneBucketOfAnyNode() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        try (RespClient client = new RespClient(foo.clients())) {
            Stream.of("MULTI", "HSET melon a 1", "HINCRBY melon a 2", "EXISTS melon", "HGETALL melon")
                    .forEach(request -> send(client, request));
            assertThat(client.say("HDEL melon a")).isEqualTo("OK");
            for (int i = 0; i < 5; i++) {
                assertThat(client.reply()).isEqualTo("QUEUED");
            }
            assertThat(client.say("EXEC")).isEqualTo("[:1 :3 :1 [\"a\" \"3\"] :1]");

            assertThat(client.say("MULTI")).isEqualTo("OK");
            assertThat(client.say("HSET melon a 1")).isEqualTo("QUEUED");
            assertThat(client.say("DEL apple zebra")).isEqualTo("QUEUED");
            assertThat(client.say("EXEC"))
                    .matches("EXECABORT Transaction discarded because its keys are on several nodes:"
                            + " .* does not keep \".*\"");
            assertThat(client.say("EXISTS melon")).isEqualTo(":0");

            assertThat(client.say("MULTI")).isEqualTo("OK");
            assertThat(client.say("DBSIZE")).isEqualTo("ERR Command not allowed inside a transaction");
            assertThat(client.say("EXEC")).isEqualTo("EXECABORT Transaction discarded because of previous errors.");
        }
    }

    private static void send(RespClient client, String request) {
        try {
            client.send(RespClient.request(request.split(" ")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void theRouteOfARequestListsEveryHop() throws IOException {
        foo.start("*=bar@h");
        bar.start("# table\na..m=baz@h,n..z=bar@h");

        assertThat(say(foo, "KV.ROUTE nuts"))
                .isEqualTo(
                        "[[\"node\" \"foo@h\" \"table\" \"static\" \"entry\" \"*=bar@h\" \"line\" :1 \"column\" :1]"
                                + " [\"node\" \"bar@h\" \"table\" \"static\" \"entry\" \"n..z=bar@h\" \"line\" :2 \"column\" :12]]");
        assertThat(say(foo, "KV.ROUTE Nuts")).contains("NOROUTE could not find entry for \"Nuts\"");
    }

    @Test
    void aReplyThatIsTooLargeIsAnErrorOnAnyNode() throws IOException {
        cluster.set("kv.router.reply-max", "8KiB");
        cluster.start(SHOP_AND_THIRDS);
        for (String bucket : List.of("apple", "melon")) {
            try (RespClient client = new RespClient(foo.clients())) {
                for (int i = 0; i < 20; i++) {
                    client.ask("HSET", bucket, "field" + i, "v".repeat(500));
                }
                for (String request : List.of("HGETALL", "HVALS")) {
                    assertThat(client.ask(request, bucket)).isEqualTo("ERR reply too large, use HSCAN");
                }
                assertThat(client.ask("HRANDFIELD", bucket, "-100000")).isEqualTo("ERR reply too large, use HSCAN");
                assertThat(words(client.ask("HKEYS", bucket))).hasSize(20);
                List<String> told = new ArrayList<>();
                String cursor = "0";
                do {
                    String page = client.ask("HSCAN", bucket, cursor, "COUNT", "1000");
                    cursor = page.substring(2, page.indexOf('"', 2));
                    told.addAll(words(page.substring(page.indexOf(' '))));
                } while (!cursor.equals("0"));
                assertThat(told).filteredOn(word -> word.startsWith("field")).hasSize(20);
            }
        }
    }

    @Test
    void aTransactionRunsOnSeveralBucketsOfAnyNode() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        for (Member node : cluster.nodes()) {
            try (RespClient client = new RespClient(node.clients())) {
                client.say("MULTI");
                client.say("SET melon 1");
                client.say("HSET melons a 1");
                client.say("INCR melon");
                client.say("EXPIRE melons 100");
                client.say("MGET melon mango");
                assertThat(client.say("EXEC")).isEqualTo("[OK :1 :2 :1 [\"2\" nil]]");
                assertThat(client.say("TTL melons")).matches(":([5-9][0-9]|100)");
                assertThat(client.say("DEL melon melons")).isEqualTo(":2");
            }
        }
    }

    @Test
    void aTransactionIsNotRunIfAWatchedKeyChangedOnAnyNode() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        for (Member node : cluster.nodes()) {
            try (RespClient client = new RespClient(node.clients());
                    RespClient other = new RespClient(bar.clients())) {
                client.say("SET melon 1");
                assertThat(client.say("WATCH melon melons")).isEqualTo("OK");
                other.say("GET melon");
                client.say("MULTI");
                client.say("INCR melon");
                assertThat(client.say("EXEC")).isEqualTo("[:2]");

                assertThat(client.say("WATCH melon melons")).isEqualTo("OK");
                assertThat(other.say("HSET melons a 1")).isEqualTo(":1");
                client.say("MULTI");
                client.say("INCR melon");
                assertThat(client.say("EXEC")).isEqualTo("nil");
                assertThat(client.say("GET melon")).isEqualTo("\"2\"");
                assertThat(client.say("DEL melon melons")).isEqualTo(":2");
            }
        }
    }

    /** The node that keeps the key does not remember what was watched before, and one that does not answer is an error. */
    @Test
    void aTransactionIsNotRunIfTheNodeOfAWatchedKeyWasStartedAgain() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        try (RespClient client = new RespClient(foo.clients())) {
            assertThat(client.say("WATCH melon")).isEqualTo("OK");
            bar.stop();
            bar.start(SHOP_AND_THIRDS);
            client.say("MULTI");
            client.say("SET melon 1");
            assertThat(client.say("EXEC")).isEqualTo("nil");

            bar.stop();
            assertThat(client.say("WATCH melon")).startsWith("UNREACHABLE bar@h");
            client.say("MULTI");
            client.say("SET apple 1");
            assertThat(client.say("EXEC")).isEqualTo("nil");
            client.say("MULTI");
            client.say("SET apple 1");
            assertThat(client.say("EXEC")).isEqualTo("[OK]");
        }
    }

    @Test
    void aWatchOutlivesTheLinkToTheNodeOfTheKey() throws Exception {
        cluster.start(SHOP_AND_THIRDS);
        try (RespClient client = new RespClient(foo.clients());
                RespClient other = new RespClient(bar.clients())) {
            for (boolean isChanged : List.of(false, true)) {
                client.say("SET melon 1");
                assertThat(client.say("WATCH melon")).isEqualTo("OK");
                foo.to(bar).cut();
                if (isChanged) {
                    other.say("INCR melon");
                }
                Await.until("the link is back", () -> client.say("GET mango").equals("nil"));
                client.say("MULTI");
                client.say("INCR melon");
                assertThat(client.say("EXEC")).isEqualTo(isChanged ? "nil" : "[:2]");
            }
        }
    }

    @Test
    void aTransactionIsNotRunIfAWatchedKeyIsOnAnotherNode() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        for (Member node : cluster.nodes()) {
            try (RespClient client = new RespClient(node.clients())) {
                client.say("SET melon 1");
                assertThat(client.say("WATCH melon apple")).isEqualTo("OK");
                client.say("MULTI");
                client.say("INCR melon");
                assertThat(client.say("EXEC")).startsWith("EXECABORT ").contains("does not keep \"");
                assertThat(client.say("GET melon")).isEqualTo("\"1\"");
            }
        }
    }

    @Test
    void keysAreCopiedAndRenamedOnlyWithinTheirNode() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        try (RespClient client = new RespClient(foo.clients())) {
            client.say("SET melon 1");
            assertThat(client.say("COPY melon mango")).isEqualTo(":1");
            assertThat(client.say("RENAMENX melon mango")).isEqualTo(":0");
            assertThat(client.say("COPY melon apple"))
                    .isEqualTo(
                            "ERR bar@h does not keep \"apple\": a name is copied within its node; `kv export` it, and"
                                    + " `kv import` it under the new name at the node of that");
            assertThat(client.say("RENAMENX melon apple"))
                    .isEqualTo("ERR bar@h does not keep \"apple\": a name is renamed within its node; `kv export` it,"
                            + " `kv import` it under the new name at the node of that, and DEL the old one");
        }
    }

    @Test
    void allKeysOfAllNodesAreDeletedOrTheErrorNamesANode() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        make(foo, "apple", "melon", "zebra", "shop-", "sheep");
        assertThat(say(bar, "SET orange 1")).isEqualTo("OK");
        assertThat(say(foo, "FLUSHALL")).isEqualTo("OK");
        for (Member node : cluster.nodes()) {
            assertThat(say(node, "DBSIZE")).isEqualTo(":0");
        }

        make(foo, "apple", "melon");
        bar.stop();
        assertThat(say(foo, "FLUSHDB")).matches("UNREACHABLE bar@h.*");
    }

    @Test
    void aKeyTakesAboutAsManyBytesAsItHas() throws IOException {
        cluster.start(SHOP_AND_THIRDS);
        try (RespClient client = new RespClient(foo.clients())) {
            client.say("SET melon " + "x".repeat(10_000));
            client.say("HSET melons a " + "x".repeat(10_000) + " b 1 c 2");
            for (String name : List.of("melon", "melons")) {
                long bytes = Long.parseLong(client.say("MEMORY USAGE " + name).substring(1));
                assertThat(bytes).isBetween(10_000L, 10_500L);
            }
        }
    }
}
