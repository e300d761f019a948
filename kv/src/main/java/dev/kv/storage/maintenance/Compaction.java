package dev.kv.storage.maintenance;

import dev.kv.storage.engine.LiveEntries;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.SegmentHeader;
import dev.kv.storage.format.SegmentName;
import dev.kv.storage.log.Allocation;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Segment;
import dev.kv.storage.log.Segments;
import dev.kv.storage.log.SetAside;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Rewrites segments of the log without their dead entries. A rewritten segment may replace several successive ones, and keeps
 * their place in the log, so that entries stay in the order in which they were written.
 *
 * <p>A tombstone is kept while a segment before it may hold an entry that it hides; a segment without dead entries holds none.
 *
 * <p>{@link #run} by one thread at a time.
 */
public final class Compaction {
    // When compaction is due has no keys: the sizes follow the live bytes, which kv.storage.max-bytes bounds.

    /** At rest, compaction is due when more than this part of the live bytes could be freed, */
    private static final int DUE_PART = 2;

    /** and more than this many bytes. */
    private static final long DUE_MIN_BYTES = 4L << 20;

    /** On a full disk, compaction is due when this many bytes could be freed. */
    private static final long SHORT_DUE_BYTES = 256L << 10;

    /** On a full disk, the pause after a pass that had no room to free anything. */
    private static final Duration FULL_RETRY = Duration.ofSeconds(1);

    /**
     * Under heavy writes, with twice the room on the disk, compaction is due when as many bytes could be freed as are live, and
     * more than this: later compaction copies less.
     */
    private static final long BUSY_DUE_MIN_BYTES = 512L << 20;

    /**
     * A segment is rewritten when at least this part of it could be freed, or the part that could be freed of the whole log if
     * that is larger.
     */
    private static final int WORTH_PART = 4;

    /**
     * More small segments than this are merged, whatever they hold; small is less than a {@link #SMALL_PART}th of the usual size.
     */
    private static final int SMALL_MAX = 16;

    private static final int SMALL_PART = 4;

    /** Most bytes of memory that a {@link Live} takes. It covers segments of 64 times that; a larger log takes several passes. */
    private static final long LIVE_MAX_BYTES = 16L << 20;

    private final Log log;
    private final Segments segments;
    private final LiveEntries entries;

    /** Segments whose rewriting failed. */
    private final SetAside failed = new SetAside();

    /** Why there was no room for a segment in this pass; null if there was. */
    private IOException full;

    private long retryNanos = System.nanoTime();
    private volatile boolean isEnding;

    private final AtomicLong runs = new AtomicLong();
    private final AtomicLong freedBytes = new AtomicLong();

    public Compaction(Log log, LiveEntries entries) {
        this.log = log;
        this.segments = log.segments();
        this.entries = entries;
    }

    /** Number of runs since the start. */
    public long runs() {
        return runs.get();
    }

    /** Bytes that it has freed since the start. */
    public long freedBytes() {
        return freedBytes.get();
    }

    /** Ends a run soon: what it was rewriting stays as it was. No further one does anything. Any thread. */
    void end() {
        isEnding = true;
    }

    /** See {@link LiveEntries#giveBack}. By the thread of {@link #run}, which looks for what is live. */
    void giveBack() {
        entries.giveBack();
    }

    /**
     * Runs if that is due.
     *
     * @param isShort whether the disk is full
     * @param isBusy whether writes are heavy
     */
    void runIfDue(boolean isShort, boolean isBusy) throws IOException {
        log.removeRetired();
        entries.countGone();
        List<Segment> sealed = log.tail().sealed().stream()
                .filter(segment -> !segment.isDamaged())
                .toList();
        long garbage = sealed.stream().mapToLong(Segment::garbageBytes).sum();
        long tombstones = sealed.stream()
                .mapToLong(segment -> segment.space().tombstoneBytes())
                .sum();
        long live = log.liveBytes().get();
        long busyDue = Math.max(BUSY_DUE_MIN_BYTES, live);
        boolean mayWait = isBusy && log.folder().usableBytes() > 2 * busyDue;
        long due = isShort ? shortDue() : mayWait ? busyDue : Math.max(DUE_MIN_BYTES, live / DUE_PART);
        if (isShort && System.nanoTime() - retryNanos < 0) {
            return;
        }
        if (garbage + tombstones > due) {
            run(isShort || tombstones > due / WORTH_PART);
        } else if (sealed.stream().filter(this::isSmall).count() > SMALL_MAX) {
            run(false);
        }
        failed.retain(sealed);
        failed.throwAny();
        segments.throwUnremoved();
    }

    private long shortDue() {
        return log.supply().isLacking()
                ? 0
                : Math.min(SHORT_DUE_BYTES, log.supply().segmentBytes() / WORTH_PART);
    }

    private boolean isSmall(Segment segment) {
        return segment.end() < log.supply().segmentBytes() / SMALL_PART;
    }

    /**
     * Goes once through the log.
     *
     * @param isThorough whether to rewrite each segment of which anything could be freed, which also ends tombstones; else only
     *     those worth it
     * @throws IOException if segments could not be rewritten; they are left as they are
     */
    void run(boolean isThorough) throws IOException {
        List<Segment> sealed = log.tail().sealed();
        failed.retain(sealed);
        log.removeRetired();
        // All changes in them must be applied: a deleted field might seem live.
        entries.settle();
        runs.incrementAndGet();
        long freedBefore = freedBytes.get();
        double worthPart = worthPart(sealed);
        boolean isClean = true;
        boolean isCleanBefore = true;
        List<Segment> together = new ArrayList<>();
        long togetherBytes = 0;
        full = null;
        Live live = new Live(List.of());
        for (int i = 0; i < sealed.size() && !isEnding; i++) {
            Segment segment = sealed.get(i);
            boolean isWorth = isWorth(segment, isThorough, isClean, worthPart);
            long kept = segment.space().liveBytes() + segment.space().tombstoneBytes();
            boolean isToBeSeen = isWorth && !live.covers(segment);
            if (!together.isEmpty()
                    && (!isWorth
                            || isToBeSeen
                            || togetherBytes + kept > log.supply().segmentBytes())) {
                isClean &= isRewritten(together, live, isCleanBefore);
                together.clear();
                togetherBytes = 0;
            }
            if (isToBeSeen) {
                live = live(sealed.subList(i, sealed.size()), isThorough, worthPart);
            }
            if (isWorth) {
                isCleanBefore = together.isEmpty() ? isClean : isCleanBefore;
                together.add(segment);
                togetherBytes += kept;
            } else {
                isClean &= isClean(segment);
            }
        }
        if (!together.isEmpty() && !isEnding) {
            isRewritten(together, live, isCleanBefore);
        }
        if (full != null) {
            retryNanos = System.nanoTime() + (freedBytes.get() > freedBefore ? 0 : FULL_RETRY.toNanos());
            throw full;
        }
        failed.throwAny();
    }

    private boolean isWorth(Segment segment, boolean isThorough, boolean isClean, double worthPart) {
        long freed = segment.garbageBytes() + (isClean ? segment.space().tombstoneBytes() : 0);
        return !segment.isDamaged()
                && !failed.has(segment)
                && (isThorough
                        ? freed > 0 || segment.space().hasDeadEntries()
                        : freed >= segment.end() * worthPart || isSmall(segment));
    }

    /** The live entries of the first segment, and of those behind it that may be worth rewriting. */
    private Live live(List<Segment> segments, boolean isThorough, double worthPart) {
        List<Segment> seen = new ArrayList<>();
        long bytes = 0;
        for (Segment segment : segments) {
            if (seen.isEmpty() || isWorth(segment, isThorough, true, worthPart)) {
                bytes += Live.bytes(segment);
                if (!seen.isEmpty() && bytes > LIVE_MAX_BYTES) {
                    break;
                }
                seen.add(segment);
            }
        }
        Live live = new Live(seen);
        entries.forEachLocation(live::add);
        live.made(log.tail().appended());
        return live;
    }

    /**
     * The part of a segment that must be free for it to be rewritten: at most the average, which at least one segment reaches.
     */
    private static double worthPart(List<Segment> segments) {
        long free = 0;
        long all = 1;
        for (Segment segment : segments) {
            free += segment.isDamaged() ? 0 : segment.garbageBytes();
            all += segment.isDamaged() ? 0 : segment.end();
        }
        return Math.max(1.0 / WORTH_PART, (double) free / all);
    }

    /**
     * Rewrites the segments; false if that failed, and they were left as they are. One that is damaged stays so from now on.
     *
     * @throws IOException if what they took the place of could not be removed: nothing may be rewritten until it is
     */
    private boolean isRewritten(List<Segment> old, Live live, boolean isCleanBefore) throws IOException {
        Segment only = old.getFirst();
        if (old.size() == 1
                && !only.space().hasDeadEntries()
                && (!isCleanBefore || only.space().tombstoneBytes() == 0)) {
            return true;
        }
        if (old.stream().allMatch(segment -> isVain(segment, live, isCleanBefore))) {
            log.awaitSynced(live.made());
            freedBytes.addAndGet(old.stream().mapToLong(Segment::end).sum());
            drop(old);
            return true;
        }
        Rewrite rewrite;
        try {
            rewrite = rewrite(old, live, isCleanBefore);
            failed.remove(only);
        } catch (Damaged e) {
            old.stream().filter(segment -> segment.path().equals(e.file())).forEach(segment -> segment.damaged(e));
            return false;
        } catch (IOException e) {
            if (isEnding) {
                return false;
            }
            if (!Allocation.isNoSpace(e)) {
                failed.add(only, e);
                return false;
            }
            if (old.size() > 1) {
                return areRewrittenAlone(old, live, isCleanBefore);
            }
            // There may be room for others, and for this one as soon as those were rewritten.
            full = e;
            return false;
        } catch (RuntimeException | Error e) {
            failed.add(only, new IOException(only + " could not be rewritten: " + e, e));
            return false;
        }
        return isReplaced(old, rewrite);
    }

    /** Rewrites each segment by itself: that needs less room than all of them, and frees room for the next. */
    private boolean areRewrittenAlone(List<Segment> old, Live live, boolean isCleanBefore) throws IOException {
        boolean isClean = isCleanBefore;
        boolean areAll = true;
        for (Segment segment : old) {
            boolean isRewritten = isRewritten(List.of(segment), live, isClean);
            areAll &= isRewritten;
            isClean &= isRewritten || isClean(segment);
        }
        return areAll;
    }

    /** Whether a segment holds no entry that a tombstone hides. Of one that is set aside, dead entries are not all counted. */
    private static boolean isClean(Segment segment) {
        return !segment.isDamaged() && !segment.space().hasDeadEntries();
    }

    /** Whether a segment holds nothing to keep, so that it is removed without a replacement, which takes no room. */
    private static boolean isVain(Segment segment, Live live, boolean isCleanBefore) {
        return live.count(segment) == 0 && (isCleanBefore || segment.space().tombstoneBytes() == 0);
    }

    private void drop(List<Segment> vain) throws IOException {
        segments.remove(vain);
        retire(vain);
    }

    /** Writes what is kept of the segments into a new one, under its final name. */
    private Rewrite rewrite(List<Segment> old, Live live, boolean isCleanBefore) throws IOException {
        SegmentName first = old.getFirst().name();
        long bytes =
                SegmentHeader.BYTES + old.stream().mapToLong(live::keptBytes).sum();
        Segment rewritten = log.supply()
                .createRewritten(new SegmentName(first.number(), first.rewrite() + 1), Layout.padded(bytes));
        Rewrite rewrite = new Rewrite(log, entries, rewritten, live, isCleanBefore, () -> isEnding);
        try {
            rewritten.begin(log.folder().format().id(), 0, 0);
            for (Segment segment : old) {
                try {
                    rewrite.copy(segment);
                } catch (InternalError sigbus) {
                    throw Damaged.unreadable(segment.path(), sigbus);
                }
            }
            rewritten.seal();
            rewritten.moveTo(log.folder().log(rewritten.name()));
            log.folder().sync();
            log.awaitSynced(live.made());
            return rewrite;
        } catch (IOException | RuntimeException | Error e) {
            // At once: the next attempt gives another file its name.
            rewritten.discard();
            throw e;
        }
    }

    private boolean isReplaced(List<Segment> old, Rewrite rewrite) throws IOException {
        Segment rewritten = rewrite.to();
        segments.know(rewritten);
        try {
            rewrite.takeOver();
        } catch (RuntimeException | Error e) {
            // Some entries are read from the new one until the node ends. The log stays as it was: the old ones hold
            // all of it.
            Damaged damage = new Damaged(rewritten.path(), 0, "what was just written cannot be read");
            damage.initCause(e);
            old.forEach(segment -> segment.damaged(damage));
            return false;
        }
        segments.replace(old, rewritten);
        freedBytes.addAndGet(old.stream().mapToLong(Segment::end).sum() - rewritten.end());
        retire(old);
        if (rewritten.end() == SegmentHeader.BYTES) {
            drop(List.of(rewritten));
        }
        return true;
    }

    private void retire(List<Segment> old) throws IOException {
        segments.retire(old);
        log.removeRetired();
        log.supply().refill();
    }
}
