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
 * it has. Time and memory are O(n log n) in the number of entries.
 */
final class Claims {
    private static final Optional<Bytes> BEHIND_NAMELESS = Optional.of(Bytes.owning(new byte[1]));

    /** Spans of names without an entry, by their first name: the first name after each, or none for the last span. */
    private final NavigableMap<Bytes, Optional<Bytes>> free = new TreeMap<>();

    /** Spans of names with an entry, by their first name: the position of the entry. */
    private final NavigableMap<Bytes, Integer> taken = new TreeMap<>();

    Claims() {
        free.put(Bytes.EMPTY, Optional.empty());
    }

    /** Adds the entry at this position; returns whether a part of its range was free. */
    boolean add(Range range, int position) {
        boolean reachable = false;
        for (Bytes name : range.shortestNames()) {
            reachable |= claim(name, position);
        }
        return reachable;
    }

    /** The positions of the entries that have the names of the range. */
    Set<Integer> takers(Range range) {
        Set<Integer> takers = new LinkedHashSet<>();
        for (Bytes name : range.shortestNames()) {
            takers.add(taken.floorEntry(name).getValue());
        }
        return takers;
    }

    /** Takes the free names with this prefix; for the empty name, that name alone. */
    private boolean claim(Bytes name, int position) {
        Optional<Bytes> end = name.isEmpty() ? BEHIND_NAMELESS : NameSpace.after(name);
        cut(name);
        end.ifPresent(this::cut);
        NavigableMap<Bytes, Optional<Bytes>> mine =
                end.isPresent() ? free.subMap(name, true, end.get(), false) : free.tailMap(name, true);
        if (mine.isEmpty()) {
            return false;
        }
        mine.keySet().forEach(from -> taken.put(from, position));
        mine.clear();
        return true;
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
