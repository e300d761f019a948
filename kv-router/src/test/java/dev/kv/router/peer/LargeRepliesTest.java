package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.CommandThread;
import dev.kv.router.Held;
import dev.kv.router.PackedList;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import dev.kv.router.testing.Await;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Many clients of a node that keeps nothing ask for large values of another node. */
@Timeout(120)
class LargeRepliesTest extends WithBackHost {
    private static final int VALUE_BYTES = 64 << 20;
    /** With the header of its array it takes one megabyte of any heap. */
    private static final int MEGABYTE_VALUE_BYTES = (1 << 20) - 64;

    private static final int REPLIES = 20;
    private static final Bytes LARGE = Bytes.of("large");

    private final AtomicInteger held = new AtomicInteger();
    private Reply checked = Reply.OK;
    private ByteBuffer value = ByteBuffer.allocateDirect(VALUE_BYTES);

    @Override
    void start() throws Exception {
        Store plain = back.store;
        back.store = (command, _) -> command instanceof Command.Get(Bytes _, Bytes key) && key.equals(LARGE)
                ? CompletableFuture.completedFuture(new Reply.LargeValue(new LargeInMemory(value, held, checked)))
                : plain.run(command);
        super.start();
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

    @Test
    void aReplyWaitsForAsLongAsOthersHoldTheMemoryAndSmallOnesPass() throws Exception {
        front.timeout = Duration.ofMillis(500);
        value = ByteBuffer.allocateDirect(MEGABYTE_VALUE_BYTES);
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
        value = ByteBuffer.allocateDirect(MEGABYTE_VALUE_BYTES);
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
        value = ByteBuffer.allocateDirect(MEGABYTE_VALUE_BYTES);
        // Who waits behind the node between waits for less than that one does.
        front.timeout = Duration.ofSeconds(1);
        middle.roomBytes = 3 << 20;
        start();
        middle.knows(back);
        middle.start("*=back@h");
        front.close();
        front.knows(middle);
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
        assertThat(middle.roomTaken()).isBetween((long) MEGABYTE_VALUE_BYTES, 3L << 19);
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
        value = ByteBuffer.allocateDirect(MEGABYTE_VALUE_BYTES);
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
        value = ByteBuffer.allocateDirect(MEGABYTE_VALUE_BYTES);
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
        middle.knows(back);
        middle.start("*=back@h");
        front.close();
        front.knows(middle);
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
    void aValueThatIsDamagedIsAnsweredWithWhatIsWrong() throws Exception {
        checked = new Reply.Failed(Reply.Word.ERR, "damaged");
        start();
        assertThat(Host.await(ask(LARGE))).isEqualTo(checked);
        assertSmallIsServed();
        Await.until(() -> held.get() == 0);
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
