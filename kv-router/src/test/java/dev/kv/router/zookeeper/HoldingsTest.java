package dev.kv.router.zookeeper;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.placement.Holding;
import dev.kv.router.placement.Misplaced;
import dev.kv.router.testing.Await;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What a node reports of the buckets that it holds. */
class HoldingsTest extends NodesAtZooKeeper {
    @Test
    void bucketsAreCountedByEntryAndMisplacedOnesReported() throws Exception {
        create(ZNODES.table(), "a*=foo@h,*=bar@h");
        buckets.put(Bytes.of("apples"), 100L);
        buckets.put(Bytes.of("avocados"), 50L);
        buckets.put(Bytes.of("nuts"), 7L);
        Node foo = node("foo@h").join();

        NodeDocument said = foo.says("foo@h");
        assertThat(said.holds()).contains(List.of(new Holding("a*=foo@h", 2, 150)));
        assertThat(said.misplaced()).isEqualTo(new Misplaced(1, 7, List.of("nuts")));
        assertThat(said.table().warnings())
                .contains("misplaced here: 1 bucket (7 bytes) that this table sends elsewhere");
        assertThat(foo.status()).containsEntry("misplaced", "1 bucket (7 bytes): nuts");

        set(ZNODES.table(), "*=bar@h");
        Await.until(() -> foo.membership.document().orElseThrow().misplaced().buckets() == 3);
        assertThat(foo.membership.document().orElseThrow().table().warnings())
                .contains("misplaced here: 3 buckets (157 bytes) that this table sends elsewhere");
        set(ZNODES.table(), "*=foo@h");
        Await.until(() -> foo.membership.document().orElseThrow().misplaced().buckets() == 0);
    }

    @Test
    void newAndDroppedBucketsAreReportedWithinSeconds() throws Exception {
        create(ZNODES.table(), "*=foo@h");
        Node foo = node("foo@h").join();
        for (List<Holding> held :
                List.of(List.of(new Holding("*=foo@h", 1, 100)), List.of(new Holding("*=foo@h", 0, 0)))) {
            if (buckets.remove(Bytes.of("apples")) == null) {
                buckets.put(Bytes.of("apples"), 100L);
            }
            long start = System.nanoTime();
            while (!foo.says("foo@h").holds().equals(Optional.of(held))) {
                assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(POLL.dividedBy(2));
            }
        }
    }

    @Test
    void countingAMillionBucketsDoesNotDelayTheNextTable() throws Exception {
        for (int i = 0; i < 1_000_000; i++) {
            buckets.put(Bytes.of("bucket-" + i), 300L);
        }
        create(ZNODES.table(), "*=foo@h");
        Node foo = node("foo@h").join();
        Await.until(() ->
                foo.says("foo@h").holds().equals(Optional.of(List.of(new Holding("*=foo@h", 1_000_000, 300_000_000)))));

        String prefixes = IntStream.range(1000, 3000)
                .mapToObj(i -> "bucket-x" + i + "*=bar@h,")
                .collect(Collectors.joining());
        set(ZNODES.table(), prefixes + "*=foo@h");
        Await.until(() -> foo.table().startsWith(prefixes));
        long mzxid = set(ZNODES.table(), "*=bar@h").getMzxid();
        long start = System.nanoTime();
        Await.until(() -> foo.inForce.version() == mzxid);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(1));
        Await.until(() -> foo.membership.document().orElseThrow().misplaced().buckets() == 1_000_000);
    }

    @Test
    void aCountThatIsInterruptedSeesNoMoreBuckets() throws Exception {
        AtomicInteger passed = new AtomicInteger();
        AtomicInteger ended = new AtomicInteger();
        Consumer<BiPredicate<Bytes, Long>> endless = visitor -> {
            do {
                passed.incrementAndGet();
            } while (visitor.test(Bytes.of("bucket"), 1L));
            ended.incrementAndGet();
        };
        try (HoldingsCounter counter = new HoldingsCounter("foo@h", endless, () -> {})) {
            counter.start();
            assertThat(counter.by(Optional.empty(), Duration.ofMillis(1))).isEmpty();
            Await.until(() -> passed.get() > 10);
            assertThat(ended).hasValue(0);
            SeenTable other = SeenTable.of("/kv/table", 5, "*=foo@h".getBytes(UTF_8), 100);
            assertThat(counter.by(Optional.of(other), Duration.ofMillis(1))).isEmpty();
            Await.until(() -> ended.get() == 1);
        }
        Await.until(() -> ended.get() == 2);
    }

    @Test
    void aNodeRegistersBeforeItsBucketsAreCounted() throws Exception {
        create(ZNODES.table(), "*=foo@h");
        buckets.put(Bytes.of("apples"), 100L);
        CountDownLatch counting = new CountDownLatch(1);
        beforeCount = () -> {
            try {
                counting.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
        Node foo = node("foo@h").join();
        NodeDocument said = foo.says("foo@h");
        assertThat(said.holds()).isEmpty();
        assertThat(said.table().warnings()).contains("what this node holds is not told: its buckets are being counted");

        counting.countDown();
        Await.until(() -> foo.says("foo@h").holds().equals(Optional.of(List.of(new Holding("*=foo@h", 1, 100)))));
        assertThat(foo.says("foo@h").table().warnings()).isEmpty();
    }

    @Test
    void theTableIsFollowedWhenCountingFails() throws Exception {
        create(ZNODES.table(), HALVES);
        beforeCount = () -> {
            throw new StackOverflowError("deep");
        };
        Node foo = node("foo@h").join();
        Await.until(
                () -> foo.says("foo@h")
                        .table()
                        .warnings()
                        .contains(
                                "what this node holds is not told: its buckets cannot be counted: java.lang.StackOverflowError: deep"));

        set(ZNODES.table(), "*=foo@h");
        awaitTable(foo, "*=foo@h");
        beforeCount = () -> {};
        Await.until(() -> foo.says("foo@h").holds().isPresent());
    }

    @Test
    void aDocumentThatWouldBeTooLargeOmitsTheHoldings() throws Exception {
        create(
                ZNODES.table(),
                IntStream.range(1000, 3000)
                        .mapToObj(i -> "bucket-" + i + "*=foo@h")
                        .collect(Collectors.joining(",")));
        Node foo = node("foo@h").join();

        NodeDocument said = foo.says("foo@h");
        assertThat(said.holds()).isEmpty();
        assertThat(said.table().warnings().getLast())
                .startsWith("what this node holds is not told: ")
                .endsWith("(kv.router.zookeeper.document-max)");
    }
}
