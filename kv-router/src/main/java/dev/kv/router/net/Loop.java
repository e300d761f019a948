package dev.kv.router.net;

import dev.kv.router.CommandThread;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.mina.core.buffer.IoBuffer;
import org.apache.mina.transport.socket.nio.NioProcessor;
import org.apache.mina.transport.socket.nio.NioSession;

/**
 * One I/O thread and the sockets that it serves. All that concerns a connection runs on the thread of its loop, so that
 * connections need no locks.
 *
 * <p>A loop is MINA's processor with five differences, each of which saves system calls or memory, or adds a promise: tasks can
 * be given to it ({@link #execute}); what connections have to send leaves once per iteration, after all reads, and past MINA as
 * far as the kernel takes it at once; one read is made per readiness event, into memory that is used again; and it does not wake
 * itself up through the selector.
 */
public final class Loop extends NioProcessor implements CommandThread {
    /** The most that one read takes, and that one write hands to the kernel. */
    private static final int INPUT_BYTES = 64 * 1024;

    private static final int OUTPUT_BYTES = 128 * 1024;

    /** Memory for small output, which connections take and give back: of this size, and how much is kept. */
    private static final int GATHER_BYTES = 4 * 1024;

    private static final int GATHER_KEPT_MAX = 256;
    private static final int UNWANTED_READ_BYTES = 16 * 1024;
    private static final int UNWANTED_READS_MAX = 64;

    private final ExecutorService executor;
    private final ScheduledExecutorService timer;
    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean drainSubmitted = new AtomicBoolean();

    /** Only the loop's own thread touches these. */
    private final ArrayDeque<Runnable> deferred = new ArrayDeque<>();

    private final ArrayDeque<Connection> unflushed = new ArrayDeque<>();
    private final ByteBuffer input = ByteBuffer.allocate(INPUT_BYTES);
    private final IoBuffer minaInput = IoBuffer.wrap(input);
    private final ByteBuffer output = ByteBuffer.allocateDirect(OUTPUT_BYTES);
    private final IoBuffer minaOutput = IoBuffer.wrap(output);
    private final ArrayDeque<byte[]> spare = new ArrayDeque<>();
    private final ArrayDeque<Turns> inTurns = new ArrayDeque<>();
    private final long turnsMaxNanos;
    private boolean flushing;
    private boolean selectAgain;

    private Loop(
            AtomicReference<Loop> self, ExecutorService executor, ScheduledExecutorService timer, Duration turnsMax) {
        super(executor);
        this.executor = executor;
        this.timer = timer;
        this.turnsMaxNanos = turnsMax.toNanos();
        self.set(this);
    }

    /** A loop whose thread bears the name, and whose delayed tasks wait in the timer. */
    static Loop named(String threadName, ScheduledExecutorService timer, Duration turnsMax) {
        AtomicReference<Loop> self = new AtomicReference<>();
        // MINA ends the processor's run when its last session closes and starts it anew: one thread keeps it the same
        // thread.
        return new Loop(self, oneThread(task -> new LoopThread(task, threadName, self)), timer, turnsMax);
    }

    /** What comes after the loop was closed is dropped: its connections are gone. */
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

    /** Runs the task on this loop's thread, after what was given to it before. Any thread. */
    @Override
    public void execute(Runnable task) {
        tasks.add(task);
        // While the processor runs it holds the executor's one thread and takes the tasks itself; else the executor
        // does.
        if (drainSubmitted.compareAndSet(false, true)) {
            executor.execute(() -> {
                drainSubmitted.set(false);
                runTasks();
                endIteration();
            });
        }
        wakeup();
    }

