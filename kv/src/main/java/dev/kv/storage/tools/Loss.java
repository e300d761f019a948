package dev.kv.storage.tools;

import dev.kv.router.Bytes;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mapped;
import dev.kv.storage.log.Segment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/** Reports what a damaged range of a segment held, as far as that can be found out. */
final class Loss {
    /** Longest key that is reported, in bytes: a damaged length may be any number. */
    private static final int KEY_TOLD_MAX_BYTES = 1 << 20;

    private final Segment segment;
    private final Survey.Range range;
    private final String what;
    private final Consumer<Damage> found;
    private final CRC32C crc = new CRC32C();

    Loss(Segment segment, Survey.Range range, String what, Consumer<Damage> found) {
        this.segment = segment;
        this.range = range;
        this.what = what;
        this.found = found;
    }

    void tell() {
        lost().forEach(found);
    }

    private List<Damage> lost() {
        Optional<Bytes> bucket = Optional.empty();
        try {
            List<Damage> lost = isLikeA(Layout.WRITE) ? fields() : List.of();
            // With a publish record all goes that the bucket holds, or comes back under another name.
            bucket = isLikeA(Layout.PUBLISH) ? Optional.of(bucket()) : Optional.empty();
            Mapped.throwFault();
            if (!lost.isEmpty()) {
                return lost;
            }
        } catch (InternalError sigbus) {
            bucket = Optional.empty();
        }
        return List.of(new Damage(segment.path(), range.from(), range.bytes(), what, bucket, Optional.empty()));
    }

    /** Whether the range looks like one whole record of a type. */
    private boolean isLikeA(int type) {
        if (range.bytes() < Layout.RECORD_NAME || range.to() > segment.end()) {
            return false;
        }
        int length = Layout.recordLength(segment.memory(), range.from());
        return Layout.type(segment.memory(), range.from()) == type
                && length == range.bytes()
                && head() <= range.bytes()
                && nameBytes() >= 0;
    }

    private Bytes bucket() {
        return Bytes.owning(segment.fields().bytes(range.from() + Layout.RECORD_NAME, nameBytes()));
    }

    private int nameBytes() {
        return Layout.nameBytes(segment.memory(), range.from());
    }

    private long head() {
        return Layout.recordCost(nameBytes());
    }

    /** The fields whose keys are known: all if the header of the record is sound, else those that are sound themselves. */
    private List<Damage> fields() {
        segment.fields().checksum(crc, range.from() + Integer.BYTES, (int) head() - Integer.BYTES);
        List<Long> offsets = new ArrayList<>();
        long at = range.from() + head();
        while (range.to() - at >= Layout.FIELD_KEY) {
            long bytes = sizeOf(at);
            if (segment.fields().keyBytes(at) < 0 || segment.fields().valueBytes(at) < 0 || bytes > range.to() - at) {
                break;
            }
            segment.fields().checksum(crc, at, Layout.FIELD_KEY);
            offsets.add(at);
            at += bytes;
        }
        boolean isHeaderSound =
                at == range.to() && Layout.recordChecksum(segment.memory(), range.from()) == (int) crc.getValue();
        Bytes bucket = bucket();
        List<Damage> lost = new ArrayList<>();
        for (long offset : offsets) {
            boolean isSound = segment.fields()
                    .isSound(
                            offset,
                            segment.fields().keyBytes(offset),
                            segment.fields().valueBytes(offset));
            if ((isHeaderSound || isSound) && segment.fields().keyBytes(offset) <= KEY_TOLD_MAX_BYTES) {
                lost.add(new Damage(
                        segment.path(),
                        isSound ? range.from() : offset,
                        isSound ? range.bytes() : sizeOf(offset),
                        isSound ? "the record of this change is damaged" : "the checksum of the field is wrong",
                        Optional.of(bucket),
                        Optional.of(Bytes.owning(segment.fields().key(offset)))));
            }
        }
        return lost;
    }

    private long sizeOf(long field) {
        return Layout.fieldLength(segment.memory(), field);
    }
}
