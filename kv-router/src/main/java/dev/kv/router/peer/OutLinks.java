package dev.kv.router.peer;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

/** The links to other nodes of all I/O loops, for {@code kv status}: how many there are, and which nodes were not reached. Any thread. */
final class OutLinks {
    /** Most nodes that are named: a line that can be read. */
    private static final int NAMED_MAX = 3;

    private final AtomicInteger open = new AtomicInteger();

    /** Why the last attempt to reach a node failed, by its name. */
    private final Map<String, String> failures = new ConcurrentSkipListMap<>();

    /** Both nodes have proved themselves on a link. */
    void opened(String node) {
        open.incrementAndGet();
        failures.remove(node);
    }

    /** A link that was opened is closed. */
    void closed() {
        open.decrementAndGet();
    }

    void failed(String node, String why) {
        failures.put(node, why);
    }

    /** The table names the node no more. */
    void dropped(String node) {
        failures.remove(node);
    }

    int open() {
        return open.get();
    }

    /** Why nodes were not reached at the last attempt, on one line; empty if there are none. */
    Optional<String> unreached() {
        List<String> all = List.copyOf(failures.values());
        String more = all.size() <= NAMED_MAX ? "" : "; and " + (all.size() - NAMED_MAX) + " more nodes";
        return all.isEmpty()
                ? Optional.empty()
                : Optional.of(all.stream().limit(NAMED_MAX).collect(Collectors.joining("; ")) + more);
    }
}
