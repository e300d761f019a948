package dev.kv.router.zookeeper;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The znodes that a node cannot use or write. It continues without them, logs each once, and tries again in each round. One
 * thread, except for {@link #text}.
 */
final class Ignored {
    private static final Logger LOG = LoggerFactory.getLogger(Ignored.class);

    /** The number of znodes that the status names, so that it stays readable. */
    private static final int SHOWN_MAX = 8;

    private final Set<String> ofThisRound = new HashSet<>();
    private final Map<String, String> told = new ConcurrentSkipListMap<>();

    /** Starts a round. */
    void begin() {
        ofThisRound.clear();
    }

    /** Adds a znode that is ignored in this round. */
    void add(String path, String reason) {
        ofThisRound.add(path);
        if (!reason.equals(told.put(path, reason))) {
            LOG.warn("{} is ignored: {}", path, reason);
        }
    }

    /** Ends a complete round: znodes that were not added in it are usable again. */
    void end() {
        told.keySet().retainAll(ofThisRound);
    }

    /** Why each of these znodes is ignored, at most {@value #SHOWN_MAX} of them; empty if none is. Any thread. */
    Optional<String> text() {
        List<String> each = told.entrySet().stream()
                .limit(SHOWN_MAX + 1L)
                .map(one -> one.getKey() + ": " + one.getValue())
                .toList();
        if (each.isEmpty()) {
            return Optional.empty();
        }
        String shown = each.stream().limit(SHOWN_MAX).collect(Collectors.joining("; "));
        return Optional.of(each.size() > SHOWN_MAX ? shown + "; ..." : shown);
    }
}
