package dev.kv.storage.engine;

import java.time.Duration;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The threads that run large commands, and the one on which deletes wait for room on a full disk. Any thread submits. */
final class LargeThreads {
    private static final Logger LOG = LoggerFactory.getLogger(LargeThreads.class);

    private final ThreadPoolExecutor large;
    private final ThreadPoolExecutor waiting;

    LargeThreads(int count) {
        this.large = threads(count, "kv-large-");
        this.waiting = threads(1, "kv-room-");
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

    /** Runs a task that waits for room. */
    void runWaiting(Runnable task) {
        run(waiting, task);
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
        large.shutdown();
        waiting.shutdown();
        long end = System.nanoTime() + limit.toNanos();
        try {
            boolean isOver = large.awaitTermination(limit.toNanos(), TimeUnit.NANOSECONDS)
                    && waiting.awaitTermination(end - System.nanoTime(), TimeUnit.NANOSECONDS);
            // Idle threads end too, a moment later.
            if (!isOver && large.getActiveCount() + waiting.getActiveCount() > 0) {
                LOG.warn("a large request was still under way");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
