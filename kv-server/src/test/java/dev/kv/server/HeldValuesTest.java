package dev.kv.server;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.net.Loop;
import dev.kv.router.testing.Await;
import dev.kv.server.testing.LineClient;
import dev.kv.server.testing.RespClient;
import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Values that are sent from where they are held. */
@Timeout(60)
final class HeldValuesTest {
    private static final int MIB = 1024 * 1024;
    private static final String DAMAGED = "the value is damaged";

    /** What is held now, for all clients. */
    private final AtomicInteger held = new AtomicInteger();

    /** The threads that have asked for the size of a value. */
    private final Set<String> users = ConcurrentHashMap.newKeySet();

    /** Whether others wait for what the values take. */
    private final AtomicLong waitedForNanos = new AtomicLong(-1);

    /** How often something was held. */
    private final AtomicInteger given = new AtomicInteger();

    /** A value in memory outside the heap, which nobody may read once it is released. */
    private final class Value implements Held {
        private final byte[] value;
        private final ByteBuffer bytes;
        private final boolean isOwn;
        private int checkedBytes;
        private boolean isReleased;

        Value(byte[] value) {
            this(value, ByteBuffer.allocateDirect(value.length).put(value).flip(), true);
        }

        Value(byte[] value, ByteBuffer bytes, boolean isOwn) {
            this.value = value;
            this.bytes = bytes;
            this.isOwn = isOwn;
            held.incrementAndGet();
            given.incrementAndGet();
        }

        @Override
        public int size() {
            users.add(Thread.currentThread().getName());
            return value.length;
        }

        @Override
        public Optional<Reply> check(int maxBytes, Seen seen) {
            int count = Math.min(maxBytes, value.length - checkedBytes);
            seen.part(Arrays.copyOfRange(value, checkedBytes, checkedBytes + count), count);
            checkedBytes += count;
            if (checkedBytes < value.length) {
                return Optional.empty();
            }
            return Optional.of(value[0] == '!' ? new Reply.Failed(Reply.Word.ERR, DAMAGED) : Reply.OK);
        }

        @Override
        public ByteBuffer bytes() {
            assertThat(checkedBytes).isEqualTo(value.length);
            return bytes.asReadOnlyBuffer();
        }

        @Override
        public long waitedForNanos() {
            return waitedForNanos.get();
        }

        @Override
        public void release() {
            if (!isReleased) {
                isReleased = true;
                held.decrementAndGet();
                for (int i = 0; isOwn && i < bytes.capacity(); i += 1000) {
                    bytes.put(i, (byte) '?');
                }
            }
        }
    }

    /** GET answers with a value that the key describes: a letter and a number of MiB; everything else with what was sent. */
    private final Store store = (command, _) -> run(command);

    private CompletionStage<Reply> run(Command command) {
        return CompletableFuture.completedFuture(
                switch (command) {
                    case Command.Get get -> large(get.key());
                    case Command.GetAll get ->
                        new Reply.Many(get.keys().stream().map(this::large).toList());
                    default -> Reply.OK;
                });
    }

    private Reply large(Bytes key) {
        String text = key.text();
        return Character.isLowerCase(text.charAt(0))
                ? new Reply.Value(key)
                : new Reply.LargeValue(new Value(value(text).getBytes(ISO_8859_1)));
    }

    private static String value(String key) {
        return String.valueOf(key.charAt(0)).repeat(Integer.parseInt(key.substring(1)) * MIB + 7);
    }

    private static String request(String... keys) {
        StringBuilder requests = new StringBuilder();
        for (String key : keys) {
            requests.append(RespClient.request("HGET", "b", key));
        }
        return requests.toString();
    }

    private void awaitReleased() throws Exception {
        Await.until("every value is released", () -> held.get() == 0);
    }

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
            assertThat(door.connections()).isZero();
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

    private TestDoor door(Store of, Duration stalledTime) {
        return new TestDoor(of, knobs -> {
            knobs.stalledTime = stalledTime;
            knobs.bufferMaxBytes = 62 * MIB;
            return knobs;
        });
    }

    @Test
    void aClientThatTakesNothingIsClosedWhenOthersWaitForTheMemory() throws Exception {
        Duration stalledTime = Duration.ofMillis(200);
        try (TestDoor door = door(store, stalledTime);
                RespClient silent = door.respClient();
                RespClient other = door.respClient()) {
            silent.send(request("A16"));
            Await.until(() -> held.get() == 1);
            long start = System.nanoTime();
            while (System.nanoTime() - start < 3 * stalledTime.toNanos()) {
                assertThat(other.ask("HGET", "b", "a")).isEqualTo("\"a\"");
            }
            assertThat(held).as("nobody waits").hasValue(1);

            waitedForNanos.set(0);
            awaitReleased();
            Await.until(() -> door.connections() == 1);
        }
    }

    /** One that never reads would else keep others waiting for as long as each one before it has done. */
    @Test
    void aClientThatHasTakenNothingIsClosedSoonerWhenOthersHaveWaitedForLong() throws Exception {
        Duration stalledTime = Duration.ofSeconds(8);
        waitedForNanos.set(stalledTime.toNanos());
        try (TestDoor door = door(store, stalledTime);
                RespClient silent = door.respClient();
                Socket pausing =
                        new Socket(door.address().getAddress(), door.address().getPort())) {
            pausing.getOutputStream().write(request("A16").getBytes(ISO_8859_1));
            long start = System.nanoTime();
            while (System.nanoTime() - start < stalledTime.toNanos() * 2 / 8) {
                assertThat(pausing.getInputStream().readNBytes(64 * 1024)).hasSize(64 * 1024);
                LockSupport.parkNanos(20_000_000);
            }
            start = System.nanoTime();
            silent.send(request("A16"));
            Await.until(() -> door.connections() == 1);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(stalledTime);
            assertThat(held).as("the one that has read").hasValue(1);
        }
        awaitReleased();
    }

    @Test
    void aClientThatReadsSlowlyIsServedWhileOthersWait() throws Exception {
        waitedForNanos.set(0);
        try (TestDoor door = door(store, Duration.ofSeconds(1));
                Socket slow =
                        new Socket(door.address().getAddress(), door.address().getPort())) {
            slow.getOutputStream().write(request("A16").getBytes(ISO_8859_1));
            int left = 16 * MIB;
            while (left > 0) {
                left -= slow.getInputStream().readNBytes(128 * 1024).length;
                LockSupport.parkNanos(20_000_000);
            }
            awaitReleased();
        }
    }

    /** A reply in memory takes most of the budget of all clients. */
    @Test
    void aClientThatTakesNothingIsClosedWhenLittleMemoryIsLeft() throws Exception {
        Reply large = new Reply.Value(Bytes.owning(new byte[60 * MIB]));
        try (TestDoor door = door((_, _) -> CompletableFuture.completedFuture(large), Duration.ofMillis(200));
                RespClient silent = door.respClient()) {
            silent.send(request("a"));
            Await.until(() -> door.connections() == 1);
            Await.until(() -> door.connections() == 0);
        }
    }
}
