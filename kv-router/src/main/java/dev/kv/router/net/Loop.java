package dev.kv.router.net;

import dev.kv.router.CommandThread;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.apache.mina.transport.socket.nio.NioSession;
import org.apache.mina.transport.socket.nio.NioSocketAcceptor;

/**
 * One I/O thread and the sockets that it serves. All that concerns a connection runs on the thread of its loop, so that
 * connections need no locks.
 *
 * <p>An iteration reads what has come on each socket, runs the deferred tasks, writes the output of all connections, once, and
 * then gives a bounded time to work that is done in turns. Tasks are run before and between these. No fault of a task or of a
 * connection ends the loop. {@link SocketProcessor} reads and writes.
 */
public final class Loop extends SocketProcessor implements CommandThread {
    /** Accepted sockets of which an iteration makes connections, at 0.1 to 0.2 ms each; the others wait in the kernel. No key: as for a turn. */
    private static final int ACCEPTED_MAX = 16;

    private final String threadName;
    private final ExecutorService executor;
    private final ScheduledExecutorService timer;
    private final Executor largeWork;
    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean drainSubmitted = new AtomicBoolean();

    /** Only the loop's own thread touches these. */
    private final ArrayDeque<Runnable> deferred = new ArrayDeque<>();

    private final ArrayDeque<Connection> unflushed = new ArrayDeque<>();
    private final ArrayDeque<Turns> inTurns = new ArrayDeque<>();
    private final long turnsMaxNanos;
    private boolean flushing;
    private boolean selectAgain;

    /** The time of this iteration, if it was asked for. */
    private long nanos;

    private boolean isTimed;

    /** One permit for each accepted socket that may be handed to this loop before it has made the connections of others. */
    private final Semaphore accepted = new Semaphore(ACCEPTED_MAX);

    /** How many of them were made in this iteration. */
    private int made;

    private Loop(
            AtomicReference<Loop> self,
            String threadName,
            ExecutorService executor,
            ScheduledExecutorService timer,
            Duration turnsMax,
            Executor largeWork) {
        super(executor);
        this.threadName = threadName;
        this.executor = executor;
        this.timer = timer;
        this.largeWork = largeWork;
        this.turnsMaxNanos = turnsMax.toNanos();
        self.set(this);
    }

    /** A loop whose thread bears the name, and whose delayed tasks wait in the timer. */
    static Loop named(String threadName, ScheduledExecutorService timer, Duration turnsMax, Executor largeWork) {
        AtomicReference<Loop> self = new AtomicReference<>();
        // MINA ends the processor's run when its last session closes and starts it anew: one thread keeps it the same
        // thread.
        return new Loop(
                self,
                threadName,
                oneThread(task -> new LoopThread(task, threadName, self)),
                timer,
                turnsMax,
                largeWork);
    }

    /** Drops tasks that are given to a closed loop: its connections are closed. */
    private static ExecutorService oneThread(ThreadFactory factory) {
        return new ThreadPoolExecutor(
                1,
                1,
                0,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                factory,
                new ThreadPoolExecutor.DiscardPolicy());
    }

    private static final class LoopThread extends Thread implements CommandThread.Carrier {
        private final AtomicReference<Loop> loop;

        LoopThread(Runnable task, String name, AtomicReference<Loop> loop) {
            super(task, name);
            this.loop = loop;
            setDaemon(true);
        }

        @Override
        public CommandThread commandThread() {
            return loop.get();
        }
    }

    /** The loop whose thread the caller runs on. */
    public static Optional<Loop> current() {
        return Thread.currentThread() instanceof LoopThread thread ? Optional.of(thread.loop.get()) : Optional.empty();
    }

    /** Whether the caller runs on this loop's thread. */
    public boolean isCurrent() {
        return Thread.currentThread() instanceof LoopThread thread && thread.loop.get() == this;
    }

    /** Runs the task on this loop's thread, after the tasks that were given to it before. Any thread. */
    @Override
    public void execute(Runnable task) {
        tasks.add(task);
        // While the processor runs it holds the executor's one thread and takes the tasks itself; else the executor
        // does.
        if (drainSubmitted.compareAndSet(false, true)) {
            executor.execute(() -> {
                drainSubmitted.set(false);
                isTimed = false;
                runTasks();
                endIteration();
            });
        }
        wakeup();
    }

    /** A task that waits for its time. */
    @FunctionalInterface
    public interface Timer {
        /** Forgets the task, unless it was given to the loop before. Any thread. */
        void cancel();
    }

    /** Runs the task on this loop's thread after the time. Any thread. */
    public Timer after(Duration time, Runnable task) {
        Future<?> scheduled = timer.schedule(() -> execute(task), time.toNanos(), TimeUnit.NANOSECONDS);
        return () -> scheduled.cancel(false);
    }

    /** Runs the task after the reads of this iteration. On this loop's thread only. */
    @Override
    public void defer(Runnable task) {
        deferred.add(task);
    }