    /** Runs the task on this loop's thread when the time has passed. Any thread. */
    public void after(Duration time, Runnable task) {
        var _ = timer.schedule(() -> execute(task), time.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Runs the task after the reads of this iteration. On this loop's thread only. */
    @Override
    public void defer(Runnable task) {
        deferred.add(task);
    }

    /** Work that takes many turns. */
    @FunctionalInterface
    public interface Turns {
        /** Does the next part, of some 100 us at most, and returns whether there is more. */
        boolean next();
    }

    /**
     * Does the work a part at a time, in turns with other such work, after what else an iteration has to do; all of it takes a
     * bounded part of each iteration. On this loop's thread only.
     */
    public void inTurns(Turns work) {
        inTurns.add(work);
    }

    /** Has the connection flushed at the end of this iteration. On this loop's thread only. */
    void flushLater(Connection connection) {
        unflushed.add(connection);
    }

    @Override
    protected int select(long timeout) throws Exception {
        boolean mayWait =
                !selectAgain && tasks.isEmpty() && deferred.isEmpty() && unflushed.isEmpty() && inTurns.isEmpty();
        selectAgain = false;
        int selected = mayWait ? super.select(timeout) : selectNow();
        runTasks();
        if (selected == 0) {
            endIteration();
        }
        return selected;
    }

    private int selectNow() throws Exception {
        // Else ten of these with nothing selected look to MINA like a broken selector.
        wakeupCalled.set(true);
        selectorLock.readLock().lock();
        try {
            return selector.selectNow();
        } finally {
            selectorLock.readLock().unlock();
        }
    }

    /** The selected sessions; when MINA has gone through all of them, the iteration's reads are over. */
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

    /**
     * One read per readiness event, into the same memory each time: MINA asks again until nothing comes, where a
     * level-triggered selector tells anyway, and has a buffer made for each read. So what was read is handed on here, and MINA
     * hears that there was nothing. A connection that was broken off is closed here, since MINA would log each as an error.
     */
    @Override
    protected int read(NioSession session, IoBuffer unused) throws Exception {
        input.clear();
        int bytes;
        try {
            bytes = super.read(session, minaInput);
        } catch (IOException brokenOff) {
            session.closeNow();
            return 0;
        }
        if (bytes <= 0) {
            return bytes;
        }
        session.increaseReadBytes(bytes, System.currentTimeMillis());
        Sessions.received(session, input.flip());
        return 0;
    }

    /**
     * Writes as much as the kernel takes at once, past MINA, which has nothing to write for the session and no filters in its
     * chain. On this loop's thread only.
     *
     * @return how much it was; what is left begins at the position of {@code bytes}
     */
    int writeNow(NioSession session, ByteBuffer bytes) {
        int from = bytes.position();
        try {
            boolean takesMore = true;
            while (takesMore && bytes.hasRemaining()) {
                int length = Math.min(OUTPUT_BYTES, bytes.remaining());
                output.clear().put(0, bytes, bytes.position(), length).limit(length);
                int taken = super.write(session, minaOutput, length);
                bytes.position(bytes.position() + taken);
                takesMore = taken == length;
            }
        } catch (IOException brokenOff) {
            session.closeNow();
        }
        return bytes.position() - from;
    }

    /**
     * Writes a part of what may be mapped memory, as it is, once.
     *
     * @return how much the kernel took, by which the position has moved on
     */
    int writeSlice(NioSession session, ByteBuffer bytes, int length) {
        try {
            int taken = super.write(session, IoBuffer.wrap(bytes.slice(bytes.position(), length)), length);
            bytes.position(bytes.position() + taken);
            return taken;
        } catch (IOException brokenOff) {
            session.closeNow();
            return 0;
        }
    }

    /**
     * Called when reading is suspended or resumed. MINA looks only into its queue for whether there is something to write, and so
     * would never go on with what it has taken out of there and written in part.
     */
    @Override
    public void updateTrafficControl(NioSession session) {
        super.updateTrafficControl(session);
        if (session.getCurrentWriteRequest() != null && !session.isWriteSuspended()) {
            try {
                setInterestedInWrite(session, true);
            } catch (Exception e) {
                session.closeNow();
            }
        }
    }

    /** Memory for output, to be given back with {@link #giveBack} or kept. On this loop's thread only. */
    byte[] takeSpare() {
        byte[] memory = spare.poll();
        return memory == null ? new byte[GATHER_BYTES] : memory;
    }

    /** Takes memory back that nobody will read or write any more. On this loop's thread only. */
    void giveBack(byte[] memory) {
        if (memory.length == GATHER_BYTES && spare.size() < GATHER_KEPT_MAX) {
            spare.push(memory);
        }
    }

    @Override
    protected int write(NioSession session, IoBuffer buffer, int length) throws IOException {
        try {
            return super.write(session, buffer, length);
        } catch (IOException brokenOff) {
            session.closeNow();
            return 0;
        }
    }

    /**
     * Closes the socket. A kernel that has input which nobody read resets the connection in place of ending it, and drops
     * the output that is still on its way: so what is there is read first.
     */
    @Override
    protected void destroy(NioSession session) throws Exception {
        IoBuffer unwanted = IoBuffer.allocate(UNWANTED_READ_BYTES);
        for (int reads = 0; reads < UNWANTED_READS_MAX && readUnwanted(session, unwanted); reads++) {
            unwanted.clear();
        }
        try {
            super.destroy(session);
        } finally {
            // MINA leaves it open where the session could not be set up.
            session.getCloseFuture().setClosed();
        }
    }

    private boolean readUnwanted(NioSession session, IoBuffer unwanted) throws Exception {
        try {
            return super.read(session, unwanted) > 0;
        } catch (IOException brokenOff) {
            return false;
        }
    }

    /** From its own thread the loop is not asleep: it only must not fall asleep. */
    @Override
    protected void wakeup() {
        if (!isCurrent()) {
            super.wakeup();
        } else if (!flushing) {
            selectAgain = true;
        }
    }

    private void runTasks() {
        for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
            run(task);
        }
    }

    private void endIteration() {
        // Not until it is empty: what these defer waits for the next iteration, so that no connection starves the
        // others.
        for (int n = deferred.size(); n > 0; n--) {
            run(deferred.poll());
        }
        // MINA writes right after this, so the wake-ups by these flushes may be left out.
        flushing = true;
        for (Connection connection = unflushed.poll(); connection != null; connection = unflushed.poll()) {
            connection.flush();
        }
        flushing = false;
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
