package dev.kv.storage.log;

import dev.kv.router.config.BadStart;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Scan;
import java.util.function.Consumer;

/**
 * One walk over a segment, change by change: which changes are whole, where the log ends, and what is damaged. The recovery reads
 * the log by it, and all that checks or repairs it does.
 */
public final class Walk {
    /** To find what is whole behind damage, so many times the segment is read at the most; what looks like records may not be any. */
    private static final int SEARCH_MAX_TIMES = 16;

    /** What stands next. */
    public enum Step {
        /** A change that is whole. */
        CHANGE,
        /** The end. */
        END,
        /** What was never known to be on the disk, and is not whole: the log ends here. */
        TORN,
        /** What was on the disk, and is not what was written. */
        DAMAGE
    }

    private final Chain chain;
    private final Chain.Part part;
    private final Segment segment;
    private final Scan scan;
    private long at;
    private String wrong = "";

    private long brokenAt;

    /**
     * @param segment the part, mapped
     */
    public Walk(Chain chain, Chain.Part part, Segment segment) {
        this.chain = chain;
        this.part = part;
        this.segment = segment;
        this.scan = segment.scan();
    }

    /**
     * Goes on.
     *
     * @throws BadStart if a newer release wrote what stands here
     */
    public Step next() {
        wrong = "";
        try {
            if (scan.next()) {
                at = scan.at();
                brokenAt = at;
                if (!scan.hasMore() || isWhole()) {
                    return Step.CHANGE;
                }
                wrong = "a change is not whole";
            } else {
                at = scan.at();
                brokenAt = at;
                if (isEnd()) {
                    return Step.END;
                }
                wrong = "what was written here is missing";
            }
        } catch (Damaged e) {
            at = e.offset();
            brokenAt = at;
            wrong = e.what();
        }
        return chain.isDoubtful(part, at) ? Step.TORN : Step.DAMAGE;
    }

    /** Whether all records are there of the change with whose first record the scan is. */
    private boolean isWhole() {
        Scan ahead = segment.scan(scan.at(), segment.end());
        boolean hasMore = true;
        while (hasMore) {
            try {
                if (!ahead.next()) {
                    brokenAt = ahead.at();
                    return false;
                }
            } catch (Damaged e) {
                brokenAt = e.offset();
                return false;
            }
            hasMore = ahead.hasMore();
        }
        return true;
    }

    private boolean isEnd() {
        return part.isOpenEnded() ? at >= chain.known(part) && lastByte(at) < 0 : at >= part.end();
    }

    /** Shows the records of a change that is whole. */
    public void records(Consumer<Scan> reader) {
        reader.accept(scan);
        while (scan.hasMore() && scan.next()) {
            reader.accept(scan);
        }
    }

    /** Where what stands next begins. */
    public long at() {
        return at;
    }

    /** Where the change ends whose records were shown. */
    public long end() {
        return scan.end();
    }

    /** The first record of the change that stands next which is damaged, or missing; those before it are sound. */
    public long brokenAt() {
        return brokenAt;
    }

    /** What is wrong with what stands next. */
    public Damaged damage() {
        return new Damaged(segment.path(), at, wrong);
    }

    /** How much stands behind the end of the log that is no zeros. */
    long tornBytes() {
        return Math.max(at, lastByte(at) + Long.BYTES) - at;
    }

    /** Goes on behind what is damaged; tells where that ends. */
    public long skip() {
        long to = behind(brokenAt);
        scan.skipTo(to);
        return to;
    }

    /** Where what is whole begins again. */
    private long behind(long from) {
        long end = segment.end();
        // The length first: a value may hold what looks like a record.
        if (end - from >= Layout.RECORD_NAME) {
            long length = Layout.recordLength(segment.memory(), from);
            long next = from + length;
            boolean isLength = length >= Layout.RECORD_NAME && length % Layout.ALIGNMENT == 0;
            if (isLength && (next == part.end() || (next < end && scan.isRecord(next)))) {
                return next;
            }
        }
        long checkedMax = scan.checkedBytes() + SEARCH_MAX_TIMES * end;
        for (long next = from + Layout.ALIGNMENT;
                next < end && scan.checkedBytes() < checkedMax;
                next += Layout.ALIGNMENT) {
            if (scan.isRecord(next)) {
                return next;
            }
        }
        if (!part.isOpenEnded()) {
            return part.end();
        }
        long written = Math.max(lastByte(from) + Long.BYTES, from + Layout.ALIGNMENT);
        // Behind the end of a file that is shorter than it is known to be, where the walk ends.
        return Math.max(Math.min(written, end), chain.known(part));
    }

    /** Where the last bytes stand that are not zero; -1 if there are none. */
    private long lastByte(long from) {
        for (long word = (segment.end() - Long.BYTES) & -Long.BYTES; word >= from; word -= Long.BYTES) {
            if (segment.memory().get(Layout.LONG, word) != 0) {
                return word;
            }
        }
        return -1;
    }
}
