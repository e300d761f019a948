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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

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
        Store store = command -> {
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
        String large = "v".repeat(MIB);
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
