package dev.kv.storage.maintenance;

import dev.kv.storage.engine.BucketTable;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.log.BackgroundThread;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.PinLimits;
import dev.kv.storage.log.Segment;
import dev.kv.storage.log.SetAside;
import dev.kv.storage.log.Troubles;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/**
 * The background thread that prepares room for writers, writes hints and compacts. A failure of one of these is a {@linkplain
 * Troubles trouble} and does not hold up the others.
 */
public final class Keeper {
    /** No key: an idle turn takes microseconds, and a thread that needs it earlier wakes it. */
    private static final Duration TURN = Duration.ofMillis(250);

    /** Bytes appended in a second from which on writes count as heavy. */
    private static final long BUSY_BYTES = 4L << 20;

    /**
     * Most bytes of segments without hints while writes are heavy: most of those are rewritten soon and get a hint then. A start
     * after a crash reads this much in seconds.
     */
    private static final long HINTLESS_MAX_BYTES = 1L << 30;

    /** Time after heavy writes after which segments are no longer cleared in large pieces. */
    private static final Duration CALM = Duration.ofSeconds(5);

    private final Log log;
    private final Compaction compaction;
    private final PinLimits pins;
    private final Troubles troubles;
    private final BackgroundThread thread;

    /** Segments for which writing the hint failed. */
    private final SetAside hintless = new SetAside();

    private long keptNanos = System.nanoTime();
    private long keptBytes;
    private boolean isBusy;
    private long busyNanos = System.nanoTime();

    public Keeper(Log log, Compaction compaction, PinLimits pins, Troubles troubles) {
        this.log = log;
        this.compaction = compaction;
        this.pins = pins;
        this.troubles = troubles;
        this.thread = new BackgroundThread("kv-keeper", troubles, () -> {
            turn();
            return TURN.toNanos();
        });
        log.supply().whenDue(thread::wake);
        thread.start();
    }

    /** See {@link Compaction#run}. */
    public synchronized void compact(boolean isThorough) throws IOException {
        compaction.run(isThorough);
    }

    /** Goes once through the buckets that may be given back, which takes the keeper 8 s. */
    public synchronized void giveBack() {
        for (int part = 0; part < BucketTable.PARTS; part++) {
            compaction.giveBack();
        }
    }

    private synchronized void turn() {
        boolean isShort = log.supply().isShort();
        Duration pinMax = pins.limit(isShort);
        tried("unmapping replaced segments", () -> log.segments().closeRetired(pinMax));
        tried("truncating rescued segments", () -> log.segments().cut(pinMax));
        isShort |=
                !tried("no room", () -> log.supply().prepare(isBusy, log.tail().lastNumber()));
        long nanos = System.nanoTime() - keptNanos;
        if (nanos < TURN.toNanos() && !isShort) {
            return;
        }
        isBusy = log.tail().appended() - keptBytes > BUSY_BYTES * (nanos / 1e9);
        if (isBusy) {
            busyNanos = System.nanoTime();
        } else if (System.nanoTime() - busyNanos > CALM.toNanos()) {
            log.endLargePieces();
        }
        boolean isShortNow = isShort;
        tried("small buckets", compaction::giveBack);
        tried("compaction", () -> compaction.runIfDue(isShortNow, isBusy));
        if (!isShort) {
            tried("hints", () -> writeHints(isBusy ? HINTLESS_MAX_BYTES : 0, false));
        }
        keptNanos = System.nanoTime();
        keptBytes = log.tail().appended();
    }

    private interface Work {
        void run() throws IOException;
    }

    /** Does a part of a turn; returns whether it succeeded. */
    private boolean tried(String part, Work work) {
        try {
            work.run();
            troubles.over(part);
            return true;
        } catch (IOException e) {
            troubles.warn(part, String.valueOf(e.getMessage()));
        } catch (RuntimeException | Error fault) {
            troubles.fault(part, fault);
        }
        return false;
    }

    /** Writes all missing hints when the node stops. */
    public synchronized void writeLastHints() throws IOException {
        writeHints(0, true);
    }

    /**
     * Writes missing hints, from the first segment on.
     *
     * @param hintlessBytes bytes of segments that may stay without hints
     * @param isLast whether the node stops; else a segment that is mostly dead, and so rewritten soon, is left out
     */
    private void writeHints(long hintlessBytes, boolean isLast) throws IOException {
        List<Segment> missing = log.tail().sealed().stream()
                .filter(segment -> !segment.hasHint() && !segment.isDamaged())
                .filter(segment -> isLast || segment.garbageBytes() < segment.end() / 2)
                .toList();
        hintless.retain(missing);
        long bytes = missing.stream().mapToLong(Segment::end).sum();
        for (Segment segment : missing) {
            if (bytes <= hintlessBytes) {
                break;
            }
            bytes -= segment.end();
            log.supply().prepareIfDue();
            if (!hintless.has(segment)) {
                writeHint(segment);
            }
        }
        hintless.throwAny();
    }

    private void writeHint(Segment segment) {
        try {
            segment.hint().write(log.folder(), segment.scan());
            segment.gotHint();
            hintless.remove(segment);
        } catch (Damaged e) {
            segment.damaged(e);
        } catch (InternalError sigbus) {
            segment.damaged(Damaged.unreadable(segment.path(), sigbus));
        } catch (IOException e) {
            hintless.add(segment, e);
        } catch (RuntimeException | Error e) {
            hintless.add(segment, new IOException(segment + " gets no hint: " + e, e));
        }
    }

    /** Ends the thread after its turn, which is soon. */
    public void end() {
        compaction.end();
        thread.end();
    }

    public boolean isDead() {
        return thread.isDead();
    }
}
