package dev.kv.router.table;

import dev.kv.router.Bytes;
import dev.kv.router.NameSpace;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * The names of buckets in order, divided among the entries of a table: each entry gets the part of its range that no entry before
 * it has. Time and memory are O(n log n) in the number of entries, since each adds at most two borders.
 */
final class Claims {
    /** Spans of names without an entry, by their first name: the first name after each, or none for the last span. */
    private final NavigableMap<Bytes, Optional<Bytes>> free = new TreeMap<>();

    /** Spans of names with an entry, by their first name: the position of the entry. */
    private final NavigableMap<Bytes, Integer> taken = new TreeMap<>();

    Claims() {
        free.put(Bytes.EMPTY, Optional.empty());
    }

    /** Adds the entry at this position; returns whether a part of its range was free. */
    boolean add(Range range, int position) {
        NameSpace.Span names = range.names();
        cut(names.from());
        names.before().ifPresent(this::cut);
        NavigableMap<Bytes, Optional<Bytes>> mine = names.before()
                .map(end -> free.subMap(names.from(), true, end, false))
                .orElseGet(() -> free.tailMap(names.from(), true));
        if (mine.isEmpty()) {
            return false;
        }
        mine.keySet().forEach(from -> taken.put(from, position));
        mine.clear();
        return true;
    }

    /** The positions of the entries that have the names of the range. */
    Set<Integer> takers(Range range) {
        Set<Integer> takers = new LinkedHashSet<>();
        for (Bytes name : range.shortestNames()) {
            takers.add(taken.floorEntry(name).getValue());
        }
        return takers;
    }

    /** Splits the free span that contains this name there. */
    private void cut(Bytes name) {
        Map.Entry<Bytes, Optional<Bytes>> span = free.lowerEntry(name);
        if (span != null && span.getValue().map(end -> end.compareTo(name) > 0).orElse(true)) {
            free.put(span.getKey(), Optional.of(name));
            free.put(name, span.getValue());
        }
    }

    /** The spans of all names, by their first name: the position of the entry that has them, or {@link RoutingTable#NONE}. */
    NavigableMap<Bytes, Integer> spans() {
        NavigableMap<Bytes, Integer> spans = new TreeMap<>(taken);
        free.keySet().forEach(from -> spans.put(from, RoutingTable.NONE));
        return spans;
    }
}
