package dev.kv.storage.log;

import dev.kv.router.CommandThread;
import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread that forces the log onto the disk. One sync acknowledges all writes that wait by then: a group commit (DeWitt and
 * others, "Implementation Techniques for Main Memory Database Systems", 1984).
 */
public final class Syncer {
    private static final Logger LOG = LoggerFactory.getLogger(Syncer.class);

    /** Between two syncs of the mark. No key: an older mark only makes a start after a power failure read more. */
    private static final Duration MARK_INTERVAL = Duration.ofSeconds(1);

    /** Between two attempts to rescue. No key: writes are refused meanwhile, so that it is short. */
    private static final Duration RETRY = Duration.ofSeconds(1);

    private static final String REFUSED = "writes are refused until all earlier ones are on the disk";
    private static final String STILL_FAILS = "the disk still fails";

    private final Log log;
    private final Rescue rescue;
    private final Sync sync;

    /** Bounded by the requests in flight of all callers. */
    private final Queue<Waiting> arrived = new ConcurrentLinkedQueue<>();

    private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
    private final Troubles troubles;
    private final BackgroundThread thread;
    /** Threads that will wake this one at the end of their iteration. */
    private final Set<CommandThread> waking = ConcurrentHashMap.newKeySet();

    private volatile boolean asked;
    private volatile boolean isClosed;
    private final AtomicLong syncs = new AtomicLong();
    private final AtomicLong nanos = new AtomicLong();
    private long markedNanos = System.nanoTime();
    private long dueNanos = System.nanoTime();

    /**
     * A write that was done, and is acknowledged when it is on the disk.
     *
     * @param from the thread on which its client waits; empty if it waits elsewhere
     */
    private record Waiting(long until, Reply reply, CompletableFuture<Reply> answer, Optional<CommandThread> from) {
        /** Answers with the reply, or with a failure in its place. */
        void answer(Reply with) {
            if (!answer.complete(with) || with instanceof Reply.Failed) {
                Held.releaseIn(reply);
            }
        }
    }

    public Syncer(Log log, Rescue.Moves moves, Sync sync, Troubles troubles) {
        this.log = log;
        this.rescue = new Rescue(log, moves);
        this.sync = sync;
        this.troubles = troubles;
        this.thread = new BackgroundThread("kv-sync", troubles, this::turn);
        log.tail().whenSyncDue(this::wake);
        thread.start();
    }

    /** Completes with the reply to an appended write when it may be acknowledged. Any thread. */
    public CompletionStage<Reply> acknowledge(Reply reply) {
        return sync.isAlways() && log.tail().appended() != log.tail().synced()
                ? whenSynced(reply)
                : CompletableFuture.completedFuture(reply);
    }

    /** Completes with the reply when all that is appended by now is on the disk and all full segments are sealed. Any thread. */
    public CompletionStage<Reply> whenSynced(Reply reply) {
        Optional<CommandThread> from = CommandThread.current();
        Waiting write = new Waiting(log.tail().appended(), reply, new CompletableFuture<>(), from);
        arrived.add(write);
        // One wake-up per iteration of a thread: one sync acknowledges all of its writes.
        from.ifPresentOrElse(this::wakeAfterIteration, thread::wake);
        if (isClosed) {
            answerArrived();
        }
        return write.answer();
    }

    private void wakeAfterIteration(CommandThread of) {
        if (waking.add(of)) {
            of.defer(() -> {
                waking.remove(of);
                thread.wake();
            });
        }
    }

    /** Begins a sync soon. */
    private void wake() {
        asked = true;
        thread.wake();
    }

    /** Number of syncs since the start. */
    public long syncs() {
        return syncs.get();
    }

    /** Average duration of a sync. */
    public Duration average() {
        return Duration.ofNanos(nanos.get() / Math.max(1, syncs.get()));
    }

