package dev.kv.server;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Loop;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Values that are sent from where they are held. */
@Timeout(60)
final class HeldValuesTest extends WithHeldValues {
    @Test
    void largeAndSmallRepliesAreSentWholeAndInOrder() throws Exception {
        try (TestDoor door = new TestDoor(store);
                RespClient client = door.respClient()) {
            client.send(request("small", "A3", "B1", "after")
                    + RespClient.request("HMGET", "b", "C2", "x", "D1")
                    + request("last"));

            assertThat(client.reply()).isEqualTo("\"small\"");
            assertThat(client.reply()).isEqualTo('"' + value("A3") + '"');
            assertThat(client.reply()).isEqualTo('"' + value("B1") + '"');
            assertThat(client.reply()).isEqualTo("\"after\"");
            assertThat(client.reply()).isEqualTo("[\"" + value("C2") + "\" \"x\" \"" + value("D1") + "\"]");
            assertThat(client.reply()).isEqualTo("\"last\"");
            awaitReleased();
        }
    }

    @Test
    void aDamagedValueIsAnErrorAndNothingOfItIsSent() throws Exception {
        try (TestDoor door = new TestDoor(store);
                RespClient client = door.respClient();
                LineClient line = door.client()) {
            client.send(request("!2", "a") + RespClient.request("HMGET", "b", "A1", "!1") + request("b"));

            assertThat(client.reply()).isEqualTo("ERR " + DAMAGED);
            assertThat(client.reply()).isEqualTo("\"a\"");
            assertThat(client.reply()).isEqualTo("ERR " + DAMAGED);
            assertThat(client.reply()).isEqualTo("\"b\"");
            assertThat(line.ask("GET b !1")).isEqualTo("ERROR ERR " + DAMAGED);
            awaitReleased();
        }
    }

    @Test
    void aLineCarriesLargeValuesWithoutLineEnds() throws Exception {
        try (TestDoor door = new TestDoor(store);
                LineClient client = door.client()) {
            client.send("GET b A2\nGET b x\n");
            assertThat(client.line()).isEqualTo(value("A2"));
            assertThat(client.line()).isEqualTo("OK");
            assertThat(client.line()).isEqualTo("x");
        }
        Store withEnds = (command, _) -> CompletableFuture.completedFuture(
                new Reply.LargeValue(new Value(("v".repeat(MIB) + "\n").getBytes(ISO_8859_1))));
        Store likeAnError = (command, _) -> CompletableFuture.completedFuture(
                new Reply.LargeValue(new Value(("ERROR " + "v".repeat(MIB)).getBytes(ISO_8859_1))));
        for (Store unfit : List.of(withEnds, likeAnError)) {
            try (TestDoor door = new TestDoor(unfit);
                    LineClient client = door.client()) {
                assertThat(client.ask("GET b k")).startsWith("ERROR ERR this value cannot be told");
            }
        }
        awaitReleased();
    }

    @Test
    void heldValuesAreReleasedWhenTheConnectionIsClosed() throws Exception {
        try (TestDoor door = new TestDoor(store)) {
            for (int i = 0; i < 20; i++) {
                try (LineClient client = LineClient.connect(door.address(), 64 * 1024)) {
                    client.send(request("A8", "B8"));
                    if (i % 2 == 0) {
                        Await.until("a value is held", () -> held.get() > 0);
                    }
                    client.reset();
                }
            }
            awaitReleased();
        }
    }

    @Test
    void aCommandWhoseClientIsGoneIsCancelled() throws Exception {
        HeldStore late = new HeldStore();
        try (TestDoor door = new TestDoor(late)) {
            HeldStore.Held question;
            try (LineClient client = door.client()) {
                client.send("GET b k\n");
                question = late.next();
                client.reset();
            }
            Await.until("the command is cancelled", () -> question.reply().isCancelled());
            Await.until("the client is gone", () -> door.connections() == 0);
        }
    }

    @Test
    void aLateReplyIsReleasedWhenItsClientIsGone() throws Exception {
        AtomicReference<Loop> loop = new AtomicReference<>();
        CompletableFuture<Reply> late = new CompletableFuture<>();
        Store writing = (command, _) -> {
            loop.set(Loop.current().orElseThrow());
            return late;
        };
        try (TestDoor door = new TestDoor(writing)) {
            try (LineClient client = door.client()) {
                client.send(RespClient.request("MULTI")
                        + RespClient.request("HSET", "b", "x", "1")
                        + request("A1")
                        + RespClient.request("EXEC"));
                Await.until("the batch has come", () -> loop.get() != null);
                client.reset();
            }
            Await.until("the client is gone", () -> door.connections() == 0);
            // A change runs whether its client is there or not.
            assertThat(late).isNotDone();
            loop.get()
                    .execute(() -> late.complete(new Reply.Many(List.of(new Reply.Amount(1), large(Bytes.of("A1"))))));
            Await.until("the value was there and is released", () -> given.get() == 1 && held.get() == 0);
        }
    }

