package dev.kv.storage;

import dev.kv.router.config.BadStart;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens a log as it was left, however that was, and finds the buckets in it again. What was known to be on the disk must be
 * there; behind that, the log ends where the first record is not sound, which is what a power cut leaves of records that nobody
 * was promised. {@code docs/format.md} has the rules.
 */
final class Recovery {
    private static final Logger LOG = LoggerFactory.getLogger(Recovery.class);

    private final Folder folder;
    private final Mark mark;
    private final Log log;
    private final Replay replay;
    private final Consumer<String> doing;

    /** Where the last whole change of the segment ends that is being read. */
    private long reached;

    private long readBytes;
    private long hintedBytes;

    /**
     * @param doing is told from time to time how far it is, for people
     */
    Recovery(Folder folder, Mark mark, Log log, Buckets buckets, Consumer<String> doing) {
        this.folder = folder;
        this.mark = mark;
        this.log = log;
        this.replay = new Replay(buckets, log);
        this.doing = doing;
    }

    /** What it took. */
    record Figures(long readBytes, long hintedBytes) {}

    /**
     * Reads the log.
     *
     * @throws BadStart if something is missing of what was known to be on the disk
     */
    Figures run() throws IOException {
        folder.removeUnfinished();
        List<Segment> segments = open(newest(folder.segments()));
        Mark.Position synced = mark.last().orElseGet(() -> unknown(segments));
        log.startAfter(synced.number());
        log.sawGeneration(synced.generation());
        Map<Long, Long> ends = ends(segments, synced);
        for (int i = 0; i < segments.size(); i++) {
            Segment segment = segments.get(i);
            doing.accept("reading the log: segment " + (i + 1) + " of " + segments.size());
            boolean isWhole = read(segment, ends.getOrDefault(segment.name().number(), 0L), synced);
            if (!isWhole) {
                cutOff(segments.subList(i + 1, segments.size()));
                settle(segment, synced);
                break;
            }
            settle(segment, synced);
        }
        long incomplete = replay.end();
        if (incomplete > 0) {
            LOG.info("{} buckets that were not complete when the process ended are dropped", incomplete);
        }
        folder.sync();
        markReached(synced);
        mark.sync();
        return new Figures(readBytes, hintedBytes);
    }

    private void markReached(Mark.Position synced) throws IOException {
        List<Segment> all = log.segments().live();
        boolean isUnmarked = mark.last().isEmpty();
        if (!all.isEmpty()) {
            Segment last = all.getLast();
            if (isUnmarked || !synced.isBehind(last.name().number(), last.end())) {
                mark.set(new Mark.Position(last.name().number(), last.end(), synced.generation()));
            }
        } else if (isUnmarked) {
            mark.set(synced);
        }
    }

    /** Without a sound mark, nothing may be cut off. */
    private static Mark.Position unknown(List<Segment> segments) {
        return segments.isEmpty()
                ? new Mark.Position(0, 0, 0)
                : new Mark.Position(segments.getLast().name().number(), Long.MAX_VALUE, 0);
    }

    /** Of each number the segment that was rewritten last; those that it was made of are removed. */
    private List<Segment.Name> newest(List<Segment.Name> names) throws IOException {
        List<Segment.Name> newest = new ArrayList<>();
        for (Segment.Name name : names) {
            if (!newest.isEmpty() && newest.getLast().number() == name.number()) {
                folder.remove(newest.removeLast());
            }
            newest.add(name);
        }
        return newest;
    }

    private List<Segment> open(List<Segment.Name> names) throws IOException {
        List<Segment> segments = new ArrayList<>();
        for (Segment.Name name : names) {
            segments.add(Segment.open(folder.log(name), name));
        }
        return segments;
    }

