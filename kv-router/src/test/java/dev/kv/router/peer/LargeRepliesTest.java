package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.Held;
import dev.kv.router.LongReply;
import dev.kv.router.NameSpace;
import dev.kv.router.PackedList;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import java.lang.foreign.Arena;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Many clients of a node that keeps nothing ask for large values of another node. */
@Timeout(120)
class LargeRepliesTest {
    private static final int VALUE_BYTES = 64 << 20;
    private static final int REPLIES = 20;
    private static final Bytes NUTS = Bytes.of("nuts");
    private static final Bytes LARGE = Bytes.of("large");
    private static final Bytes SMALL = Bytes.of("small");

    private final Host front = new Host("front@h");
    private final Host middle = new Host("middle@h");
    private final Host back = new Host("back@h");

    @AfterEach
    void stop() {
        front.close();
        middle.close();
        back.close();
    }

    private final AtomicInteger held = new AtomicInteger();
    private Reply checked = Reply.OK;
    private ByteBuffer value = ByteBuffer.allocateDirect(VALUE_BYTES);

    private void start() {
        Store plain = back.store;
        back.store = (command, _) -> command instanceof Command.Get(Bytes _, Bytes key) && key.equals(LARGE)
                ? CompletableFuture.completedFuture(new Reply.LargeValue(new LargeInMemory(value, held, checked)))
                : plain.run(command);
        back.start("*=back@h");
        front.addresses.put("back@h", InetSocketAddress.createUnresolved("127.0.0.1", back.port));
        front.start("*=back@h");
        front.ask(new Command.Create(NUTS));
        front.ask(new Command.Put(NUTS, SMALL, Bytes.of("1")));
    }

    private CompletableFuture<Reply> ask(Bytes key) {
        return front.client().run(new Command.Get(NUTS, key)).toCompletableFuture();
    }

    private void assertSmallIsServed() {
        assertThat(Host.await(ask(SMALL))).isEqualTo(new Reply.Value(Bytes.of("1")));
    }

    @Test
    void twentyLargeRepliesAreAllGivenAndDelayNobodyWithinTheMemoryForThem() throws Exception {
        start();
        // What is not compiled yet takes ten times as long.
        for (int i = 0; i < 1000; i++) {
            assertSmallIsServed();
        }
        for (int i = 0; i < 3; i++) {
            Host.await(ask(LARGE));
        }
        AtomicLong mostTaken = new AtomicLong();
        List<CompletableFuture<Integer>> replies = new ArrayList<>();
        for (int i = 0; i < REPLIES; i++) {
            replies.add(ask(LARGE).thenApply(reply -> {
                mostTaken.accumulateAndGet(front.roomTaken(), Math::max);
                Held.releaseIn(reply);
                return reply instanceof Reply.LargeValue(Held large) ? large.size() : 0;
            }));
        }
        CompletableFuture<Void> all = CompletableFuture.allOf(replies.toArray(CompletableFuture<?>[]::new));
        long longestNanos = 0;
        int asked = 0;
        while (!all.isDone()) {
            long start = System.nanoTime();
            assertSmallIsServed();
            longestNanos = Math.max(longestNanos, System.nanoTime() - start);
            asked++;
        }
        System.out.println("LargeRepliesTest: the bystander waited at most " + longestNanos / 1000 + " us, asked "
                + asked + " times; at most " + mostTaken + " bytes were taken");

        assertThat(replies).extracting(CompletableFuture::join).containsOnly(VALUE_BYTES);
        assertThat(asked).isGreaterThan(10);
        assertThat(Duration.ofNanos(longestNanos)).isLessThan(Duration.ofSeconds(2));
        assertThat(mostTaken.get()).isBetween((long) VALUE_BYTES, front.roomBytes);
        assertThat(front.roomTaken()).isZero();
        Await.until(() -> held.get() == 0);
    }