    /** Work that is done in parts. */
    @FunctionalInterface
    public interface Turns {
        /** Does the next part, which takes at most about 100 us; returns whether more is left. */
        boolean next();
    }

    /**
     * Does the work in parts, in turns with other such work, at the end of each iteration. All such work together takes a bounded time
     * of an iteration (kv.router.io-turn-max). On this loop's thread only.
     */
    public void inTurns(Turns work) {
        inTurns.add(work);
    }

    /**
     * The time by {@link System#nanoTime} at which an iteration asked for it first: reading the clock takes 25 ns, and a request that another
     * node runs is timed at several places. On this loop's thread only.
     */
    public long nanos() {
        if (!isTimed) {
            isTimed = true;
            nanos = System.nanoTime();
        }
        return nanos;
    }

    /** The time of all turns of an iteration together; all connections together have as much for what they read in it. */
    long turnsMaxNanos() {
        return turnsMaxNanos;
    }

    @Override
    public <T> void elsewhere(Callable<T> work, Consumer<T> then, Consumer<Throwable> failed) {
        try {
            largeWork.execute(() -> {
                try {
                    T result = work.call();
                    execute(() -> then.accept(result));
                } catch (Throwable fault) {
                    execute(() -> failed.accept(fault));
                }
            });
        } catch (OutOfMemoryError noThread) {
            execute(() -> failed.accept(noThread));
        }
    }

    /** Flushes the connection at the end of this iteration. On this loop's thread only. */
    void flushLater(Connection connection) {
        unflushed.add(connection);
    }

    @Override
    protected int select(long timeout) throws Exception {
        // MINA renames the thread each time that it starts the processor.
        Thread thread = Thread.currentThread();
        if (!thread.getName().equals(threadName)) {
            thread.setName(threadName);
        }
        boolean mayWait = !selectAgain
                && made == 0
                && tasks.isEmpty()
                && deferred.isEmpty()
                && unflushed.isEmpty()
                && inTurns.isEmpty();
        selectAgain = false;
        int selected = mayWait ? super.select(timeout) : selectNow();
        isTimed = false;
        beginReads(selected);
        runTasks();
        if (selected == 0) {
            endIteration();
        }
        return selected;
    }

    private int selectNow() throws Exception {
        // Without it, MINA takes ten of these calls without a selected key for a broken selector.
        wakeupCalled.set(true);
        selectorLock.readLock().lock();
        try {
            return selector.selectNow();
        } finally {
            selectorLock.readLock().unlock();
        }
    }

    /** The selected sessions; the reads of an iteration are over when MINA has gone through all of them. */
    @Override
    protected Iterator<NioSession> selectedSessions() {
        Iterator<NioSession> sessions = super.selectedSessions();
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                if (sessions.hasNext()) {
                    return true;
                }
                endIteration();
                return false;
            }

            @Override
            public NioSession next() {
                return sessions.next();
            }

            @Override
            public void remove() {
                sessions.remove();
            }
        };
    }

    /** On its own thread the loop is awake: a flag keeps it from waiting in the next select. */
    @Override
    protected void wakeup() {
        if (!isCurrent()) {
            super.wakeup();
        } else if (!flushing) {
            selectAgain = true;
        }
    }

    private void runTasks() {
        // Tasks that these give to the loop wait for the next iteration, so that no connection starves the others.
        for (int n = tasks.size(); n > 0; n--) {
            run(tasks.poll());
        }
    }

    /** Waits until one more accepted socket may be handed to this loop. */
    boolean acquireAccepted(Duration limit) throws InterruptedException {
        return accepted.tryAcquire(limit.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** The socket is not handed to this loop. */
    void releaseAccepted() {
        accepted.release();
    }

    @Override
    protected void init(NioSession session) throws Exception {
        if (session.getService() instanceof NioSocketAcceptor) {
            made++;
        }
        super.init(session);
    }

    private void endIteration() {
        if (made > 0) {
            accepted.release(made);
            made = 0;
        }
        // Tasks that these defer wait for the next iteration, so that no connection starves the others.
        for (int n = deferred.size(); n > 0; n--) {
            run(deferred.poll());
        }
        // MINA writes right after this, so wake-ups by these flushes are unnecessary.
        flushing = true;
        try {
            for (Connection connection = unflushed.poll(); connection != null; connection = unflushed.poll()) {
                connection.flush();
            }
        } finally {
            flushing = false;
        }
        if (!inTurns.isEmpty()) {
            takeTurns();
        }
    }

    private void takeTurns() {
        long untilNanos = System.nanoTime() + turnsMaxNanos;
        do {
            Turns work = inTurns.poll();
            run(() -> {
                if (work.next()) {
                    inTurns.add(work);
                }
            });
        } while (!inTurns.isEmpty() && System.nanoTime() - untilNanos < 0);
    }

    private static void run(Runnable task) {
        try {
            task.run();
        } catch (Throwable fault) {
            Faults.report("a task of an I/O loop", fault);
        }
    }

    /** Ends the thread; the sessions are closed. */
    void close() {
        dispose();
        executor.shutdown();
    }
}
