package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.metrics.Gauge;
import dev.kv.router.metrics.Metrics;
import dev.kv.router.metrics.Unit;
import dev.kv.router.net.Loop;
import dev.kv.router.spi.Door;
import dev.kv.router.spi.Engine;
import dev.kv.router.testing.Await;
import dev.kv.router.testing.Replies;
import dev.kv.server.testing.RespClient;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** RESP at the door: framing, order and the commands on the connection. */
@Timeout(60)
final class RespTest {
    private static final int MIB = 1024 * 1024;

    /** One request for thousands of buckets takes turns with other clients, and what is behind it waits for all of it. */
    @Test
    void aRequestForManyBucketsTakesTurnsWithOtherClients() throws Exception {
        int names = 5_000;
        List<String> ran = Collections.synchronizedList(new ArrayList<>());
        List<RespClient> others = new ArrayList<>();
        Store store = (command, _) -> {
            Replies.commandsOf(command).forEach(one -> ran.add(one.bucket().text()));
            if (command.bucket().text().equals("n0")) {
                try {
                    for (RespClient other : others) {
                        other.send(RespClient.request("HLEN", "other"));
                    }
                } catch (IOException e) {
                    return CompletableFuture.failedFuture(e);
                }
            }
            return CompletableFuture.completedFuture(Replies.toEach(command, new Reply.Amount(1)));
        };
        String[] exists = new String[names + 1];
        exists[0] = "EXISTS";
        for (int i = 0; i < names; i++) {
            exists[i + 1] = "n" + i;
        }
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.loops = 1;
                    // One part of the request in each iteration.
                    knobs.turnsMax = Duration.ofNanos(1);
                    return knobs;
                });
                RespClient client = door.respClient();
                RespClient second = door.respClient();
                RespClient third = door.respClient()) {
            others.addAll(List.of(second, third));
            for (RespClient other : others) {
                assertThat(other.ask("HLEN", "before")).isEqualTo(":1");
            }
            client.send(RespClient.request(exists) + RespClient.request("HLEN", "behind"));

            assertThat(client.reply()).isEqualTo(":" + names);
            assertThat(client.reply()).isEqualTo(":1");
            for (RespClient other : others) {
                assertThat(other.reply()).isEqualTo(":1");
            }
            assertThat(ran.lastIndexOf("other")).isLessThan(ran.indexOf("n" + (names - 1)));
            assertThat(ran.indexOf("behind")).isGreaterThan(ran.indexOf("n" + (names - 1)));
            assertThat(ran).hasSize(names + 5);
        }
    }

    /** EXEC waits for the reply to a WATCH that was sent just before it, and what was sent behind EXEC waits for EXEC. */
    @Test
    void aTransactionKeepsItsPlaceUntilTheWatchBeforeItIsAnswered() throws Exception {
        List<String> ran = Collections.synchronizedList(new ArrayList<>());
        CompletableFuture<Reply> number = new CompletableFuture<>();
        CompletableFuture<Loop> loop = new CompletableFuture<>();
        Store store = (command, _) -> {
            ran.add(command.getClass().getSimpleName());
            if (command instanceof Command.Watch) {
                loop.complete(Loop.current().orElseThrow());
                return number;
            }
            return CompletableFuture.completedFuture(
                    command instanceof Command.Together ? new Reply.Many(List.of(Reply.OK)) : Reply.ABSENT);
        };
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.loops = 1;
                    return knobs;
                });
                RespClient client = door.respClient();
                RespClient other = door.respClient()) {
            client.send(RespClient.request("WATCH", "a")
                    + RespClient.request("MULTI")
                    + RespClient.request("SET", "a", "1")
                    + RespClient.request("EXEC")
                    + RespClient.request("GET", "a"));
            Loop ofClient = loop.get(20, TimeUnit.SECONDS);
            assertThat(other.ask("HLEN", "b")).isEqualTo(":0");
            ofClient.execute(() -> number.complete(new Reply.Amount(7)));

            for (String reply : List.of("OK", "OK", "QUEUED", "[OK]", "nil")) {
                assertThat(client.reply()).isEqualTo(reply);
            }
            assertThat(ran).containsExactly("Watch", "Size", "Together", "GetValue");
        }
    }

    /** A reply of very many values, which another thread writes, comes in its turn. */
    @Test
    void aReplyOfManyValuesIsSentInOrder() throws Exception {
        List<Bytes> values = new ArrayList<>();
        for (int i = 0; i < 200_000; i++) {
            values.add(Bytes.of("value-" + i));
        }
        CompletableFuture<Reply> content = new CompletableFuture<>();
        Store store = (command, _) -> {
            if (command instanceof Command.Content) {
                return content;
            }
            var _ = content.complete(new Reply.Values(values));
            return CompletableFuture.completedFuture(new Reply.Amount(7));
        };
        try (TestDoor door = new TestDoor(store);
                RespClient client = door.respClient()) {
            client.send(RespClient.request("HVALS", "b") + RespClient.request("HLEN", "b"));

            assertThat(client.line()).isEqualTo("*" + values.size());
            for (Bytes value : values) {
                assertThat(client.reply()).isEqualTo('"' + value.text() + '"');
            }
            assertThat(client.reply()).isEqualTo(":7");
        }
    }

    @Test
    void everyWordCanHoldEveryByte() throws Exception {
        StringBuilder bytes = new StringBuilder();
        for (char b = 0; b < 256; b++) {
            bytes.append(b);
        }
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            assertThat(client.ask("HGET", "b", bytes.toString())).isEqualTo("\"" + bytes + "\"");
            assertThat(client.ask("HLEN", bytes.toString())).isEqualTo(":256");
            assertThat(client.ask("hget", "", "")).isEqualTo("\"\"");
        }
    }

    @Test
    void aRequestInSinglePacketsOfOneByteIsAnswered() throws Exception {
        String requests = RespClient.request("HGET", "bucket", "a field")
                + RespClient.request("hLeN", "twelve bytes")
                + RespClient.request("HGET", "b", "")
                + RespClient.request("NOSUCH", "x");
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            for (int i = 0; i < requests.length(); i++) {
                client.send(requests.substring(i, i + 1));
            }
            assertThat(client.reply()).isEqualTo("\"a field\"");
            assertThat(client.reply()).isEqualTo(":12");
            assertThat(client.reply()).isEqualTo("\"\"");
            assertThat(client.reply()).isEqualTo("ERR unknown command 'NOSUCH', with args beginning with: 'x' ");
        }
    }

    @Test
    void largeValuesAreReceivedAndSentWhole() throws Exception {
        String large = "0123456789abcdef".repeat(2 * MIB);
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            String whole = client.ask("HGET", "b", large);
            assertThat(whole.length()).isEqualTo(large.length() + 2);
            assertThat(whole.equals("\"" + large + "\"")).isTrue();
            assertThat(client.say("HLEN abc")).isEqualTo(":3");
        }
    }

    @Test
    void emptyArraysAreIgnored() throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            client.send("*0\r\n*-1\r\n*-7\r\n" + RespClient.request("PING"));
            assertThat(client.reply()).isEqualTo("PONG");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "*x\\r\\n| invalid multibulk length",
                "*1048577\\r\\n| invalid multibulk length",
                "*+1\\r\\n| invalid multibulk length",
                "*99999999999999999999\\r\\n| invalid multibulk length",
                "*\\r\\n| invalid multibulk length",
                "*1\\r\\n+OK\\r\\n| expected '$', got '+'",
                "*1\\r\\n$x\\r\\n| invalid bulk length",
                "*1\\r\\n$-1\\r\\n| invalid bulk length",
                "*1\\r\\n$67108865\\r\\n| invalid bulk length: 67108865 bytes, at most 67108864 are allowed (kv.router.value-max)",
                "*11111111111111111111111111111111111111111111111111111111111111111111| too big mbulk count string",
                "*1\\r\\n$1111111111111111111111111111111111111111111111111111111111111111111| too big bulk count string",
            })
    void malformedRespEndsTheConnectionWithTheMessageOfRedis(String sent, String why) throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient other = door.respClient();
                RespClient client = door.respClient()) {
            client.send(RespClient.request("PING") + sent.replace("\\r\\n", "\r\n"));
            client.send(RespClient.request("PING"));

            assertThat(client.rest()).isEqualTo("+PONG\r\n-ERR Protocol error: " + why + "\r\n");
            assertThat(other.say("PING")).isEqualTo("PONG");
        }
    }

    @Test
    void repliesOfLocalRemoteAndFailingRequestsLeaveInTheOrderOfTheRequests() throws Exception {
        HeldStore held = new HeldStore();
        Store mixed = (command, _) -> command instanceof Command.Size
                ? CompletableFuture.completedFuture(new Reply.Failed(Reply.Word.UNREACHABLE, "bar@h is down"))
                : held.run(command);
        try (TestDoor door = new TestDoor(mixed);
                RespClient client = door.respClient()) {
            client.send(RespClient.request("HGET", "b", "first"));
            held.next().answer();
            assertThat(client.reply()).isEqualTo("\"first\"");
            StringBuilder requests = new StringBuilder();
            for (int i = 0; i < 100; i++) {
                requests.append(RespClient.request("HGET", "b", "k" + i))
                        .append(RespClient.request("PING", "p" + i))
                        .append(RespClient.request("HLEN", "b"))
                        .append("CREATE b\r\n")
                        .append(RespClient.request("NOSUCH"));
            }
            client.send(requests.toString());
            List<HeldStore.Held> waiting = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                waiting.add(held.next());
            }
            for (int i = 99; i >= 0; i--) {
                waiting.get(i).answer();
            }
            for (int i = 0; i < 100; i++) {
                assertThat(client.reply()).isEqualTo("\"k" + i + "\"");
                assertThat(client.reply()).isEqualTo("\"p" + i + "\"");
                assertThat(client.reply()).isEqualTo("UNREACHABLE bar@h is down");
                assertThat(client.line()).isEqualTo("OK");
                assertThat(client.reply()).startsWith("ERR unknown command");
            }
        }
    }

    @Test
    void versionThreeHasMapsAndNull() throws Exception {
        Store store = (command, _) -> CompletableFuture.completedFuture(
                switch (command) {
                    case Command.Content _ -> new Reply.Values(List.of(Bytes.of("a"), Bytes.of("1")));
                    case Command.Sample _ -> new Reply.Values(List.of(Bytes.of("a"), Bytes.of("1")));
                    case Command.GetAll _ -> new Reply.Many(List.of(Reply.ABSENT, new Reply.Value(Bytes.of("v"))));
                    default -> Reply.NOT_FOUND;
                });
        try (TestDoor door = new TestDoor(store);
                RespClient client = door.respClient()) {
            assertThat(client.say("HGETALL b")).isEqualTo("[\"a\" \"1\"]");
            assertThat(client.say("HELLO 3"))
                    .startsWith("{\"server\" \"redis\" \"version\" \"7.")
                    .contains("\"proto\" :3", "\"kv_version\" \"test\"");
            assertThat(client.say("HGETALL b")).isEqualTo("{\"a\" \"1\"}");
            assertThat(client.say("HRANDFIELD b 1 WITHVALUES")).isEqualTo("[[\"a\" \"1\"]]");
            client.send(RespClient.request("HGET", "b", "k"));
            assertThat(client.line()).isEqualTo("_");
            assertThat(client.say("HMGET b x y")).isEqualTo("[nil \"v\"]");
            assertThat(client.say("INFO server")).startsWith("\"# Server\r\nredis_version:7.");
        }
    }

    @Test
    void infoShowsTheMetricsOfTheStorageAndCountsClientsAndRequests() throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            assertThat(client.say("INFO persistence"))
                    .isEqualTo("\"# Persistence\r\nloading:0\r\nkv_storage_state:ok\r\n"
                            + "kv_storage_buckets:7\r\nkv_storage_expiring:3\r\nkv_storage_log_bytes:4096\r\n\"");
            assertThat(client.say("INFO keyspace")).isEqualTo("\"# Keyspace\r\ndb0:keys=7,expires=3,avg_ttl=0\r\n\"");
            assertThat(client.say("INFO clients")).contains("connected_clients:1\r\n");
            assertThat(client.say("INFO stats"))
                    .contains("total_connections_received:1\r\n", "total_commands_processed:4\r\n");
            assertThat(client.say("INFO routing"))
                    .contains("kv_table_version:none\r\n", "kv_table_absence:this is a test\r\n");
        }
    }

    @Test
    void infoMakesTheWantedSectionsAlone() throws Exception {
        AtomicInteger counts = new AtomicInteger();
        Metrics metrics = new Metrics();
        metrics.add(
                Engine.PART, List.of(new Gauge(Engine.BUCKETS, Unit.COUNT, "Buckets here.", counts::incrementAndGet)));
        try (TestDoor door = new TestDoor(TestDoor.ECHO, knobs -> {
                    knobs.facts = new Door.Facts(
                            "foo@h", "server", "test", knobs.facts.limits(), knobs.facts.table(), metrics);
                    return knobs;
                });
                RespClient client = door.respClient()) {
            assertThat(client.say("INFO server Clients MEMORY stats routing nope"))
                    .contains("# Server", "# Clients", "# Memory", "# Stats", "# Routing");
            assertThat(counts).hasValue(0);
            assertThat(client.say("INFO KeySpace")).isEqualTo("\"# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n\"");
            assertThat(client.say("INFO persistence")).contains("kv_storage_buckets:2\r\n");
            assertThat(client.say("INFO Everything")).contains("kv_storage_buckets:3\r\n", "keys=4,");
        }
    }

    @Test
    void quitIsAnsweredAndEndsTheConnection() throws Exception {
        HeldStore held = new HeldStore();
        try (TestDoor door = new TestDoor(held);
                RespClient client = door.respClient()) {
            client.send(
                    RespClient.request("HGET", "b", "late") + RespClient.request("QUIT") + RespClient.request("PING"));
            held.next().answer();

            assertThat(client.rest()).isEqualTo("$4\r\nlate\r\n+OK\r\n");
        }
    }

    /** Libraries choose the database when they connect, and some go on whatever the reply is. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aClientThatAsksForAnotherDatabaseIsToldAndDisconnected(boolean inTransaction) throws Exception {
        List<Command> ran = Collections.synchronizedList(new ArrayList<>());
        Store store = (command, _) -> {
            ran.add(command);
            return CompletableFuture.completedFuture(Reply.OK);
        };
        try (TestDoor door = new TestDoor(store);
                RespClient client = door.respClient()) {
            assertThat(client.ask("SELECT", "0")).isEqualTo("OK");
            if (inTransaction) {
                assertThat(client.ask("MULTI")).isEqualTo("OK");
            }
            client.send(RespClient.request("SELECT", "1")
                    + RespClient.request("SET", "name", "value")
                    + RespClient.request("EXEC"));
            assertThat(client.rest())
                    .startsWith("-ERR DB index is out of range: kv has database 0 alone; the connection is closed")
                    .endsWith("\r\n");
            assertThat(ran).isEmpty();
        }
    }

    @Test
    void subcommandsHaveHelpAndSettingsAreFoundByPatterns() throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            assertThat(client.say("SLOWLOG NOPE")).isEqualTo("ERR unknown subcommand 'NOPE'. Try SLOWLOG HELP.");
            assertThat(client.say("SLOWLOG HELP"))
                    .isEqualTo(
                            "[SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are: GET [count] HELP LEN RESET]");
            assertThat(client.say("CONFIG GET maxmem*"))
                    .isEqualTo("[\"maxmemory\" \"0\" \"maxmemory-policy\" \"noeviction\"]");
            assertThat(client.say("INFO memory")).contains("\r\nmaxmemory:0\r\n", "\r\nkv_heap_max:");
            assertThat(client.say("CONFIG GET SAVE bind nope")).isEqualTo("[\"save\" \"\" \"bind\" \"127.0.0.1\"]");
        }
    }

    @Test
    void clientsAreListedAndKilled() throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient one = door.respClient();
                RespClient other = door.respClient()) {
            assertThat(one.say("CLIENT SETNAME one")).isEqualTo("OK");
            assertThat(one.say("CLIENT SETINFO LIB-NAME some-client")).isEqualTo("OK");
            assertThat(other.say("CLIENT LIST")).contains("name=one").contains("lib-name=some-client");
            String id = one.say("CLIENT ID").substring(1);

            assertThat(other.say("CLIENT KILL ID 999")).isEqualTo(":0");
            assertThat(other.say("CLIENT KILL ID " + id)).isEqualTo(":1");
            assertThat(one.rest()).isEmpty();
            Await.until("the door has 1 connections", () -> door.connections() == 1);
            assertThat(other.say("CLIENT LIST")).doesNotContain("name=one");
            String own = other.say("CLIENT ID").substring(1);
            assertThat(other.say("CLIENT KILL ID " + own + " SKIPME no")).isEqualTo(":1");
            assertThat(other.rest()).isEmpty();
        }
    }
}