    /** As an object each, made by the loop, a million values make all others wait for a quarter of a second. */
    @Test
    void aReplyOfManyValuesDelaysNobody() throws Exception {
        start();
        Store plain = back.store;
        PackedList.Builder builder = new PackedList.Builder();
        for (int i = 0; i < 1_000_000; i++) {
            builder.add(Bytes.of("value" + i));
        }
        Reply many = new Reply.Values(builder.build());
        List<Reply> each = new ArrayList<>();
        for (int i = 0; i < 50_000; i++) {
            each.add(new Reply.Value(Bytes.of("value" + i)));
        }
        back.store = (command, _) -> switch (command) {
            case Command.Content _ -> CompletableFuture.completedFuture(many);
            case Command.GetAll _ -> CompletableFuture.completedFuture(new Reply.Many(each));
            default -> plain.run(command);
        };
        for (int i = 0; i < 1000; i++) {
            assertSmallIsServed();
        }
        for (Command command :
                List.of(new Command.Content(NUTS, Command.Part.VALUES), new Command.GetAll(NUTS, List.of(SMALL)))) {
            CompletableFuture<Reply> reply = front.client().run(command).toCompletableFuture();
            long longestNanos = 0;
            do {
                long start = System.nanoTime();
                assertSmallIsServed();
                longestNanos = Math.max(longestNanos, System.nanoTime() - start);
            } while (!reply.isDone());
            System.out.println("LargeRepliesTest: the bystander waited at most " + longestNanos / 1000 + " us for "
                    + command.getClass().getSimpleName());
            assertThat(reply.join().equals(command instanceof Command.Content ? many : new Reply.Many(each)))
                    .isTrue();
            assertThat(Duration.ofNanos(longestNanos)).isLessThan(Duration.ofMillis(500));
        }
        Await.until(() -> front.roomTaken() == 0);
    }

    /** Replies of the longest size are as many under way as there is memory for; the others wait and are not forgotten. */
    @Test
    void aReplyTakesItsMemoryBeforeItIsBuilt() throws Exception {
        front.timeout = Duration.ofMillis(500);
        back.timeout = front.timeout;
        back.repliesBytes = 140L << 20;
        start();
        Store plain = back.store;
        AtomicReference<CommandThread> loop = new AtomicReference<>();
        List<CompletableFuture<Reply>> built = Collections.synchronizedList(new ArrayList<>());
        back.store = (command, _) -> {
            if (!(command instanceof Command.Content)) {
                return plain.run(command);
            }
            loop.set(CommandThread.current().orElseThrow());
            LongReply.UnderWay one = new LongReply.UnderWay();
            one.begin(() -> {});
            built.add(one);
            return one;
        };
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        for (int i = 0; i < REPLIES; i++) {
            replies.add(front.client()
                    .run(new Command.Content(NUTS, Command.Part.VALUES))
                    .toCompletableFuture());
        }
        Reply answer = new Reply.Values(List.of(Bytes.of("1")));
        for (int answered = 0; answered < REPLIES; answered++) {
            int sofar = answered;
            Await.until(() -> built.size() >= Math.min(REPLIES, sofar + 3));
            assertSmallIsServed();
            assertThat(built).hasSizeLessThanOrEqualTo(answered + 3);
            loop.get().execute(() -> built.get(sofar).complete(answer));
        }
        replies.forEach(reply -> assertThat(Host.await(reply)).isEqualTo(answer));
        Await.until(() -> back.repliesTaken() == 0);

        var _ = front.client().run(new Command.Content(NUTS, Command.Part.VALUES));
        Await.until(() -> built.size() == REPLIES + 1);
        assertThat(back.repliesTaken()).isEqualTo(65L << 20);
        front.close();
        Await.until(() -> back.repliesTaken() == 0);
    }

