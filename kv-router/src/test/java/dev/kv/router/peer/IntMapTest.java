package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class IntMapTest {
    @Test
    void holdsTheSameAsAHashMapAfterEachOfManyRandomSteps() {
        for (int seed = 0; seed < 50; seed++) {
            Random random = new Random(seed);
            // Few different keys meet again often; the multiples of a power of two lie at the same places first.
            int distinct = 1 + random.nextInt(200);
            int factor = 1 << random.nextInt(30);
            IntMap<String> map = new IntMap<>();
            Map<Integer, String> model = new HashMap<>();
            for (int step = 0; step < 2_000; step++) {
                int key = (random.nextInt(distinct) - distinct / 2) * factor;
                String value = "value " + random.nextInt(3);
                switch (random.nextInt(4)) {
                    case 0, 1 -> assertThat(map.put(key, value)).isEqualTo(model.put(key, value));
                    case 2 -> assertThat(map.remove(key)).isEqualTo(model.remove(key));
                    default -> {
                        String there = model.getOrDefault(key, value);
                        assertThat(map.remove(key, there)).isEqualTo(model.remove(key, there));
                    }
                }
                assertThat(map.size()).isEqualTo(model.size());
                assertThat(map.isEmpty()).isEqualTo(model.isEmpty());
                assertThat(map.get(key)).isEqualTo(model.get(key));
            }
            assertThat(map.keys()).containsExactlyInAnyOrderElementsOf(model.keySet());
            assertThat(map.values()).containsExactlyInAnyOrderElementsOf(model.values());
            for (int key : model.keySet()) {
                assertThat(map.get(key)).as("seed %d, key %d", seed, key).isEqualTo(model.get(key));
            }
            map.removeIf("value 1"::equals);
            model.values().removeIf("value 1"::equals);
            assertThat(map.keys()).containsExactlyInAnyOrderElementsOf(model.keySet());
            assertThat(map.values()).containsExactlyInAnyOrderElementsOf(model.values());
        }
    }

    @Test
    void keepsAnotherValueThanTheOneToBeRemoved() {
        IntMap<Object> map = new IntMap<>();
        Object value = new Object();
        map.put(7, value);

        assertThat(map.remove(7, new Object())).isFalse();
        assertThat(map.remove(8, value)).isFalse();
        assertThat(map.get(7)).isSameAs(value);
    }

    @Test
    void isEmptyAfterManyNumbersInOrderHaveComeAndGone() {
        IntMap<Integer> map = new IntMap<>();
        for (int number = 0; number < 20_000; number++) {
            map.put(number, number);
        }
        for (int number = 0; number < 20_000; number++) {
            assertThat(map.remove(number)).isEqualTo(number);
        }

        assertThat(map.isEmpty()).isTrue();
        assertThat(map.values()).isEmpty();
    }
}
