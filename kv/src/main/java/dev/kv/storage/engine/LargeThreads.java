package dev.kv.storage.engine;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads that run large commands, the one on which deletes wait for room on a full disk, and the one on which writes wait for a slow
 * disk. Any thread submits.
 */
final class LargeThreads {
    private static final Logger LOG = LoggerFactory.getLogger(LargeThreads.class);

    private final ThreadPoolExecutor large;
    private final ThreadPoolExecutor room;
    private final ThreadPoolExecutor disk;

    LargeThreads(int count) {
        this.large = threads(count, "kv-large-");
        this.room = threads(1, "kv-room-");
        this.disk = threads(1, "kv-disk-");
    }

    /** Starts all threads at once: later the process may have reached its limit of threads. */
    private static ThreadPoolExecutor threads(int count, String name) {
        ThreadPoolExecutor threads = new ThreadPoolExecutor(
                count,
                count,
                0,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                Thread.ofPlatform().name(name, 0).daemon().factory());
        threads.prestartAllCoreThreads();
        return threads;
    }

    /** Runs a task on a thread for large commands. */
    void run(Runnable task) {
        run(large, task);
    }

    /** Whether a task waits for such a thread. */
    boolean areAwaited() {
        return !large.getQueue().isEmpty();
    }

    /** Runs a task that waits for room. */
    void runWithRoom(Runnable task) {
        run(room, task);
    }

    /** Runs a task that waits for the disk. These run in their order. */
    void runAfterDisk(Runnable task) {
        run(disk, task);
    }

    /** Runs a task on a thread of a pool, or on this one if the pool takes none: what waits in a lane has to be answered. */
    private static void run(ThreadPoolExecutor on, Runnable task) {
        try {
            on.execute(task);
        } catch (RejectedExecutionException | OutOfMemoryError e) {
            LOG.debug("no thread takes it", e);
            task.run();
        }
    }

    /** Ends the threads when they have run all tasks. Waits for that, at most as long as the limit says. */
    void close(Duration limit) {
        List<ThreadPoolExecutor> all = List.of(disk, large, room);
        all.forEach(ThreadPoolExecutor::shutdown);
        long end = System.nanoTime() + limit.toNanos();
        try {
            boolean areOver = true;
            for (ThreadPoolExecutor threads : all) {
                areOver &= threads.awaitTermination(end - System.nanoTime(), TimeUnit.NANOSECONDS);
            }
            // Idle threads end too, a moment later.
            if (!areOver && all.stream().anyMatch(threads -> threads.getActiveCount() > 0)) {
                LOG.warn("a large request was still under way");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
