package dev.kv.router.placement;

import dev.kv.router.Bytes;
import dev.kv.router.table.Range;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.table.RoutingTable.Entry;
import dev.kv.router.table.RoutingTable.Node;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * Buckets that one table sends to another node than the table before it.
 *
 * @param range their names, as a table writes them, less those of the moves with a longer prefix; {@link #NAMELESS} for the
 *     bucket without a name alone
 * @param from the node's name; empty for none
 * @param to the node's name; empty for none; the same as {@code from} for those that stay, of a range that moves
 */
public record Move(String range, Optional<String> from, Optional<String> to) {
    /** What stands for the bucket without a name, which no range but {@code *} matches. */
    public static final String NAMELESS = "(no name)";

    /** Source and target; all values without a move are equal. */
    private record Way(Optional<String> from, Optional<String> to) {
        boolean isMove() {
            return !from.equals(to);
        }

        boolean isAs(Way other) {
            return isMove() ? equals(other) : !other.isMove();
        }
    }

    /** A region of several bytes, with source and target. */
    private record Prefix(Bytes name, Way way) {}

    /** All moves, ranges of first bytes before prefixes. A changed address is not a move. */
    public static List<Move> between(RoutingTable before, RoutingTable after) {
        Way[] ways = new Way[256];
        Way nameless = way(before, after, Bytes.EMPTY);
        List<Move> ofPrefixes = new ArrayList<>();
        Deque<Prefix> around = new ArrayDeque<>();
        for (Bytes region : Regions.of(List.of(before, after)).tailSet(Bytes.EMPTY, false)) {
            Way way = way(before, after, region);
            if (region.size() == 1) {
                ways[region.at(0)] = way;
                around.clear();
            } else {
                while (!region.startsWith(around.getFirst().name())) {
                    around.pop();
                }
                if (!way.isAs(around.getFirst().way())) {
                    ofPrefixes.add(move(new Range.Prefix(region).toString(), way));
                }
            }
            around.push(new Prefix(region, way));
        }
        List<Move> moves = ofFirstBytes(ways, nameless);
        moves.addAll(ofPrefixes);
        return moves;
    }

    private static List<Move> ofFirstBytes(Way[] ways, Way nameless) {
        List<Move> moves = new ArrayList<>();
        for (int first = 0; first <= 0xFF; first++) {
            int last = first;
            while (last < 0xFF && ways[last + 1].equals(ways[first])) {
                last++;
            }
            if (ways[first].isMove()) {
                boolean isAll = first == 0 && last == 0xFF && nameless.equals(ways[first]);
                Range range = isAll ? new Range.All() : new Range.Span(first, last);
                moves.add(move(range.toString(), ways[first]));
                if (isAll) {
                    return moves;
                }
            }
            first = last;
        }
        if (nameless.isMove()) {
            moves.add(move(NAMELESS, nameless));
        }
        return moves;
    }

    private static Way way(RoutingTable before, RoutingTable after, Bytes name) {
        return new Way(nodeOf(before, name), nodeOf(after, name));
    }

    private static Optional<String> nodeOf(RoutingTable table, Bytes name) {
        return table.find(name).map(Entry::node).map(Node::name);
    }

    private static Move move(String range, Way way) {
        return new Move(range, way.from, way.to);
    }
}