    /** Where segments end by what the one after them says; takes out of the list what no longer counts. */
    private Map<Long, Long> ends(List<Segment> segments, Mark.Position synced) throws IOException {
        Map<Long, Long> ends = new HashMap<>();
        for (int i = 0; i < segments.size(); i++) {
            Segment segment = segments.get(i);
            SegmentHeader header;
            try {
                header = segment.header();
            } catch (Damaged e) {
                if (!isDoubtful(segment, 0, synced)) {
                    throw refusal(e);
                }
                cutOff(segments.subList(i, segments.size()));
                segments.subList(i, segments.size()).clear();
                break;
            }
            if (header.previous() != 0) {
                ends.put(header.previous(), header.previousEnd());
                while (i > 0 && segments.get(i - 1).name().number() > header.previous()) {
                    remove(segments.remove(--i));
                }
            }
        }
        return ends;
    }

    private static boolean isDoubtful(Segment segment, long offset, Mark.Position synced) {
        return !synced.isBehind(segment.name().number(), offset);
    }

    /** Why a node does not start. */
    static BadStart refusal(Damaged damage) {
        return new BadStart(
                damage.getMessage() + "; `kv repair` sets aside what is damaged, and tells what is lost", damage);
    }

    /**
     * Reads a segment.
     *
     * @param end where the next segment says that this one ends; 0 if none says so
     * @return whether it is whole, so that what follows counts
     */
    private boolean read(Segment segment, long end, Mark.Position synced) throws IOException {
        long limit = end == 0 || segment.name().rewrite() > 0 ? Math.max(segment.capacity(), marked(segment)) : end;
        segment.endAt(Math.min(limit, segment.capacity()));
        log.add(segment);
        Replayed replayed = new Replayed(segment);
        if (segment.capacity() == limit && readHint(segment, replayed)) {
            hintedBytes += limit;
            segment.gotHint();
            return true;
        }
        try {
            replay(segment, replayed);
        } catch (Damaged e) {
            if (!e.file().equals(segment.path())) {
                // An older value that a record is about, in a segment that was read by its hint.
                throw refusal(e);
            }
            return ended(segment, e, synced);
        }
        boolean isOpenEnded = end == 0 && segment.name().rewrite() == 0;
        if (reached < limit && (!isOpenEnded || !isDoubtful(segment, reached, synced) || hasMore(segment, reached))) {
            return ended(segment, new Damaged(segment.path(), reached, "what was written here is missing"), synced);
        }
        segment.endAt(reached);
        return true;
    }

    /** Has the buckets take in all whole changes; {@link #reached} tells how far that was. */
    private void replay(Segment segment, Replayed replayed) {
        Scan scan = Scan.of(segment);
        reached = SegmentHeader.BYTES;
        while (scan.next() && isWhole(segment, scan)) {
            replayed.record(scan);
            while (scan.hasMore() && scan.next()) {
                replayed.record(scan);
            }
            reached = scan.end();
        }
        readBytes += reached;
    }

    /** Whether all records are there of the change with whose first record the scan is. */
    private static boolean isWhole(Segment segment, Scan scan) {
        Scan ahead = new Scan(segment, scan.at(), segment.end());
        boolean hasMore = scan.hasMore();
        while (hasMore) {
            // The first time, this is the record where the scan is.
            if (!ahead.next()) {
                return false;
            }
            hasMore = ahead.hasMore();
        }
        return true;
    }

    private boolean readHint(Segment segment, Replayed replayed) throws IOException {
        try {
            return Hint.read(folder, segment, replayed);
        } catch (Damaged e) {
            throw refusal(e);
        }
    }

    /** How far the mark says that a segment reaches at least; 0 if it says nothing of this one. */
    private long marked(Segment segment) {
        return mark.last()
                .filter(position -> segment.name().equals(new Segment.Name(position.number(), 0)))
                .map(Mark.Position::offset)
                .orElse(0L);
    }

    /** Whether anything stands behind the end. */
    private static boolean hasMore(Segment segment, long from) {
        return lastByte(segment, from) >= from;
    }

