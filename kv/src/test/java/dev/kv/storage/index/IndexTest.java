package dev.kv.storage.index;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Lookups, growth, frozen copies and draws of an index. */
class IndexTest {
    private static final int HASH_FACTOR = 0x9E37_79B9;

    private final Index index = new Index();

    /** The location of each number in the index. */
    private final Map<Integer, Long> expected = new HashMap<>();

    private static int hash(int number) {
        int mixed = number * HASH_FACTOR;
        mixed ^= mixed >>> 15;
        // Some numbers share a hash.
        return (mixed * 0x85EB_CA6B) & ~1;
    }

    private static long location(int number, int version) {
        return (long) (1 + version) << Integer.SIZE | number;
    }

    private void set(int number, int version) {
        long location = location(number, version);
        Long before = expected.put(number, location);
        if (before == null) {
            index.add(hash(number), location);
        } else {
            assertThat(index.replace(hash(number), before, location)).isTrue();
        }
    }

    private void remove(int number) {
        Long before = expected.remove(number);
        if (before != null) {
            index.remove(hash(number), before);
        }
    }

    private static List<Long> locations(Index index) {
        List<Long> seen = new ArrayList<>();
        long[] last = {0};
        index.forEach(0, (hash, location) -> {
            assertThat(Integer.toUnsignedLong(hash)).isGreaterThanOrEqualTo(last[0]);
            last[0] = Integer.toUnsignedLong(hash);
            seen.add(location);
            return true;
        });
        assertThat(index.size()).isEqualTo(seen.size());
        return sorted(seen);
    }

    private static List<Long> sorted(Collection<Long> locations) {
        return locations.stream().sorted().toList();
    }

    @Test
    void holdsWhatWasPutIntoItWhileItGrowsAndShrinks() {
        Random random = new Random(1);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 60_000; i++) {
                set(random.nextInt(50_000), i);
            }
            assertThat(locations(index)).isEqualTo(sorted(expected.values()));
            for (int left : new int[] {20_000, 3_000, 500, 3, 0}) {
                for (int number : List.copyOf(expected.keySet())) {
                    if (expected.size() > left) {
                        remove(number);
                    }
                }
                assertThat(locations(index)).isEqualTo(sorted(expected.values()));
                expected.forEach((number, location) -> {
                    long at = index.next(hash(number), Index.NONE);
                    while (at != location) {
                        assertThat(at).isNotEqualTo(Index.NONE);
                        at = index.next(hash(number), at);
                    }
                });
            }
        }
    }

    @Test
    void movesALocationWithItsFlagsWhateverTheyAre() {
        long flags = 0xF000_0000L;
        for (int flag = 0; flag < 16; flag++) {
            long set = (long) flag << 28;
            index.add(7, 5L << Integer.SIZE | 100 + flag | set);
        }
        for (int flag = 0; flag < 16; flag++) {
            long set = (long) flag << 28;
            assertThat(index.move(7, 5L << Integer.SIZE | 100 + flag, 6L << Integer.SIZE | 300 + flag, flags))
                    .isTrue();
            assertThat(index.contains(7, 6L << Integer.SIZE | 300 + flag | set)).isTrue();
        }
        assertThat(index.move(7, 5L << Integer.SIZE | 100, 6L << Integer.SIZE | 300, flags))
                .isFalse();
        assertThat(index.size()).isEqualTo(16);
    }

    @Test
    void frozenCopiesStayAsTheyWere() {
        Random random = new Random(2);
        List<Index> copies = new ArrayList<>();
        List<List<Long>> were = new ArrayList<>();
        for (int keys : new int[] {10, 3_000, 40_000, 60_000, 500, 1}) {
            for (int i = 0; i < 2 * keys; i++) {
                set(random.nextInt(60_000), i);
            }
            for (int number : List.copyOf(expected.keySet())) {
                if (expected.size() > keys) {
                    remove(number);
                }
            }
            copies.add(index.frozen());
            were.add(sorted(expected.values()));
        }
        expected.keySet().forEach(number -> set(number, 1_000_000));

        for (int i = 0; i < copies.size(); i++) {
            assertThat(locations(copies.get(i))).isEqualTo(were.get(i));
        }
    }

    /** Counts its calls. */
    private static final class Counting implements RandomGenerator {
        private final RandomGenerator random = new SplittableRandom(3);
        private long asked;

        @Override
        public long nextLong() {
            asked++;
            return random.nextLong();
        }
    }

    @Test
    void drawsEachEntryAsOftenAsAnyOtherAndInTheSameTimeFromFewAndMany() {
        int most = 300_000;
        for (int number = 0; number < most; number++) {
            set(number, 1);
        }
        for (int keys : new int[] {most, 30_000, 3_000, 200, 7}) {
            for (int number = keys; number < most; number++) {
                remove(number);
            }
            assertThat(index.size()).isEqualTo(keys);
            Counting random = new Counting();
            int[] drawn = new int[keys];
            long draws = Math.min(100L * keys, 3_000_000);
            for (long i = 0; i < draws; i++) {
                drawn[(int) index.draw(random)]++;
            }

            assertThat(random.asked)
                    .as("numbers for %d draws of %d", draws, keys)
                    .isLessThan(100 * draws);
            double mean = (double) draws / keys;
            for (int count : drawn) {
                assertThat((double) count).isBetween(mean - 7 * Math.sqrt(mean), mean + 7 * Math.sqrt(mean));
            }
        }
    }
}
