package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.Command;
import dev.kv.router.Reply;
import dev.kv.router.Store;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Many clients of a node that keeps nothing ask for large values of another node. */
@Timeout(120)
class LargeRepliesTest {
    private static final int VALUE_BYTES = 64 << 20;
    private static final int REPLIES = 20;
    private static final Bytes NUTS = Bytes.of("nuts");

    private final Host front = new Host("front@h");
    private final Host back = new Host("back@h");

    @AfterEach
    void stop() {
        front.close();
        back.close();
    }

    private void start() {
        back.start("*=back@h");
        front.addresses.put("back@h", InetSocketAddress.createUnresolved("127.0.0.1", back.port));
        front.start("*=back@h");
        front.ask(new Command.Create(NUTS));
        front.ask(new Command.Put(NUTS, Bytes.of("small"), Bytes.of("1")));
        // Straight into the map: it is the replies that this is about.
        back.buckets.get(NUTS).put(Bytes.of("large"), Bytes.owning(new byte[VALUE_BYTES]));
    }

    @Test
    void twentyLargeRepliesAreAllGivenAndDelayNobodyWithinTheMemoryForThem() {
        start();
        AtomicLong mostTaken = new AtomicLong();
        List<CompletableFuture<Integer>> replies = new ArrayList<>();
        for (int i = 0; i < REPLIES; i++) {
            replies.add(front.client()
                    .run(new Command.Get(NUTS, Bytes.of("large")))
                    .thenApply(reply -> {
                        mostTaken.accumulateAndGet(front.roomTaken(), Math::max);
                        return reply instanceof Reply.Value(Bytes value) ? value.size() : 0;
                    })
                    .toCompletableFuture());
        }
        CompletableFuture<Void> all = CompletableFuture.allOf(replies.toArray(CompletableFuture<?>[]::new));
        Store bystander = front.client();
        long longestNanos = 0;
        int asked = 0;
        while (!all.isDone()) {
            long start = System.nanoTime();
            assertThat(Host.await(bystander.run(new Command.Get(NUTS, Bytes.of("small")))))
                    .isEqualTo(new Reply.Value(Bytes.of("1")));
            longestNanos = Math.max(longestNanos, System.nanoTime() - start);
            mostTaken.accumulateAndGet(front.roomTaken(), Math::max);
            asked++;
        }
        System.out.println("LargeRepliesTest: the bystander waited at most " + longestNanos / 1000 + " us, asked "
                + asked + " times; at most " + mostTaken + " bytes were taken");

        assertThat(replies).extracting(CompletableFuture::join).containsOnly(VALUE_BYTES);
        assertThat(asked).isGreaterThan(10);
        assertThat(Duration.ofNanos(longestNanos)).isLessThan(Duration.ofSeconds(2));
        assertThat(mostTaken.get()).isBetween((long) VALUE_BYTES, front.roomBytes);
        assertThat(front.roomTaken()).isZero();
    }
}
