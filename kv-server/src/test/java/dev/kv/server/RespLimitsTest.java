package dev.kv.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The bounds for clients that speak RESP. */
@Timeout(60)
final class RespLimitsTest {
    private static final int MIB = 1024 * 1024;

    @Test
    void tenThousandPipelinedRequestsAreAnswered() throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            StringBuilder requests = new StringBuilder();
            for (int i = 0; i < 10_000; i++) {
                requests.append(RespClient.request("HGET", "b", "k" + i));
            }
            client.send(requests.toString());
            for (int i = 0; i < 10_000; i++) {
                assertThat(client.reply()).isEqualTo("\"k" + i + "\"");
            }
        }
    }

    @Test
    void aClientThatDoesNotReadIsHeldBack() throws Exception {
        Reply large = new Reply.Value(Bytes.owning(new byte[MIB]));
        List<Command> run = Collections.synchronizedList(new ArrayList<>());
        Store store = (command, _) -> {
            run.add(command);
            return CompletableFuture.completedFuture(large);
        };
        int requests = 200;
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.unsentMaxBytes = MIB;
                    return knobs;
                });
                LineClient lazy = LineClient.connect(door.address(), 4096);
                RespClient other = door.respClient()) {
            lazy.send(RespClient.request("HGET", "b", "k").repeat(requests));
            Await.until("the first request runs", () -> !run.isEmpty());
            for (int i = 0; i < 20; i++) {
                assertThat(other.say("PING")).isEqualTo("PONG");
            }
            assertThat(run.size()).isLessThan(20);
            lazy.endOutput();
            assertThat(lazy.rest()).hasSize(requests * ("$1048576\r\n".length() + MIB + 2));
            assertThat(run).hasSize(requests);
        }
    }

    @Test
    void announcedLengthsTakeNoMemoryAndAllInputHasOneBound() throws Exception {
        int clients = 64;
        try (TestDoor door = new TestDoor(TestDoor.ECHO, knobs -> {
            knobs.bufferMaxBytes = 32L * MIB;
            knobs.lineMaxBytes = 1024;
            return knobs;
        })) {
            List<RespClient> promising = new ArrayList<>();
            for (int i = 0; i < clients; i++) {
                RespClient client = door.respClient();
                promising.add(client);
                client.send("*3\r\n$4\r\nHGET\r\n$1\r\nb\r\n$60000000\r\nxyz");
            }
            for (RespClient client : promising) {
                client.send("more");
            }
            try (RespClient client = door.respClient()) {
                assertThat(client.ask("HGET", "b", "v".repeat(MIB))).hasSize(MIB + 2);

                client.send("*3\r\n$4\r\nHGET\r\n$1\r\nb\r\n$60000000\r\n");
                assertThat(refusal(client, 60)).startsWith("ERR this node has no memory left for unfinished requests");
            }
            for (RespClient client : promising) {
                client.close();
            }
            Await.until("the door has 0 connections", () -> door.connections() == 0);
            try (RespClient client = door.respClient()) {
                assertThat(client.ask("HGET", "b", "v".repeat(10 * MIB))).hasSize(10 * MIB + 2);
            }
        }
    }

    @Test
    void queuedCommandsOfTransactionsAreChargedToTheMemoryForClients() throws Exception {
        // With the header of its array it takes one megabyte of any heap.
        String large = "v".repeat(MIB - 64);
        try (TestDoor door = new TestDoor(TestDoor.ECHO, knobs -> {
                    knobs.bufferMaxBytes = 8L * MIB;
                    return knobs;
                });
                RespClient one = door.respClient();
                RespClient other = door.respClient()) {
            assertThat(one.say("MULTI")).isEqualTo("OK");
            assertThat(other.say("MULTI")).isEqualTo("OK");
            String reply = "QUEUED";
            for (int i = 0; i < 5; i++) {
                assertThat(one.ask("HSET", "b", "k", large)).isEqualTo("QUEUED");
            }
            for (int i = 0; i < 5 && reply.equals("QUEUED"); i++) {
                reply = other.ask("HSET", "b", "k", large);
            }
            assertThat(reply).startsWith("ERR the transaction is too large");
            assertThat(other.say("EXEC")).startsWith("EXECABORT");
            assertThat(one.say("DISCARD")).isEqualTo("OK");
            assertThat(other.say("MULTI")).isEqualTo("OK");
            for (int i = 0; i < 5; i++) {
                assertThat(other.ask("HSET", "b", "k", large)).isEqualTo("QUEUED");
            }
        }
    }

    /** Sends mebibytes until the node has had enough. */
    private static String refusal(RespClient client, int mebibytes) throws Exception {
        String some = "v".repeat(MIB);
        try {
            for (int i = 0; i < mebibytes; i++) {
                client.send(some);
            }
        } catch (SocketException closedMeanwhile) {
            // What it said before is there to be read.
        }
        return client.reply();
    }

    static String[] words(String first, int count, IntFunction<String> word) {
        List<String> words = new ArrayList<>(List.of(first.split(" ", -1)));
        for (int i = 0; words.size() < count; i++) {
            words.add(word.apply(i));
        }
        return words.toArray(String[]::new);
    }

    @ParameterizedTest
    @CsvSource({
        "client|list, CLIENT LIST ID",
        "client|kill, CLIENT KILL",
        "command|info, COMMAND INFO",
        "command|docs, COMMAND DOCS",
        "command|getkeys, COMMAND GETKEYS DEL",
        "config|get, CONFIG GET",
        "hello, HELLO 3",
        "info, INFO",
        "latency|reset, LATENCY RESET",
        "scan, SCAN 0",
        "quit, QUIT",
    })
    void aCommandThatTheNodeAnswersItselfHasABoundedNumberOfWords(String name, String command) throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            assertThat(client.ask(words(command, 100_000, i -> i % 2 == 0 ? "id" : "1")))
                    .isEqualTo("ERR too many arguments for '%s' command: it has 100000 words, at most 1024 are taken"
                            .formatted(name));
            assertThat(client.say("PING")).isEqualTo("PONG");
            assertThat(client.ask(words("EXISTS", 1025, i -> "n" + i))).isEqualTo(":1024");
        }
    }

    @Test
    void manyFiltersOfOneKindAreOneFilter() throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient();
                RespClient killed = door.respClient()) {
            String id = killed.say("CLIENT ID").substring(1);
            assertThat(client.ask(words("CLIENT LIST ID " + id, 1024, i -> "999")))
                    .contains("id=" + id + " ");
            assertThat(client.ask(words("CLIENT KILL ID 999", 1024, i -> i % 2 == 0 ? "ID" : id)))
                    .isEqualTo(":1");
            assertThat(client.say("CLIENT KILL ID 999 ADDR 127.0.0.1:1 SKIPME maybe"))
                    .isEqualTo("ERR syntax error");
            assertThat(killed.rest()).isEmpty();
        }
    }

    @Test
    void patternsOfSettingsAreAsLongTogetherAsOnePattern() throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            assertThat(client.ask("CONFIG", "GET", "*".repeat(1024))).contains("maxclients");
            assertThat(client.ask("CONFIG", "GET", "*".repeat(1000), "*".repeat(25)))
                    .isEqualTo("TOOLARGE the pattern has 1025 bytes, at most 1024 are allowed (kv.router.pattern-max)");
        }
    }

    @Test
    void whatTheNodeAnswersAtLengthIsNotQueuedInATransaction() throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            for (String command :
                    List.of("INFO", "COMMAND", "CLIENT LIST", "CONFIG GET *", "HELLO", "CLIENT HELP", "SLOWLOG HELP")) {
                assertThat(client.say("MULTI")).isEqualTo("OK");
                assertThat(client.say(command)).isEqualTo("ERR Command not allowed inside a transaction");
                assertThat(client.say("EXEC")).startsWith("EXECABORT");
            }
        }
    }

    @Test
    void aCommandIsDescribedOnceHoweverOftenItIsNamed() throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            assertThat(client.ask(words("COMMAND DOCS", 1024, i -> "client")))
                    .isEqualTo(client.say("COMMAND DOCS client"));
        }
    }

    @Test
    void namesOfClientsAndLibrariesHaveAtMost256Bytes() throws Exception {
        String longest = "n".repeat(256);
        String tooLong = "t".repeat(257);
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            for (String set : List.of("CLIENT SETNAME", "CLIENT SETINFO lib-name", "CLIENT SETINFO lib-ver")) {
                assertThat(client.say(set + " " + longest)).isEqualTo("OK");
                assertThat(client.say(set + " " + tooLong))
                        .startsWith("ERR ")
                        .endsWith(" cannot be longer than 256 bytes.");
            }
            assertThat(client.say("HELLO 2 SETNAME " + tooLong))
                    .isEqualTo("ERR Client names cannot be longer than 256 bytes.");
            assertThat(client.say("CLIENT GETNAME")).isEqualTo('"' + longest + '"');
            assertThat(client.say("CLIENT INFO"))
                    .contains(" name=" + longest + " ", " lib-name=" + longest + " ", " lib-ver=" + longest + "\n");
        }
    }

    @Test
    void aTransactionHasABoundedNumberOfCommands() throws Exception {
        try (TestDoor door = new TestDoor(TestDoor.ECHO);
                RespClient client = door.respClient()) {
            assertThat(client.say("MULTI")).isEqualTo("OK");
            assertThat(client.ask(words("EXISTS", 1 << 16, i -> "n"))).isEqualTo("QUEUED");
            assertThat(client.say("EXISTS n")).isEqualTo("QUEUED");
            assertThat(client.say("EXISTS n"))
                    .isEqualTo("ERR the transaction is too long: EXEC runs at most 65536 commands, send several");
            assertThat(client.say("EXEC")).startsWith("EXECABORT");
            assertThat(client.say("MULTI")).isEqualTo("OK");
            assertThat(client.say("EXISTS n")).isEqualTo("QUEUED");
        }
    }

    @Test
    void aClientOfRespForWhoseInputNoMemoryIsLeftGetsAnErrorOfResp() throws Exception {
        HeldStore store = new HeldStore();
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.requestsMaxBytes = 17_000;
                    knobs.bufferMaxBytes = 55_000;
                    return knobs;
                });
                RespClient client = door.respClient()) {
            String first = RespClient.request("HGET", "b", "k".repeat(20_000));
            client.send(first + RespClient.request("ECHO", "x".repeat(100_000)));
            store.next().answer();

            assertThat(client.reply()).hasSize(20_002);
            assertThat(client.reply()).startsWith("ERR this node has no memory left for unfinished requests");
        }
    }

    @Test
    void aClientThatWaitsIsNotIdle() throws Exception {
        HeldStore held = new HeldStore();
        try (TestDoor door = new TestDoor(held, knobs -> {
                    knobs.idle = Duration.ofSeconds(1);
                    return knobs;
                });
                RespClient waiting = door.respClient();
                RespClient silent = door.respClient()) {
            waiting.send(RespClient.request("HGET", "b", "k"));
            assertThat(silent.rest()).isEmpty();
            held.next().answer();
            assertThat(waiting.reply()).isEqualTo("\"k\"");
        }
    }
}
