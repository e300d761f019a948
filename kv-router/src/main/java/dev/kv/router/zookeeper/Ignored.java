package dev.kv.router.zookeeper;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a node reads in ZooKeeper and cannot use, or cannot write there: it goes on without, tells each once, and tries again in
 * each round. One thread, but for {@link #now}.
 */
final class Ignored {
    private static final Logger LOG = LoggerFactory.getLogger(Ignored.class);

    private final Set<String> ofThisRound = new HashSet<>();
    private final Map<String, String> told = new ConcurrentSkipListMap<>();

    /** A round begins. */
    void begin() {
        ofThisRound.clear();
    }

    /** The node goes on without this znode. */
    void add(String path, String reason) {
        ofThisRound.add(path);
        if (!reason.equals(told.put(path, reason))) {
            LOG.warn("{} is ignored: {}", path, reason);
        }
    }

    /** The round came to its end: what it did not ignore is sound again. */
    void end() {
        told.keySet().retainAll(ofThisRound);
    }

    /** Why each of these znodes is ignored. Any thread. */
    Map<String, String> now() {
        Map<String, String> now = new TreeMap<>();
        told.forEach(now::put);
        return now;
    }
}
