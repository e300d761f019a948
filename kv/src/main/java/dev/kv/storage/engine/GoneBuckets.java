package dev.kv.storage.engine;

import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Layout;
import dev.kv.storage.index.Index;
import dev.kv.storage.log.Log;
import dev.kv.storage.log.Segment;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;

/** Dropped buckets whose entries still count as live in their segments. Any thread adds; the keeper counts at least four times a second. */
final class GoneBuckets {
    /** The JVM reports an unreadable page up to this number of fields late. */
    private static final int SUSPECTS = 8;

    private final Log log;
    private final Consumer<Bucket> published;
    private final Queue<Bucket> gone = new ConcurrentLinkedQueue<>();

    /**
     * @param published is called with each counted bucket that has a {@link Publication}
     */
    GoneBuckets(Log log, Consumer<Bucket> published) {
        this.log = log;
        this.published = published;
    }

    /** Under the lock of its shard. What a small bucket takes is known: it is counted at once, and a million of them need no memory. */
    void add(Bucket bucket) {
        if (!bucket.isSmall()) {
            gone.add(bucket);
            return;
        }
        if (bucket.index.size() == 1) {
            log.segment(bucket.index.only()).space().died(bucket.bytes);
        }
        if (bucket.isKept()) {
            log.segment(bucket.keptBy).space().died(Layout.recordCost(bucket.recordName.length));
        }
    }

    /** Counts their entries as dead. A segment in which an entry cannot be read is set aside; the others are counted. */
    synchronized void count() {
        for (Bucket bucket = gone.poll(); bucket != null; bucket = gone.poll()) {
            Counting counting = new Counting(bucket);
            while (!counting.isDone()) {
                counting.goOn();
            }
        }
    }

    /** A pass over the fields of a bucket, which goes on behind one that could not be read. */
    private final class Counting implements Index.Visitor {
        private final Bucket bucket;
        private final long[] suspects = new long[SUSPECTS];
        private long counted;
        private long visited;
        private boolean isDone;

        Counting(Bucket bucket) {
            this.bucket = bucket;
        }

        boolean isDone() {
            return isDone;
        }

        void goOn() {
            visited = 0;
            try {
                bucket.index.forEach(0, this);
                countRecords();
                isDone = true;
            } catch (InternalError sigbus) {
                setAside(sigbus);
            }
        }

        @Override
        public boolean visit(int hash, long location) {
            if (visited++ < counted) {
                return true;
            }
            suspects[(int) (counted % SUSPECTS)] = location;
            counted++;
            Segment segment = log.segment(location);
            if (segment != null && !segment.isDamaged()) {
                try {
                    segment.space()
                            .died(Layout.fieldCost(bucket.recordName.length, segment.memory(), Log.offset(location)));
                } catch (IllegalStateException closedMeanwhile) {
                    return true;
                }
            }
            return true;
        }

        private void countRecords() {
            Segment segment = bucket.isKept() ? log.segment(bucket.keptBy) : null;
            if (segment != null) {
                segment.space().died(Layout.recordCost(bucket.recordName.length));
            }
            Segment expire = bucket.hasExpireRecord() ? log.segment(bucket.lifetime.by) : null;
            if (expire != null) {
                expire.space().died(bucket.expireCost());
            }
            if (bucket.publication != null) {
                bucket.publication.died(log);
                published.accept(bucket);
            }
        }

        private void setAside(InternalError sigbus) {
            for (long location : suspects) {
                Segment segment = location == Index.NONE ? null : log.segment(location);
                if (segment != null && !segment.isDamaged() && !segment.fields().canRead(Log.offset(location))) {
                    segment.damaged(Damaged.unreadable(segment.path(), sigbus));
                }
            }
        }
    }
}