    private static long lastByte(Segment segment, long from) {
        for (long at = segment.capacity() - Long.BYTES; at >= from; at -= Long.BYTES) {
            if (segment.memory().get(Layout.LONG, at) != 0) {
                return at;
            }
        }
        return -1;
    }

    private boolean ended(Segment segment, Damaged damage, Mark.Position synced) {
        if (!isDoubtful(segment, reached, synced)) {
            throw refusal(damage);
        }
        long lost = Math.max(reached, lastByte(segment, reached) + Long.BYTES) - reached;
        LOG.warn(
                "{} ends at byte {}: the {} bytes behind it were never known to be on the disk, and are not whole ({})",
                segment.path(),
                reached,
                lost,
                damage.getMessage());
        segment.endAt(reached);
        return false;
    }

    private void cutOff(List<Segment> segments) throws IOException {
        for (Segment segment : segments.reversed()) {
            LOG.warn("{} is cut off: it follows what is not whole", segment.path());
            remove(segment);
        }
    }

    private void remove(Segment segment) throws IOException {
        segment.close();
        folder.remove(segment.name());
    }

    /** Sees to it that what was read of a segment is on the disk. */
    private void settle(Segment segment, Mark.Position synced) throws IOException {
        if (segment.name().number() >= synced.number() || segment.capacity() > segment.end()) {
            segment.seal();
        }
        if (segment.end() == SegmentHeader.BYTES) {
            log.segments().remove(segment);
            remove(segment);
        }
    }

    /** A bucket of a generation, as a segment names it. */
    private static final class Named {
        private final byte[] name;
        private final int hash;
        private final long generation;
        private final boolean isHidden;
        private Bucket bucket;

        Named(byte[] name, int hash, long generation, boolean isHidden) {
            this.name = name;
            this.hash = hash;
            this.generation = generation;
            this.isHidden = isHidden;
        }
    }

    /** Has the buckets take in what a segment holds. */
    private final class Replayed implements Hint.Reader {
        private final List<Named> named = new ArrayList<>();
        private final Segment segment;

        Replayed(Segment segment) {
            this.segment = segment;
        }

        /** Takes in the record with which the scan is. */
        void record(Scan scan) {
            named.clear();
            bucket(scan.name(), scan.generation(), scan.isHidden());
            if (scan.type() == Layout.PUBLISH) {
                bucket(scan.recordName(), scan.generation(), scan.isHidden());
            }
            while (scan.nextEntry()) {
                int kind = scan.kind();
                int third = switch (kind) {
                    case Layout.SET, Layout.DELETE -> folder.hash().of(segment.key(scan.entry()));
                    case Layout.PUBLISH -> 1;
                    default -> 0;
                };
                entry(0, kind, third, scan.entry(), scan.cost());
            }
        }

        @Override
        public void bucket(byte[] name, long generation, boolean isHidden) {
            named.add(new Named(name, folder.hash().of(name), generation, isHidden));
        }

        @Override
        public void entry(int number, int kind, int keyHash, long offset, long cost) {
            segment.count(kind, cost);
            Named of = named.get(number);
            if (kind == Layout.DROP) {
                replay.drop(of.name, of.hash, of.generation);
                return;
            }
            if (kind == Layout.PUBLISH) {
                long location = Log.location(segment, offset);
                byte[] recordName = named.get(keyHash).name;
                replay.publish(of.name, of.hash, of.generation, recordName, !of.isHidden, location, cost);
                return;
            }
            if (of.bucket == null || of.bucket.isGone()) {
                of.bucket = of.isHidden
                        ? replay.hidden(of.name, of.hash, of.generation)
                        : replay.bucket(of.name, of.hash, of.generation);
            }
            if (of.bucket == null) {
                segment.died(kind, cost);
                return;
            }
            switch (kind) {
                case Layout.SET -> replay.set(of.bucket, keyHash, segment, offset, cost);
                case Layout.BUCKET -> replay.keep(of.bucket, Log.location(segment, offset), cost);
                default -> replay.delete(of.bucket, keyHash, segment, offset);
            }
        }
    }
}