    /** Each may wait for its bucket for seconds, and take little then. */
    @Test
    void aReplyThatHasNotBegunHoldsUpNoOther() throws Exception {
        back.repliesBytes = 1;
        start();
        Store plain = back.store;
        List<LongReply.UnderWay> waiting = Collections.synchronizedList(new ArrayList<>());
        Reply small = new Reply.Many(List.of(new Reply.Value(Bytes.of("1"))));
        back.store = (command, _) -> switch (command) {
            case Command.Content _ -> {
                waiting.add(new LongReply.UnderWay());
                yield waiting.getLast();
            }
            case Command.GetAll _ -> CompletableFuture.completedFuture(small);
            default -> plain.run(command);
        };
        for (int i = 0; i < 10; i++) {
            var _ = front.client().run(new Command.Content(NUTS, Command.Part.VALUES));
        }
        Await.until(() -> waiting.size() == 10);
        assertThat(front.ask(new Command.GetAll(NUTS, List.of(SMALL)))).isEqualTo(small);
        assertThat(back.repliesTaken()).isZero();

        waiting.getFirst().begin(() -> {});
        assertThat(back.repliesTaken()).isEqualTo(1);
        CompletableFuture<Reply> later =
                front.client().run(new Command.GetAll(NUTS, List.of(SMALL))).toCompletableFuture();
        assertSmallIsServed();
        assertThat(later).isNotDone();
        front.close();
        Await.until(() -> back.repliesTaken() == 0);
    }

    /** The names of all buckets are asked of several nodes: the sum begins with its part of this node, and is cancelled with it. */
    @Test
    void theNamesOfAllBucketsTakeTheirMemoryBeforeTheyAreBuilt() throws Exception {
        back.repliesBytes = 140L << 20;
        start();
        Store plain = back.store;
        List<LongReply.UnderWay> built = Collections.synchronizedList(new ArrayList<>());
        back.store = (command, _) -> {
            if (!(command instanceof Command.Names)) {
                return plain.run(command);
            }
            LongReply.UnderWay one = new LongReply.UnderWay();
            one.begin(() -> {});
            built.add(one);
            return one;
        };
        for (int i = 0; i < 5; i++) {
            var _ = front.client().run(new Command.Names(NameSpace.ALL, 0, Bytes.of("*"), 10));
        }
        Await.until(() -> built.size() == 3);
        assertSmallIsServed();
        assertThat(built).hasSize(3);
        front.close();
        Await.until(() -> back.repliesTaken() == 0 && built.stream().allMatch(CompletableFuture::isCancelled));
    }

    /** A client that keeps many large reads in flight must not keep those of the other clients of the same link from their turn. */
    @Test
    void clientsOfOneLinkTakeTurnsWithLongReplies() throws Exception {
        back.repliesBytes = 1;
        start();
        Store plain = back.store;
        AtomicReference<CommandThread> loop = new AtomicReference<>();
        List<LongReply.UnderWay> built = Collections.synchronizedList(new ArrayList<>());
        Reply answer = new Reply.Values(List.of(Bytes.of("1")));
        back.store = (command, _) -> switch (command) {
            case Command.Content _ -> {
                loop.set(CommandThread.current().orElseThrow());
                built.add(new LongReply.UnderWay());
                built.getLast().begin(() -> {});
                yield built.getLast();
            }
            case Command.GetAll _ -> CompletableFuture.completedFuture(answer);
            default -> plain.run(command);
        };
        Store greedy = front.client();
        AtomicInteger answered = new AtomicInteger();
        for (int i = 0; i < 8; i++) {
            keepAsking(greedy, answered);
        }
        Await.until(() -> built.size() == 1);
        CompletableFuture<Reply> other =
                front.client().run(new Command.GetAll(NUTS, List.of(SMALL))).toCompletableFuture();
        assertSmallIsServed();
        for (int i = 0; i < 2; i++) {
            int turn = i;
            assertThat(other).isNotDone();
            loop.get().execute(() -> built.get(turn).complete(answer));
            Await.until(() -> answered.get() > turn);
        }

        assertThat(Host.await(other)).isEqualTo(answer);
    }

    /** Asks for a content again whenever one is there, until two were. */
    private static void keepAsking(Store client, AtomicInteger answered) {
        var _ = client.run(new Command.Content(NUTS, Command.Part.VALUES)).thenAccept(_ -> {
            if (answered.incrementAndGet() <= 2) {
                keepAsking(client, answered);
            }
        });
    }