    /** What is copied on the loop, others wait for. */
    @Test
    void aLargeValueBesideManyOthersIsWrittenElsewhereAndIsCharged() throws Exception {
        Store many = (command, _) -> {
            List<Reply> replies =
                    new ArrayList<>(Collections.nCopies(900, new Reply.Value(Bytes.of("v".repeat(10_000)))));
            replies.add(large(Bytes.of("A1")));
            return CompletableFuture.completedFuture(
                    command instanceof Command.GetAll ? new Reply.Many(replies) : Reply.OK);
        };
        String ask = RespClient.request("HMGET", "b", "x", "y");
        try (TestDoor door = new TestDoor(many);
                RespClient client = door.respClient()) {
            client.send(ask);
            assertThat(client.reply()).hasSizeBetween(10_000_000, 11_000_000).endsWith(value("A1") + "\"]");
            assertThat(users).anyMatch(name -> name.startsWith("kv-replies-"));
            awaitReleased();
        }
        try (TestDoor door = new TestDoor(many, knobs -> {
                    knobs.bufferMaxBytes = 8 * MIB;
                    return knobs;
                });
                RespClient client = door.respClient()) {
            client.send(ask);
            assertThat(client.reply()).contains("kv.server.buffer-max");
            awaitReleased();
        }
    }

    @Test
    void clientsThatNeverReadDelayNoOtherAndTakeNoMemory() throws Exception {
        byte[] value = new byte[8 * MIB];
        ByteBuffer bytes = ByteBuffer.allocateDirect(value.length);
        Store shared = (command, _) -> CompletableFuture.completedFuture(
                command instanceof Command.Get get && get.key().size() == 1
                        ? new Reply.LargeValue(new Value(value, bytes, false))
                        : Reply.OK);
        List<LineClient> hogs = new ArrayList<>();
        try (TestDoor door = new TestDoor(shared, knobs -> {
                    knobs.bufferMaxBytes = 8 * MIB;
                    knobs.heldMaxBytes = 400L * MIB;
                    return knobs;
                });
                LineClient bystander = door.client()) {
            for (int i = 0; i < 100; i++) {
                LineClient hog = LineClient.connect(door.address(), 64 * 1024);
                hogs.add(hog);
                hog.send(RespClient.request("HGET", "b", "k").repeat(3));
            }
            // No client has more than one: the bound for unsent replies is asked before the next request is run.
            Await.until("each client was served once", () -> given.get() >= 100);
            for (int i = 0; i < 1000; i++) {
                assertThat(bystander.ask("CREATE b")).isEqualTo("OK");
            }
            // Fifty of them; the others were told to try again, and asked again.
            Await.until("as many values are held as may be", () -> held.get() == 50);
        } finally {
            for (LineClient hog : hogs) {
                hog.close();
            }
        }
        awaitReleased();
    }

    @Test
    void aValueIsCopiedAfterTheHeldTimeAndSentWhole() throws Exception {
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.heldTime = Duration.ofMillis(200);
                    return knobs;
                });
                RespClient client = door.respClient()) {
            client.send(request("A24", "B24", "x"));
            // Without a byte being read.
            Await.until("the value was asked for and is released", () -> given.get() == 1 && held.get() == 0);

            assertThat(client.reply()).isEqualTo('"' + value("A24") + '"');
            assertThat(client.reply()).isEqualTo('"' + value("B24") + '"');
            assertThat(client.reply()).isEqualTo("\"x\"");
            awaitReleased();
        }
    }

    @Test
    void allValuesOfAClientAreCopiedAfterTheHeldTime() throws Exception {
        Duration heldTime = Duration.ofSeconds(2);
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.heldTime = heldTime;
                    return knobs;
                });
                RespClient client = door.respClient()) {
            client.send(RespClient.request("HMGET", "b", "A12", "B12", "C12"));
            Await.until("the values were asked for", () -> given.get() == 3);
            long start = System.nanoTime();
            awaitReleased();
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(heldTime.multipliedBy(2));
            assertThat(client.reply())
                    .isEqualTo("[\"" + value("A12") + "\" \"" + value("B12") + "\" \"" + value("C12") + "\"]");
        }
    }

    @Test
    void aValueWithoutMemoryForItsCopyEndsItsConnection() throws Exception {
        try (TestDoor door = new TestDoor(store, knobs -> {
                    knobs.heldTime = Duration.ofMillis(200);
                    knobs.bufferMaxBytes = 4 * MIB;
                    return knobs;
                });
                RespClient client = door.respClient();
                LineClient other = door.client()) {
            client.send(request("A24"));
            Await.until("the value was asked for and is released", () -> given.get() == 1 && held.get() == 0);

            assertThat(other.ask("CREATE b")).isEqualTo("OK");
            assertThat(readsAll(client)).isFalse();
            Await.until("the door has 1 connections", () -> door.connections() == 1);
        }
    }

    private static boolean readsAll(RespClient client) throws IOException {
        try {
            client.reply();
            return true;
        } catch (EOFException | SocketException cutOff) {
            return false;
        }
    }

    @Test
    void aStopSendsTheValuesThatWereAskedFor() throws Exception {
        try (TestDoor door = new TestDoor(store);
                RespClient client = door.respClient()) {
            client.send(request("A24", "x"));
            Await.until("the value was asked for", () -> given.get() == 1);
            CompletableFuture<Void> stopped =
                    CompletableFuture.runAsync(() -> door.open().stop(Duration.ofSeconds(20)));
            assertThat(client.reply()).isEqualTo('"' + value("A24") + '"');
            stopped.join();
        }
        awaitReleased();
    }
}
