package dev.kv.storage.log;

import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/** Segments for which some work has failed. Each is left out until it is tried again, and the work goes on with the others. */
public final class SetAside {
    /** No key: a failure of one file lasts for minutes or is over at once, and one attempt more costs one system call. */
    private static final Duration RETRY = Duration.ofSeconds(30);

    private final Map<Segment, Failed> failed = new HashMap<>();

    private record Failed(IOException why, long retryNanos) {}

    public void add(Segment segment, IOException why) {
        failed.put(segment, new Failed(why, System.nanoTime() + RETRY.toNanos()));
    }

    /** Whether the work failed for a segment less than {@link #RETRY} ago. */
    public boolean has(Segment segment) {
        Failed last = failed.get(segment);
        return last != null && System.nanoTime() - last.retryNanos() < 0;
    }

    public void remove(Segment segment) {
        failed.remove(segment);
    }

    /** Forgets all segments but these. */
    public void retain(Collection<Segment> segments) {
        failed.keySet().retainAll(segments);
    }

    /** Throws why the work failed for a segment, if there is one. */
    public void throwAny() throws IOException {
        if (!failed.isEmpty()) {
            throw failed.values().iterator().next().why();
        }
    }
}
