package dev.kv.storage.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.Test;

class ExpiriesTest {
    private static final int MANY = 200_000;

    private final Expiries queue = new Expiries();
    private final Random random = new Random(1);

    private List<Long> polled() {
        List<Long> times = new ArrayList<>();
        while (queue.next() != Expiries.NEVER) {
            times.add(queue.next());
            int _ = queue.poll();
        }
        return times;
    }

    @Test
    void entriesLeaveInTheOrderOfTheirTimes() {
        PriorityQueue<Long> model = new PriorityQueue<>();
        for (int i = 0; i < 3 * MANY; i++) {
            if (random.nextInt(3) > 0) {
                long time = random.nextInt(1_000_000);
                queue.add(time, random.nextInt());
                model.add(time);
            } else if (!model.isEmpty()) {
                assertThat(queue.next()).isEqualTo(model.poll());
                int _ = queue.poll();
            }
            assertThat(queue.count()).isEqualTo(model.size());
        }
        assertThat(queue.count()).isGreaterThan(MANY / 2);
        assertThat(polled()).hasSize(model.size()).isSorted();
        assertThat(queue.count()).isZero();
    }

    @Test
    void oneCallOfPruneLooksAtABoundedPartOfManyEntriesAndAllCallsLookAtAll() {
        Map<Integer, Long> first = new HashMap<>();
        for (int i = 0; i < MANY; i++) {
            int hash = random.nextInt();
            queue.add(1_000_000 - i, hash);
            queue.add(2_000_000 - i, hash);
            queue.add(3_000_000 - i, hash);
            first.merge(hash, 1_000_000L - i, Math::min);
        }
        assertThat(queue.isCrowded(MANY / 4)).isTrue();
        int calls = 0;
        while (queue.count() > first.size()) {
            int[] lookedAt = {0};
            queue.prune(_ -> lookedAt[0]++ >= 0);
            assertThat(lookedAt[0]).isLessThanOrEqualTo(1 << 15);
            assertThat(queue.isCrowded(MANY / 4)).as("until some are added").isFalse();
            assertThat(++calls).isLessThan(1_000);
        }
        assertThat(polled()).isEqualTo(first.values().stream().sorted().toList());
    }

    @Test
    void whatIsGoneIsPruned() {
        for (int hash = 0; hash < MANY; hash++) {
            queue.add(hash, hash);
        }
        IntPredicate isLive = hash -> hash % 1_000 == 0;
        for (int calls = 0; calls < 100; calls++) {
            queue.prune(isLive);
        }
        assertThat(queue.count()).isEqualTo(MANY / 1_000);
        assertThat(queue.next()).isZero();
    }

    @Test
    void aTimeThatIsMadeSoonerAgainAndAgainTakesNoMoreThanOneHeap() {
        for (int hash = 0; hash < MANY; hash++) {
            queue.add(10_000_000, hash);
        }
        for (int i = 0; i < MANY; i++) {
            queue.add(9_000_000 - i, 1);
        }
        assertThat(queue.count()).isLessThan(MANY + (1 << 15));
        assertThat(queue.next()).isEqualTo(9_000_000 - MANY + 1);
        assertThat(queue.poll()).isOne();
    }
}
