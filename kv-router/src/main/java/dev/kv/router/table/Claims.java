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
 * All names of buckets in their order, shared out among the entries of a table: each entry takes what those before it have left of
 * its range. Takes time and memory by the number of entries, times its logarithm.
 */
final class Claims {
    private static final Optional<Bytes> BEHIND_NAMELESS = Optional.of(Bytes.owning(new byte[1]));

    /** Spans of names that nobody has, by their first name: the first name behind each, or none if it has all that follow. */
    private final NavigableMap<Bytes, Optional<Bytes>> free = new TreeMap<>();

    /** Spans of names, by their first name: the position of the entry that has them. */
    private final NavigableMap<Bytes, Integer> taken = new TreeMap<>();

    Claims() {
        free.put(Bytes.EMPTY, Optional.empty());
    }

    /** Puts the entry at this position behind the others; answers whether they left it something. */
    boolean add(Range range, int position) {
        boolean reachable = false;
        for (Bytes name : range.shortestNames()) {
            reachable |= claim(name, position);
        }
        return reachable;
    }

    /** The positions of the entries that have all that the range matches. */
    Set<Integer> takers(Range range) {
        Set<Integer> takers = new LinkedHashSet<>();
        for (Bytes name : range.shortestNames()) {
            takers.add(taken.floorEntry(name).getValue());
        }
        return takers;
    }

    /** Takes what is free of the names that begin with this one; of the empty name, that alone. */
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

    /** Has no free span go on beyond this name. */
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
