package dev.kv.router.net;

import com.sun.management.UnixOperatingSystemMXBean;
import java.lang.management.ManagementFactory;

/**
 * The file descriptors of this process. A part is reserved for everything but accepted connections: the log and its fsyncs, links to
 * other nodes, ZooKeeper, the local socket, the JVM. Listeners share the rest. Any thread.
 */
final class Descriptors {
    /** Reserved: a quarter of all, within these bounds; of very few, half. No keys: ulimit -n sets how many there are. */
    private static final int RESERVED_MIN = 128;

    private static final int RESERVED_MAX = 1024;

    private int left;

    /**
     * @param limit the number that this process may have open
     */
    Descriptors(long limit) {
        long reserved = Math.clamp(limit / 4, Math.min(RESERVED_MIN, limit / 2), RESERVED_MAX);
        left = Math.clamp(limit - reserved, 0, Integer.MAX_VALUE);
    }

    /** Those that the limit of the process allows ({@code ulimit -n}). */
    static Descriptors ofThisProcess() {
        return new Descriptors(ManagementFactory.getPlatformMXBean(UnixOperatingSystemMXBean.class)
                .getMaxFileDescriptorCount());
    }

    /**
     * Takes descriptors for a listener, for as long as the process runs.
     *
     * @param share the part of the free descriptors that it may have, above 0 and up to 1
     * @return the number that it gets: at most {@code wanted}, at least one
     */
    synchronized int grant(int wanted, double share) {
        int granted = Math.clamp((long) (left * share), 1, wanted);
        left = Math.max(0, left - granted);
        return granted;
    }
}
