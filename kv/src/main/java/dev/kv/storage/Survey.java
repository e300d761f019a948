package dev.kv.storage;

import dev.kv.router.Bytes;
import dev.kv.router.spi.Engine.Damage;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/**
 * A look at all of a segment, damaged or not: where its records are whole, where they are not, and what stood there.
 *
 * @param sound the ranges of records that are whole
 * @param damaged the ranges between them
 * @param end where it ends; what stands behind that was never known to be on the disk
 * @param isTorn whether something does
 */
record Survey(List<Range> sound, List<Range> damaged, long records, long generation, long end, boolean isTorn) {
    /** Longer keys are not told; lengths in what is damaged say anything. */
    private static final int KEY_TOLD_MAX_BYTES = 1 << 20;

    /** Bytes of a segment. */
    record Range(long from, long to) {
        long bytes() {
            return to - from;
        }
    }

    /**
     * Looks at a part of a chain.
     *
     * @param segment the part, mapped
     * @param found is told what is lost, key by key where that can be said
     */
    static Survey of(Chain chain, Chain.Part part, Segment segment, Consumer<Damage> found) {
        return new Surveyor(chain, part, segment, found).run();
    }

    private static final class Surveyor {
        private final Chain chain;
        private final Chain.Part part;
        private final Segment segment;
        private final Consumer<Damage> found;
        private final Scan scan;
        private final List<Range> sound = new ArrayList<>();
        private final List<Range> damaged = new ArrayList<>();
        private long records;
        private long generation;

        Surveyor(Chain chain, Chain.Part part, Segment segment, Consumer<Damage> found) {
            this.chain = chain;
            this.part = part;
            this.segment = segment;
            this.found = found;
            this.scan = Scan.of(segment);
        }

        Survey run() {
            while (true) {
                String what;
                try {
                    if (scan.next()) {
                        tookSound();
                        continue;
                    }
                    boolean isAtEnd = scan.at() >= segment.end();
                    if (isAtEnd || (part.isOpenEnded() && isDoubtful() && lastByte(scan.at()) < 0)) {
                        return ended(false);
                    }
                    what = "what was written here is missing";
                } catch (Damaged e) {
                    what = e.what();
                }
                if (isDoubtful()) {
                    return ended(true);
                }
                Range range = new Range(scan.at(), behind(scan.at()));
                damaged.add(range);
                new Loss(segment, range, what, found).tell();
                scan.skipTo(range.to());
            }
        }

        private Survey ended(boolean isTorn) {
            return new Survey(sound, damaged, records, generation, scan.at(), isTorn);
        }

        private boolean isDoubtful() {
            return chain.isDoubtful(part, scan.at());
        }

        private void tookSound() {
            records++;
            generation = Math.max(generation, scan.generation());
            boolean isNext = !sound.isEmpty() && sound.getLast().to() == scan.at();
            sound.add(new Range(isNext ? sound.removeLast().from() : scan.at(), scan.end()));
        }

        /** Where what is whole begins again. */
        private long behind(long from) {
            // The length first: a value may hold what looks like a record.
            if (segment.end() - from >= Layout.RECORD_NAME) {
                long length = Layout.recordLength(segment.memory(), from);
                long next = from + length;
                boolean isLength = length >= Layout.RECORD_NAME && length % Layout.ALIGNMENT == 0;
                if (isLength && (next == segment.end() || (next < segment.end() && scan.isRecord(next)))) {
                    return next;
                }
            }
            for (long at = from + Layout.ALIGNMENT; at < segment.end(); at += Layout.ALIGNMENT) {
                if (scan.isRecord(at)) {
                    return at;
                }
            }
            if (!part.isOpenEnded()) {
                return segment.end();
            }
            long known = part.name().number() == chain.synced().number()
                    ? chain.synced().offset()
                    : 0;
            long written = Math.max(lastByte(from) + Long.BYTES, from + Layout.ALIGNMENT);
            return Math.min(Math.max(written, known), segment.end());
        }

        /** Where the last bytes stand that are not zero; -1 if there are none. */
        private long lastByte(long from) {
            for (long at = (segment.end() - Long.BYTES) & -Long.BYTES; at >= from; at -= Long.BYTES) {
                if (segment.memory().get(Layout.LONG, at) != 0) {
                    return at;
                }
            }
            return -1;
        }
    }

    /** What was in a damaged range, as far as that can be told. */
    private static final class Loss {
        private final Segment segment;
        private final Range range;
        private final String what;
        private final Consumer<Damage> found;
        private final CRC32C crc = new CRC32C();

        Loss(Segment segment, Range range, String what, Consumer<Damage> found) {
            this.segment = segment;
            this.range = range;
            this.what = what;
            this.found = found;
        }

        void tell() {
            List<Damage> lost = hasLayout() ? fields() : List.of();
            if (lost.isEmpty()) {
                found.accept(new Damage(
                        segment.path(), range.from(), range.bytes(), what, Optional.empty(), Optional.empty()));
            } else {
                lost.forEach(found);
            }
        }

        /** Whether this looks like a whole record, so that its fields can be looked for. */
        private boolean hasLayout() {
            if (range.bytes() < Layout.RECORD_NAME) {
                return false;
            }
            int type = Layout.type(segment.memory(), range.from());
            int length = Layout.recordLength(segment.memory(), range.from());
            return type == Layout.WRITE && length == range.bytes() && head() <= range.bytes() && nameBytes() >= 0;
        }

        private int nameBytes() {
            return Layout.nameBytes(segment.memory(), range.from());
        }

        private long head() {
            return Layout.recordCost(nameBytes());
        }

        /** The fields whose keys can be told: all if the record's header is sound, else those that are sound themselves. */
        private List<Damage> fields() {
            segment.checksum(crc, range.from() + Integer.BYTES, (int) head() - Integer.BYTES);
            List<Long> offsets = new ArrayList<>();
            long at = range.from() + head();
            while (range.to() - at >= Layout.FIELD_KEY) {
                long bytes = sizeOf(at);
                if (segment.keyBytes(at) < 0 || segment.valueBytes(at) < 0 || bytes > range.to() - at) {
                    break;
                }
                segment.checksum(crc, at, Layout.FIELD_KEY);
                offsets.add(at);
                at += bytes;
            }
            boolean isHeaderSound =
                    at == range.to() && Layout.recordChecksum(segment.memory(), range.from()) == (int) crc.getValue();
            Bytes bucket = Bytes.owning(segment.bytes(range.from() + Layout.RECORD_NAME, nameBytes()));
            List<Damage> lost = new ArrayList<>();
            for (long offset : offsets) {
                boolean isSound = segment.isSound(offset, segment.keyBytes(offset), segment.valueBytes(offset));
                if ((isHeaderSound || isSound) && segment.keyBytes(offset) <= KEY_TOLD_MAX_BYTES) {
                    lost.add(new Damage(
                            segment.path(),
                            isSound ? range.from() : offset,
                            isSound ? range.bytes() : sizeOf(offset),
                            isSound ? "the record of this change is damaged" : "this is not what was written",
                            Optional.of(bucket),
                            Optional.of(Bytes.owning(segment.key(offset)))));
                }
            }
            return lost;
        }

        private long sizeOf(long field) {
            return Layout.fieldLength(segment.memory(), field);
        }
    }
}
