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
    private final Buckets buckets;
    private final Consumer<String> doing;
    private long readBytes;
    private long hintedBytes;

    /**
     * @param doing is told from time to time how far it is, for people
     */
    Recovery(Folder folder, Mark mark, Log log, Buckets buckets, Consumer<String> doing) {
        this.folder = folder;
        this.mark = mark;
        this.log = log;
        this.buckets = buckets;
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
        folder.sync();
        markReached(synced);
        mark.sync();
        return new Figures(readBytes, hintedBytes);
    }

    private void markReached(Mark.Position synced) throws IOException {
        List<Segment> all = log.segments();
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
            Segment.Header header;
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
        long limit = end == 0 || segment.name().rewrite() > 0 ? segment.capacity() : end;
        segment.endAt(Math.min(limit, segment.capacity()));
        log.add(segment);
        Replayed replayed = new Replayed(segment);
        if (segment.capacity() == limit && Hint.read(folder, segment, replayed)) {
            hintedBytes += limit;
            segment.gotHint();
            return true;
        }
        Scan scan = new Scan(segment, Layout.SEGMENT_HEADER_BYTES, segment.end());
        try {
            while (scan.next()) {
                replayed.bucket(scan.name(), scan.generation());
                while (scan.nextEntry()) {
                    int kind = scan.kind();
                    boolean hasKey = kind == Layout.SET || kind == Layout.DELETE;
                    int keyHash = hasKey ? folder.hash().of(segment.key(scan.entry())) : 0;
                    replayed.entry(kind, keyHash, scan.entry(), scan.cost());
                }
            }
        } catch (Damaged e) {
            return ended(segment, e, scan.at(), synced);
        } finally {
            readBytes += scan.at();
        }
        boolean isOpenEnded = end == 0 && segment.name().rewrite() == 0;
        if (scan.at() < limit
                && (!isOpenEnded || !isDoubtful(segment, scan.at(), synced) || hasMore(segment, scan.at()))) {
            Damaged damage = new Damaged(segment.path(), scan.at(), "what was written here is missing");
            return ended(segment, damage, scan.at(), synced);
        }
        segment.endAt(scan.at());
        return true;
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

    private boolean ended(Segment segment, Damaged damage, long at, Mark.Position synced) {
        if (!isDoubtful(segment, at, synced)) {
            throw refusal(damage);
        }
        long lost = Math.max(at, lastByte(segment, at) + Long.BYTES) - at;
        LOG.warn(
                "{} ends at byte {}: the {} bytes behind it were never known to be on the disk, and are not whole ({})",
                segment.path(),
                at,
                lost,
                damage.getMessage());
        segment.endAt(at);
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
        } else {
            segment.release();
        }
        if (segment.end() == Layout.SEGMENT_HEADER_BYTES) {
            log.remove(segment);
            remove(segment);
        }
    }

    /** Has the buckets take in what a segment holds. */
    private final class Replayed implements Hint.Reader {
        private final Buckets.Replay replay = buckets.new Replay();
        private final Segment segment;
        private byte[] name = {};
        private int hash;
        private long generation;
        private Bucket bucket;

        Replayed(Segment segment) {
            this.segment = segment;
        }

        @Override
        public void bucket(byte[] newName, long newGeneration) {
            name = newName;
            hash = folder.hash().of(newName);
            generation = newGeneration;
            bucket = null;
        }

        @Override
        public void entry(int kind, int keyHash, long offset, long cost) {
            segment.count(kind, cost);
            if (kind == Layout.DROP) {
                replay.drop(name, hash, generation);
                bucket = null;
                return;
            }
            if (bucket == null) {
                bucket = replay.bucket(name, hash, generation);
            }
            if (bucket == null) {
                if (!Layout.isTombstone(kind)) {
                    segment.died(cost);
                }
                return;
            }
            switch (kind) {
                case Layout.SET -> replay.set(bucket, keyHash, segment, offset, cost);
                case Layout.BUCKET -> replay.keep(bucket, Log.location(segment, offset), cost);
                default -> replay.delete(bucket, keyHash, segment, offset);
            }
            if (kind == Layout.DELETE && replay.settle(bucket)) {
                bucket = null;
            }
        }
    }
}
