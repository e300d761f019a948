package dev.kv.router.placement;

import dev.kv.router.Bytes;
import dev.kv.router.NameSpace;
import dev.kv.router.table.RoutingTable;
import dev.kv.router.table.RoutingTable.Entry;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The places of buckets by one table, from one node: used to route, count and move buckets. Immutable. */
public final class Placement {
    private static final Place NOWHERE = new Nowhere();

    private final RoutingTable table;

    /** By position of the entry in the table; the last one is for names without an entry. */
    private final List<Place> places;

    private final List<Entry> here;

    /** Where a bucket is. */
    public sealed interface Place {
        /** The matching entry; empty if none matches. */
        Optional<Entry> entry();
    }

    /** On this node. */
    public record Here(Entry by) implements Place {
        @Override
        public Optional<Entry> entry() {
            return Optional.of(by);
        }
    }

    /** On another node by this table; that node looks in its own table. */
    public record There(Entry by) implements Place {
        /** That node. */
        public RoutingTable.Node node() {
            return by.node();
        }

        @Override
        public Optional<Entry> entry() {
            return Optional.of(by);
        }
    }

    /** No entry matches. */
    public record Nowhere() implements Place {
        @Override
        public Optional<Entry> entry() {
            return Optional.empty();
        }
    }

    /** A span of names whose buckets all have the same place. */
    public record Share(NameSpace.Span span, Place place) {}

    /**
     * @param self the name of the node that asks
     * @param table its table
     */
    public Placement(String self, RoutingTable table) {
        this.table = table;
        List<Place> all = new ArrayList<>();
        List<Entry> mine = new ArrayList<>();
        for (Entry entry : table.entries()) {
            if (entry.node().name().equals(self)) {
                mine.add(entry);
                all.add(new Here(entry));
            } else {
                all.add(new There(entry));
            }
        }
        all.add(NOWHERE);
        places = List.copyOf(all);
        here = List.copyOf(mine);
    }

    /** The place of a bucket. Allocates nothing. */
    public Place of(Bytes bucket) {
        int position = table.position(bucket);
        return places.get(position == RoutingTable.NONE ? places.size() - 1 : position);
    }

    /** The names in shares, each in one place. */
    public List<Share> shares(NameSpace names) {
        return table.split(names).stream()
                .map(span -> new Share(span, of(span.from())))
                .toList();
    }

    /** The entries that send buckets here, in their order. */
    public List<Entry> here() {
        return here;
    }
}