    /** Megabytes of values that the loop copies make all others wait. */
    @Test
    void aLargeValueBesideManyOthersIsEncodedElsewhereAndCharged() throws Exception {
        value = ByteBuffer.allocateDirect(8 << 20);
        front.roomBytes = 64 << 20;
        back.repliesBytes = 1L << 30;
        start();
        Store plain = back.store;
        Reply.Value other = new Reply.Value(Bytes.owning(new byte[60_000]));
        LargeInMemory large = new LargeInMemory(value, held, checked);
        back.store = (command, _) -> {
            if (!(command instanceof Command.GetAll)) {
                return plain.run(command);
            }
            List<Reply> each = new ArrayList<>(Collections.nCopies(900, other));
            each.add(new Reply.LargeValue(large));
            return CompletableFuture.completedFuture(new Reply.Many(each));
        };
        CompletableFuture<Reply> first = ask(LARGE);
        Await.until(first::isDone);
        CompletableFuture<Reply> reply =
                front.client().run(new Command.GetAll(NUTS, List.of(SMALL))).toCompletableFuture();
        Await.until(front::roomWaits);
        assertThat(large.reader).startsWith("kv-replies-");
        assertThat(back.repliesTaken()).isBetween(900L * 60_000, 60L << 20);

        Held.releaseIn(first.join());
        assertThat(((Reply.Many) Host.await(reply)).replies()).hasSize(901).startsWith(other);
        Await.until(() -> held.get() == 0 && back.repliesTaken() == 0);
    }

    /** The node between tells the one behind it, which lets go of what it does for nobody. */
    @Test
    void aReadThatNobodyAwaitsIsCancelledOnAllNodes() throws Exception {
        CompletableFuture<Reply> endless = new CompletableFuture<>();
        start();
        Store plain = back.store;
        AtomicBoolean isAsked = new AtomicBoolean();
        back.store = (command, _) -> {
            if (command instanceof Command.Content) {
                isAsked.set(true);
                return endless;
            }
            return plain.run(command);
        };
        middle.addresses.put("back@h", InetSocketAddress.createUnresolved("127.0.0.1", back.port));
        middle.start("*=back@h");
        front.close();
        front.addresses.put("middle@h", InetSocketAddress.createUnresolved("127.0.0.1", middle.port));
        front.start("*=middle@h");
        var _ = front.client().run(new Command.Content(NUTS, Command.Part.VALUES));
        Await.until(isAsked::get);
        assertThat(endless).isNotDone();

        front.close();
        assertThatThrownBy(() -> endless.get(20, TimeUnit.SECONDS)).isInstanceOf(CancellationException.class);
        front.start("*=middle@h");
        assertSmallIsServed();
    }

    @Test
    void aReplyWaitsForAsLongAsOthersHoldTheMemoryAndSmallOnesPass() throws Exception {
        front.timeout = Duration.ofMillis(500);
        value = ByteBuffer.allocateDirect(1 << 20);
        front.roomBytes = 5 << 19;
        start();
        Reply first = ask(LARGE).get(20, TimeUnit.SECONDS);
        Reply second = ask(LARGE).get(20, TimeUnit.SECONDS);
        CompletableFuture<Reply> third = ask(LARGE);
        long start = System.nanoTime();
        while (System.nanoTime() - start < 3 * front.timeout.toNanos()) {
            assertSmallIsServed();
        }
        assertThat(third).isNotDone();

        Held.releaseIn(first);
        assertThat(third.get(20, TimeUnit.SECONDS)).isInstanceOf(Reply.LargeValue.class);
        Held.releaseIn(second);
        Held.releaseIn(third.join());
        assertThat(front.roomTaken()).isZero();
        Await.until(() -> held.get() == 0);
    }

