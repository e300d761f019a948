package dev.kv.storage;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The thread that keeps the log in shape while the node runs: room ahead of those who write, hints, compaction. */
final class Keeper {
    private static final Logger LOG = LoggerFactory.getLogger(Keeper.class);
    private static final Duration TURN = Duration.ofMillis(250);

    /** Much is written: so much a second. */
    private static final long BUSY_BYTES = 4L << 20;

    /**
     * Segments of so many bytes have no hints while much is written: most of them will be rewritten soon, with one of their own.
     * A start after a crash reads them, in seconds.
     */
    private static final long HINTLESS_MAX_BYTES = 1L << 30;

    /** So long after much was written the log is no longer laid out for that. */
    private static final Duration CALM = Duration.ofSeconds(5);

    private static final Duration END_MAX = Duration.ofSeconds(30);

    private final Log log;
    private final Compaction compaction;
    private final Thread thread;
    private volatile boolean ending;
    private String told = "";
    private long keptNanos = System.nanoTime();
    private long keptBytes;
    private boolean isBusy;
    private long busyNanos = System.nanoTime();

    Keeper(Log log, Compaction compaction) {
        this.log = log;
        this.compaction = compaction;
        this.thread = Thread.ofPlatform().name("kv-keeper").daemon().unstarted(this::run);
        log.whenNearing(() -> LockSupport.unpark(thread));
        thread.start();
    }

    private void run() {
        while (!ending) {
            try {
                turn();
                told = "";
            } catch (IOException e) {
                tell(e);
            } catch (RuntimeException | Error e) {
                LOG.error("fault while the log was kept in shape", e);
            }
            LockSupport.parkNanos(this, TURN.toNanos());
        }
    }

    /** See {@link Compaction#run}. */
    synchronized void compact(boolean isThorough) throws IOException {
        compaction.run(isThorough);
    }

    private synchronized void turn() throws IOException {
        boolean isShort = log.isShort();
        IOException noRoom = null;
        try {
            log.prepare(isBusy);
        } catch (IOException e) {
            noRoom = e;
        }
        long nanos = System.nanoTime() - keptNanos;
        if (nanos >= TURN.toNanos()) {
            isBusy = log.appended() - keptBytes > BUSY_BYTES * (nanos / 1e9);
            if (isBusy) {
                busyNanos = System.nanoTime();
            } else if (System.nanoTime() - busyNanos > CALM.toNanos()) {
                log.endLargePieces();
            }
            compaction.runIfDue(isShort || noRoom != null, isBusy);
            writeHints(isBusy ? HINTLESS_MAX_BYTES : 0, false);
            keptNanos = System.nanoTime();
            keptBytes = log.appended();
        }
        if (noRoom != null) {
            throw noRoom;
        }
    }

    /** A full disk stays full for a while: told once. */
    private void tell(IOException e) {
        String what = String.valueOf(e.getMessage());
        if (!what.equals(told)) {
            LOG.warn("the log cannot be kept in shape: {}", what);
        }
        told = what;
    }

    /** Writes what hints are missing before the node stops. */
    synchronized void writeLastHints() throws IOException {
        writeHints(0, true);
    }

    /**
     * Writes what hints are missing, from the first segment on.
     *
     * @param hintlessBytes until no more than this is without
     * @param isLast whether the node stops; else a segment that will soon be rewritten, since most of it is no longer needed, is
     *     left out
     */
    private void writeHints(long hintlessBytes, boolean isLast) throws IOException {
        List<Segment> hintless = log.sealed().stream()
                .filter(segment -> !segment.hasHint() && !segment.isDamaged())
                .filter(segment -> isLast || segment.garbageBytes() < segment.end() / 2)
                .toList();
        long bytes = hintless.stream().mapToLong(Segment::end).sum();
        for (Segment segment : hintless) {
            if (bytes <= hintlessBytes) {
                return;
            }
            bytes -= segment.end();
            log.prepareIfNear();
            try {
                Hint.write(log.folder(), segment);
                segment.gotHint();
            } catch (Damaged e) {
                segment.damaged(e);
            } catch (InternalError sigbus) {
                segment.damaged(Damaged.unreadable(segment.path(), sigbus));
            }
        }
    }

    /** Ends the thread, after what it is about. */
    void end() {
        ending = true;
        LockSupport.unpark(thread);
        try {
            thread.join(END_MAX);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
