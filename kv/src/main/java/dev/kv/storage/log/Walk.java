package dev.kv.storage.log;

import dev.kv.router.config.BadStart;
import dev.kv.storage.format.Damaged;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mapped;
import dev.kv.storage.format.Scan;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;

/**
 * A walk over a segment, change by change: finds complete changes, damage, and the end of the log. Recovery, verification, repair
 * and backup use it.
 */
public final class Walk {
    /** Bound of the search for a sound record behind damage: this many times the length of the segment is checked at most. */
    private static final int SEARCH_MAX_TIMES = 16;

    /** What comes next. */
    public enum Step {
        /** A complete change. */
        CHANGE,
        /** The end. */
        END,
        /** An incomplete change behind the durable position: the log ends here. */
        TORN,
        /** Damage before the durable position. */
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
     * @throws BadStart if a newer release wrote the record
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
                wrong = "a change is incomplete";
            } else {
                at = scan.at();
                brokenAt = at;
                if (isEnd()) {
                    return Step.END;
                }
                wrong = "records are missing here";
            }
        } catch (Damaged e) {
            at = e.offset();
            brokenAt = at;
            wrong = e.what();
        }
        return chain.isDoubtful(part, at) ? Step.TORN : Step.DAMAGE;
    }

    /** Whether the change at the scan is complete. */
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

    /** Shows the records of a complete change. */
    public void records(Consumer<Scan> reader) {
        reader.accept(scan);
        while (scan.hasMore() && scan.next()) {
            reader.accept(scan);
        }
    }

    /** Offset of what comes next. */
    public long at() {
        return at;
    }

    /** Offset behind the change whose records were shown. */
    public long end() {
        return scan.end();
    }

    /** Offset of the first record of the next change that is damaged or missing. */
    public long brokenAt() {
        return brokenAt;
    }

    /** The damage that comes next. */
    public Damaged damage() {
        return new Damaged(segment.path(), at, wrong);
    }

    /** Length of what is not zeros behind the end of the log, in bytes. */
    long tornBytes() {
        return Math.max(at, lastByte(at) + Long.BYTES) - at;
    }

    /** Continues behind the damage; returns the offset there. */
    public long skip() {
        long to = behind(brokenAt);
        scan.skipTo(to);
        return to;
    }

    /** Offset of the next sound record. */
    private long behind(long from) {
        // The length first: a value may hold what looks like a record.
        long next = byLength(from);
        if (next > 0) {
            return next;
        }
        long end = segment.end();
        long checkedMax = scan.checkedBytes() + SEARCH_MAX_TIMES * end;
        long readableTo = 0;
        next = from + Layout.ALIGNMENT;
        while (next < end && scan.checkedBytes() < checkedMax) {
            if (next >= readableTo) {
                readableTo = (next | Mapped.PAGE_MIN_BYTES - 1) + 1;
                if (!isReadable(next)) {
                    next = readableTo;
                    continue;
                }
            }
            if (scan.isRecord(next)) {
                return next;
            }
            next += Layout.ALIGNMENT;
        }
        if (!part.isOpenEnded()) {
            return part.end();
        }
        long written = Math.max(lastByte(from) + Long.BYTES, from + Layout.ALIGNMENT);
        // Behind the end of a file that is shorter than it is known to be, where the walk ends.
        return Math.max(Math.min(written, end), chain.known(part));
    }

    /**
     * Offset behind what stands here, by the length that it gives, if that is the end or a record begins there; else -1. That may have damaged
     * values, too: it is told by itself then.
     */
    private long byLength(long from) {
        long end = segment.end();
        if (end - from < Layout.RECORD_NAME || !isReadable(from)) {
            return -1;
        }
        long length = Layout.recordLength(segment.memory(), from);
        long next = from + length;
        boolean isLength = length >= Layout.RECORD_NAME && length % Layout.ALIGNMENT == 0;
        return isLength && (next == part.end() || (next < end && scan.isHeader(next))) ? next : -1;
    }

    private boolean isReadable(long offset) {
        try {
            byte _ = segment.memory().get(ValueLayout.JAVA_BYTE, offset);
            Mapped.throwFault();
            return true;
        } catch (InternalError sigbus) {
            return false;
        }
    }

    /** Offset of the last word that is not zero, or cannot be read; -1 if there is none. */
    private long lastByte(long from) {
        long word = (segment.end() - Long.BYTES) & -Long.BYTES;
        try {
            while (word >= from && segment.memory().get(Layout.LONG, word) == 0) {
                word -= Long.BYTES;
            }
            Mapped.throwFault();
        } catch (InternalError sigbus) {
            return word;
        }
        return word >= from ? word : -1;
    }
}