    @Test
    void aClientThatReadsNoneOfItsRepliesKeepsNobodyElseWaiting() throws Exception {
        value = ByteBuffer.allocateDirect(1 << 20);
        front.roomBytes = (4 << 20) + 100;
        start();
        Store greedy = front.client();
        List<CompletableFuture<Reply>> unread = new ArrayList<>();
        for (int i = 0; i < REPLIES; i++) {
            unread.add(greedy.run(new Command.Get(NUTS, LARGE)).toCompletableFuture());
        }
        Await.until(() -> front.roomWaits() || front.roomTaken() >= 4 << 20);
        for (int i = 0; i < 10; i++) {
            Held.releaseIn(ask(LARGE).get(1, TimeUnit.SECONDS));
        }
        assertThat(unread).filteredOn(CompletableFuture::isDone).hasSize(1);
        for (CompletableFuture<Reply> reply : unread) {
            Held.releaseIn(reply.get(20, TimeUnit.SECONDS));
        }
        Await.until(() -> front.roomTaken() == 0 && held.get() == 0);
    }

    @Test
    void aNodeThatPassesRepliesOnHoldsAsManyAsFitIntoHalfOfItsMemory() throws Exception {
        value = ByteBuffer.allocateDirect(1 << 20);
        // Who waits behind the node between waits for less than that one does.
        front.timeout = Duration.ofSeconds(1);
        middle.roomBytes = 3 << 20;
        start();
        middle.addresses.put("back@h", InetSocketAddress.createUnresolved("127.0.0.1", back.port));
        middle.start("*=back@h");
        front.close();
        front.addresses.put("middle@h", InetSocketAddress.createUnresolved("127.0.0.1", middle.port));
        front.roomBytes = 5 << 19;
        front.start("*=middle@h");

        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            replies.add(ask(LARGE));
        }
        // Two are here, one is on the node between, which waits for room here before it takes another one.
        Await.until(() -> replies.stream().filter(CompletableFuture::isDone).count() == 2
                && front.roomWaits()
                && middle.roomWaits());
        long start = System.nanoTime();
        while (System.nanoTime() - start < 2 * front.timeout.toNanos()) {
            assertSmallIsServed();
        }
        assertThat(replies).filteredOn(CompletableFuture::isDone).hasSize(2);
        assertThat(middle.roomTaken()).isBetween(1L << 20, 3L << 19);
        for (CompletableFuture<Reply> reply : replies) {
            replies.stream().filter(CompletableFuture::isDone).forEach(done -> Held.releaseIn(done.join()));
            reply.get(20, TimeUnit.SECONDS);
        }
        replies.forEach(reply -> Held.releaseIn(reply.join()));
        Await.until(() -> front.roomTaken() == 0 && middle.roomTaken() == 0 && held.get() == 0);
    }

    /** The replies of a client leave in the order of its requests: what waits for an older one gives its memory to nobody. */
    @Test
    void repliesThatWaitForOlderOnesLeaveRoomForThose() throws Exception {
        value = ByteBuffer.allocateDirect(1 << 20);
        front.roomBytes = (2 << 20) + 100;
        start();
        Store plain = back.store;
        AtomicReference<CommandThread> loop = new AtomicReference<>();
        List<CompletableFuture<Reply>> older = Collections.synchronizedList(new ArrayList<>());
        back.store = (command, _) -> {
            if (!(command instanceof Command.Content)) {
                return plain.run(command);
            }
            loop.set(CommandThread.current().orElseThrow());
            older.add(new CompletableFuture<>());
            return older.getLast();
        };
        List<CompletableFuture<Reply>> first = new ArrayList<>();
        List<CompletableFuture<Reply>> second = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Store client = front.client();
            first.add(client.run(new Command.Content(NUTS, Command.Part.VALUES)).toCompletableFuture());
            second.add(client.run(new Command.Get(NUTS, LARGE)).toCompletableFuture());
            // As the door for clients does: what is behind another reply is released after that.
            var _ = second.getLast().thenAcceptBoth(first.getLast(), (reply, _) -> Held.releaseIn(reply));
        }
        Await.until(() -> older.size() == 3 && front.roomWaits());
        loop.get()
                .execute(() -> older.forEach(
                        reply -> reply.complete(new Reply.Values(List.of(Bytes.owning(new byte[1 << 20]))))));
        for (CompletableFuture<Reply> reply : first) {
            assertThat(reply.get(10, TimeUnit.SECONDS)).isInstanceOf(Reply.Values.class);
        }
        for (CompletableFuture<Reply> reply : second) {
            assertThat(reply.get(10, TimeUnit.SECONDS)).isInstanceOf(Reply.LargeValue.class);
        }
        Await.until(() -> front.roomTaken() == 0 && held.get() == 0);
    }

    /** Replies of many values are decoded on the node between: they take the memory for received messages until they are passed on. */
    @Test
    void aNodeThatPassesRepliesOfManyValuesOnHoldsAsManyAsFit() throws Exception {
        value = ByteBuffer.allocateDirect(1 << 20);
        front.timeout = Duration.ofSeconds(1);
        front.roomBytes = 2 << 20;
        middle.roomBytes = 6 << 20;
        middle.repliesBytes = 2 << 20;
        start();
        PackedList.Builder builder = new PackedList.Builder();
        for (int i = 0; i < 20; i++) {
            builder.add(Bytes.owning(new byte[60_000]));
        }
        Reply many = new Reply.Values(builder.build());
        Store plain = back.store;
        back.store = (command, _) ->
                command instanceof Command.Content ? CompletableFuture.completedFuture(many) : plain.run(command);
        middle.addresses.put("back@h", InetSocketAddress.createUnresolved("127.0.0.1", back.port));
        middle.start("*=back@h");
        front.close();
        front.addresses.put("middle@h", InetSocketAddress.createUnresolved("127.0.0.1", middle.port));
        front.start("*=middle@h");
        Reply held = ask(LARGE).get(20, TimeUnit.SECONDS);

        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        for (int i = 0; i < REPLIES; i++) {
            replies.add(front.client()
                    .run(new Command.Content(NUTS, Command.Part.VALUES))
                    .toCompletableFuture());
        }
        Await.until(() -> front.roomWaits() && middle.roomWaits());
        long start = System.nanoTime();
        while (System.nanoTime() - start < front.timeout.toNanos()) {
            assertSmallIsServed();
            assertThat(middle.roomTaken() + middle.repliesTaken()).isLessThanOrEqualTo(3 << 20);
        }
        Held.releaseIn(held);
        for (CompletableFuture<Reply> reply : replies) {
            assertThat(reply.get(20, TimeUnit.SECONDS).equals(many)).isTrue();
        }
        Await.until(() -> front.roomTaken() == 0 && middle.roomTaken() == 0 && middle.repliesTaken() == 0);
    }

    @Test
    void whatIsOnItsWayIsLetGoOfWhenTheLinkBreaks() throws Exception {
        start();
        for (int i = 0; i < 5; i++) {
            var _ = ask(LARGE);
        }
        Await.until(() -> held.get() == 5 && front.roomTaken() > 0);
        front.close();
        Await.until(() -> held.get() == 0);
        Await.until(() -> front.roomTaken() == 0);
    }

    @Test
    void aValueThatIsDamagedIsAnsweredWithWhatIsWrong() {
        checked = new Reply.Failed(Reply.Word.ERR, "damaged");
        start();
        assertThat(Host.await(ask(LARGE))).isEqualTo(checked);
        assertSmallIsServed();
        assertThat(held).hasValue(0);
    }

    @Test
    void aValueThatIsTakenAwayWhileItIsSentEndsItsRequestAndNothingElse() throws Exception {
        CompletableFuture<Reply> second;
        Reply first;
        try (Arena arena = Arena.ofShared()) {
            value = arena.allocate(VALUE_BYTES).asByteBuffer();
            front.roomBytes = 100 << 20;
            start();
            first = ask(LARGE).get(20, TimeUnit.SECONDS);
            second = ask(LARGE);
            Await.until(() -> held.get() == 1 && front.roomWaits());
        }
        Held.releaseIn(first);

        assertThat(((Reply.Failed) Host.await(second)).message()).startsWith("back@h gave up its reply half-way");
        assertSmallIsServed();
        Await.until(() -> held.get() == 0 && front.roomTaken() == 0);
    }
}
