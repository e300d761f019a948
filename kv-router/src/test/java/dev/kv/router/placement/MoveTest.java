package dev.kv.router.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.Bytes;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.table.RoutingTable.Entry;
import dev.kv.router.table.RoutingTable.Node;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MoveTest {
    @ParameterizedTest(name = "{0} to {1}: {2}")
    @CsvSource(
            delimiter = ';',
            value = {
                "a..m=foo@h,n..z=bar@h; a..m=foo@h,n..z=bar@h; ''",
                "a..m=foo@h,n..z=bar@h; a..f=foo@h,g..z=bar@h; g..m foo@h bar@h",
                "a..m=foo@h,n..z=bar@h; a..m=bar@h,n..z=foo@h; a..m foo@h bar@h|n..z bar@h foo@h",
                "a..c=foo@h; a=foo@h,b=foo@h,c=foo@h; ''",
                "a..m=foo@h; a..m=foo@h:4141; ''",
                "*=foo@h; *=bar@h; * foo@h bar@h",
                "*=foo@h; %00..%FF=foo@h; (no name) foo@h nobody",
                "a=foo@h; a..b=foo@h; b nobody foo@h",
                "a..b=foo@h; a=foo@h; b foo@h nobody",
                "a..z=foo@h; shop-*=baz@h,a..z=foo@h; shop-* foo@h baz@h",
                "a..z=foo@h; a..z=foo@h,shop-*=baz@h; ''",
                "shop-*=baz@h,a..z=foo@h; a..z=foo@h; shop-* baz@h foo@h",
                "shop-*=baz@h,s=foo@h; shop-*=baz@h,s=bar@h; s foo@h bar@h|shop-* baz@h baz@h",
                "shop-*=foo@h,s=foo@h; shop-*=bar@h,s=bar@h; s foo@h bar@h",
                "sa*=foo@h,s=foo@h; sab*=baz@h,sa*=bar@h,s=foo@h; sa* foo@h bar@h|sab* foo@h baz@h",
                "s=foo@h; sab*=foo@h,sa*=bar@h,s=foo@h; sa* foo@h bar@h|sab* foo@h foo@h",
            })
    void listsTheBucketsThatMoveFromNodeToNode(String before, String after, String moves) throws Exception {
        List<String> told = Move.between(RoutingTable.parse(before), RoutingTable.parse(after)).stream()
                .map(move -> move.range() + " " + move.from().orElse("nobody") + " "
                        + move.to().orElse("nobody"))
                .toList();

        assertThat(String.join("|", told)).isEqualTo(moves);
    }

    @Test
    void agreesWithTheTablesForEveryName() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < 100; round++) {
            RoutingTable before = randomTable(random);
            RoutingTable after = randomTable(random);
            List<Move> moves = Move.between(before, after);
            Map<Move, Predicate<Bytes>> ranges = ranges(moves);
            for (Bytes name : names()) {
                Optional<String> from = nodeOf(before, name);
                Optional<String> to = nodeOf(after, name);
                Optional<Move> told = lastOf(ranges, name);
                Supplier<String> what =
                        () -> "seed %d: %s in %s, then %s: %s".formatted(seed, name, before, after, moves);
                if (from.equals(to)) {
                    assertThat(told.filter(move -> !move.from().equals(move.to())))
                            .as(what)
                            .isEmpty();
                } else {
                    assertThat(told).as(what).isPresent();
                    assertThat(told.get().from()).as(what).isEqualTo(from);
                    assertThat(told.get().to()).as(what).isEqualTo(to);
                }
            }
        }
    }

    /** The move that holds for a name: of those whose range it matches, the one with the longest prefix, which is the last. */
    private static Optional<Move> lastOf(Map<Move, Predicate<Bytes>> ranges, Bytes name) {
        return ranges.entrySet().stream()
                .filter(range -> range.getValue().test(name))
                .map(Map.Entry::getKey)
                .reduce((_, later) -> later);
    }

    private static Map<Move, Predicate<Bytes>> ranges(List<Move> moves) throws RoutingTable.Malformed {
        Map<Move, Predicate<Bytes>> ranges = new LinkedHashMap<>();
        for (Move move : moves) {
            ranges.put(
                    move,
                    move.range().equals(Move.NAMELESS)
                            ? Bytes::isEmpty
                            : RoutingTable.parse(move.range() + "=x@h")
                                    .entries()
                                    .getFirst()
                                    .range()::matches);
        }
        return ranges;
    }

    private static Optional<String> nodeOf(RoutingTable table, Bytes name) {
        return table.find(name).map(Entry::node).map(Node::name);
    }

    private static RoutingTable randomTable(Random random) throws RoutingTable.Malformed {
        List<String> ranges = List.of("a", "b", "a..b", "b..c", "a*", "aa*", "ab*", "aab*", "ba*", "bab*", "*");
        List<String> entries = new ArrayList<>();
        for (int i = random.nextInt(6); i >= 0; i--) {
            entries.add(ranges.get(random.nextInt(ranges.size())) + "=" + "xyz".charAt(random.nextInt(3)) + "@h");
        }
        return RoutingTable.parse(String.join(",", entries));
    }

    /** All names of up to four letters a to d. */
    private static List<Bytes> names() {
        List<String> names = new ArrayList<>(List.of(""));
        for (int i = 0; i < names.size() && names.get(i).length() < 4; i++) {
            for (char next = 'a'; next <= 'd'; next++) {
                names.add(names.get(i) + next);
            }
        }
        return names.stream().map(Bytes::of).toList();
    }
}