    private long turn() {
        if (!log.tail().failure().isEmpty()) {
            return isRescued() ? 0 : RETRY.toNanos();
        }
        long now = System.nanoTime();
        boolean isDue = sync.interval().isPresent() && now - dueNanos >= 0;
        if (isDue || asked || !arrived.isEmpty()) {
            dueNanos = now + sync.interval().map(Duration::toNanos).orElse(0L);
            syncOnce();
            return 0;
        }
        if (sync.interval().isPresent()) {
            return dueNanos - now;
        }
        syncMark();
        return MARK_INTERVAL.toNanos();
    }

    private void syncOnce() {
        takeArrived();
        // After that, so that nothing which was asked for before a write that is acknowledged now is done once more.
        asked = false;
        try {
            long from = System.nanoTime();
            if (log.sync()) {
                nanos.addAndGet(System.nanoTime() - from);
                syncs.incrementAndGet();
            }
            acknowledgeUntil(log.tail().synced());
            log.listing().writeNew();
            syncMark();
        } catch (IOException e) {
            LOG.debug("the disk failed", e);
        }
    }

    private void syncMark() {
        if (System.nanoTime() - markedNanos < MARK_INTERVAL.toNanos()) {
            return;
        }
        markedNanos = System.nanoTime();
        try {
            log.syncMark();
        } catch (IOException e) {
            // Nothing depends on it: the log counts from the mark before.
            LOG.warn("the file mark could not be written: {}", e.getMessage());
        }
    }

    private void acknowledgeUntil(long synced) {
        List<Waiting> done = new ArrayList<>();
        for (Iterator<Waiting> writes = waiting.iterator(); writes.hasNext(); ) {
            Waiting write = writes.next();
            if (write.until() <= synced) {
                done.add(write);
                writes.remove();
            }
        }
        answer(done, Waiting::reply);
    }

    /** Answers each write on the thread that waits for it, in one task for each thread. */
    private static void answer(Collection<Waiting> writes, Function<Waiting, Reply> reply) {
        writes.stream().collect(Collectors.groupingBy(Waiting::from)).forEach((from, ofOne) -> {
            Runnable answers = () -> ofOne.forEach(write -> write.answer(reply.apply(write)));
            from.ifPresentOrElse(there -> there.execute(answers), answers);
        });
    }

    /**
     * Answers all writes that wait, as uncertain unless they are on the disk.
     *
     * @param why they are not all on the disk
     */
    private void fail(String why) {
        acknowledgeUntil(log.tail().synced());
        takeArrived();
        Reply.Failed failed =
                new Reply.Failed(Word.UNCERTAIN, why + ": this was written, and may be lost if the host fails now");
        answer(waiting, _ -> failed);
        waiting.clear();
    }

    private static String failedDisk(String why) {
        return "the disk failed (" + why + ")";
    }

    private void takeArrived() {
        for (Waiting write = arrived.poll(); write != null; write = arrived.poll()) {
            waiting.add(write);
        }
    }

    private boolean isRescued() {
        String failure = log.tail().failure();
        troubles.warn(REFUSED, failedDisk(failure));
        // Again and again: some were written before the failure, and come to wait now.
        fail(failedDisk(failure));
        try {
            rescue.run();
        } catch (IOException e) {
            troubles.warn(STILL_FAILS, String.valueOf(e.getMessage()));
            return false;
        } catch (RuntimeException | Error fault) {
            troubles.fault(STILL_FAILS, fault);
            return false;
        }
        troubles.over(STILL_FAILS);
        troubles.over(REFUSED);
        asked = true;
        return true;
    }

    /** Ends the thread. Writes that still wait are answered by {@link #closed}. */
    public void end() {
        thread.end();
    }

    public boolean isDead() {
        return thread.isDead();
    }

    /**
     * Answers all writes that wait, now and later, once the log is closed.
     *
     * @param failure why not all that was appended is on the disk; empty if it is
     */
    public synchronized void closed(Optional<IOException> failure) {
        isClosed = true;
        takeArrived();
        acknowledgeUntil(log.tail().synced());
        failure.ifPresent(why -> fail(failedDisk(why.getMessage())));
    }

    private synchronized void answerArrived() {
        takeArrived();
        acknowledgeUntil(log.tail().synced());
        fail("this node stops");
    }
}
