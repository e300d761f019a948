package dev.kv.router.net;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.ClosedSelectorException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.mina.util.ExceptionMonitor;

/** The I/O loops of a node, shared by its listeners and its connections to other nodes. */
public final class Loops implements AutoCloseable {
    private final List<Loop> loops;
    private final Descriptors descriptors = Descriptors.ofThisProcess();
    private final AtomicInteger turn = new AtomicInteger();
    private final ExecutorService largeWork;
    private final ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(
            1,
            task -> {
                Thread thread = new Thread(task, "kv-timer");
                thread.setDaemon(true);
                return thread;
            },
            new ThreadPoolExecutor.DiscardPolicy());

    /**
     * @param count how many threads; 0: one for each two cores
     * @param turnsMax how much of an iteration of a loop goes to work that is done in turns, such as large replies
     * @param largeThreads how many threads do work for the loops that takes longer than a turn; 0: one for each two cores
     */
    public Loops(int count, Duration turnsMax, int largeThreads) {
        ExceptionMonitor.setInstance(new ExceptionMonitor() {
            @Override
            public void exceptionCaught(Throwable cause) {
                // An IOException is mostly a socket that was reset before it was set up. A selector is closed when its
                // loop ends: a thread that MINA starts for the loop at that moment ends at once.
                if (!(cause instanceof IOException || cause instanceof ClosedSelectorException)) {
                    Faults.report("MINA", cause);
                }
            }
        });
        ThreadPoolExecutor replies = new ThreadPoolExecutor(
                orHalfOfCores(largeThreads),
                orHalfOfCores(largeThreads),
                0,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                Thread.ofPlatform().name("kv-replies-", 0).daemon().factory(),
                new ThreadPoolExecutor.DiscardPolicy());
        // Later the process may have reached its limit of threads.
        replies.prestartAllCoreThreads();
        timer.prestartAllCoreThreads();
        timer.setRemoveOnCancelPolicy(true);
        largeWork = replies;
        loops = IntStream.range(0, orHalfOfCores(count))
                .mapToObj(i -> Loop.named("kv-io-" + i, timer, turnsMax, largeWork))
                .toList();
    }

    private static int orHalfOfCores(int count) {
        return count == 0 ? Math.max(1, Runtime.getRuntime().availableProcessors() / 2) : count;
    }

    public List<Loop> all() {
        return loops;
    }

    /** One of the loops, in turn. */
    public Loop next() {
        return loops.get(Math.floorMod(turn.getAndIncrement(), loops.size()));
    }

    Descriptors descriptors() {
        return descriptors;
    }

    /** Listens at the address, and spreads the connections over the loops. */
    public <C extends Connection> Listener<C> listen(
            InetSocketAddress address, Listener.Options options, Listener.Protocol<C> protocol) throws IOException {
        return new Listener<>(this, address, options, protocol);
    }

    /** Closes all connections and ends the threads. */
    @Override
    public void close() {
        timer.shutdownNow();
        largeWork.shutdownNow();
        loops.forEach(Loop::close);
    }
}
