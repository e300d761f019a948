package dev.kv.storage;

import dev.kv.router.config.BadStart;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
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
    private final Chain chain;
    private final Mark mark;
    private final Log log;
    private final Replay replay;
    private final Consumer<String> doing;

    /** What stays of files is removed when the list of segments says that it no longer counts. */
    private final List<Segment.Name> dropped = new ArrayList<>();

    private long readBytes;
    private long hintedBytes;

    /**
     * @param chain that of the folder
     * @param mark that of the chain
     * @param doing is told from time to time how far it is, for people
     */
    Recovery(Folder folder, Chain chain, Mark mark, Log log, Buckets buckets, Consumer<String> doing) {
        this.folder = folder;
        this.chain = chain;
        this.mark = mark;
        this.log = log;
        this.replay = new Replay(buckets, log);
        this.doing = doing;
    }

    /** What it took. */
    record Figures(long readBytes, long hintedBytes) {}

    /**
     * Reads the log. In the end all of it is on the disk and on the list of segments, and the folder is of the newest format.
     *
     * @throws BadStart if something is missing of what was known to be on the disk
     */
    Figures run() throws IOException {
        log.startAfter(chain.lastNumber());
        chain.mark().ifPresent(position -> log.sawGeneration(position.generation()));
        for (Segment.Name name : chain.others()) {
            LOG.info("{} does not count any more, and is removed", folder.log(name));
            dropped.add(name);
        }
        List<Chain.Part> parts = chain.parts();
        for (int i = 0; i < parts.size(); i++) {
            doing.accept("reading the log: segment " + (i + 1) + " of " + parts.size());
            if (!read(parts.get(i))) {
                cutOff(parts.subList(i + 1, parts.size()).stream()
                        .map(Chain.Part::name)
                        .toList());
                break;
            }
        }
        cutOff(chain.cut());
        long incomplete = replay.end();
        if (incomplete > 0) {
            LOG.info("{} buckets that were not complete when the process ended are dropped", incomplete);
        }
        folder.sync();
        log.listFirst(chain.list());
        Reserves.writeInAnyCase(folder.path(), () -> mark.set(log.reached()));
        mark.sync();
        Reserves.writeInAnyCase(folder.path(), folder::upgrade);
        for (Segment.Name name : dropped.reversed()) {
            folder.remove(name);
        }
        folder.sync();
        return new Figures(readBytes, hintedBytes);
    }

    private void cutOff(List<Segment.Name> names) {
        for (Segment.Name name : names) {
            LOG.warn("{} is cut off: it follows what is not whole", folder.log(name));
            dropped.add(name);
        }
    }

    /** Why a node does not start. */
    static BadStart refusal(Damaged damage) {
        return new BadStart(
                damage.getMessage() + "; `kv repair` sets aside what is damaged, and tells what is lost", damage);
    }

    /** Reads a segment; returns whether it is whole, so that what follows counts. */
    private boolean read(Chain.Part part) throws IOException {
        Segment segment = Segment.open(folder.log(part.name()), part.name());
        segment.endAt(Math.min(part.end(), segment.capacity()));
        try {
            segment.header();
            log.add(segment);
            boolean isWhole = read(part, segment);
            settle(part, segment);
            return isWhole;
        } catch (Damaged e) {
            throw refusal(e);
        }
    }

    private boolean read(Chain.Part part, Segment segment) throws IOException {
        Replayed replayed = new Replayed(segment);
        boolean mayBeHinted = segment.capacity() == part.end() && part.end() >= chain.known(part);
        if (mayBeHinted && Hint.read(folder, segment, replayed)) {
            hintedBytes += part.end();
            segment.gotHint();
            return true;
        }
        Walk walk = new Walk(chain, part, segment);
        Walk.Step step = walk.next();
        while (step == Walk.Step.CHANGE) {
            walk.records(replayed::record);
            step = walk.next();
        }
        readBytes += walk.at();
        // Without a mark, nobody knows whether there was more.
        boolean isUnknown = chain.mark().isEmpty() && walk.at() < segment.capacity() && part.isOpenEnded();
        if (step == Walk.Step.DAMAGE || isUnknown) {
            throw step == Walk.Step.DAMAGE
                    ? walk.damage()
                    : new Damaged(segment.path(), walk.at(), "what was written here is missing");
        }
        if (step == Walk.Step.TORN) {
            LOG.warn(
                    "{} ends at byte {}: the {} bytes behind it were never known to be on the disk, and are not whole ({})",
                    segment.path(),
                    walk.at(),
                    walk.tornBytes(),
                    walk.damage().getMessage());
        }
        segment.endAt(walk.at());
        return step == Walk.Step.END;
    }

    /** Sees to it that what was read of a segment is on the disk. */
    private void settle(Chain.Part part, Segment segment) throws IOException {
        if (!chain.isListed(part) || segment.capacity() > segment.end()) {
            segment.seal();
        }
        if (segment.end() == SegmentHeader.BYTES) {
            log.segments().remove(List.of(segment));
            segment.close();
            dropped.add(segment.name());
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
