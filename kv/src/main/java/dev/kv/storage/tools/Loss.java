package dev.kv.storage.tools;

import dev.kv.router.Bytes;
import dev.kv.router.spi.Engine.Damage;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mapped;
import dev.kv.storage.log.Segment;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/** Reports what a damaged range of a segment held, as far as that can be found out. */
final class Loss {
    /** Longest key that is reported, in bytes: a damaged length may be any number. */
    private static final int KEY_TOLD_MAX_BYTES = 1 << 20;

    private final Segment segment;
    private final Inspection.Range range;
    private final String what;
    private final Consumer<Damage> found;
    private final CRC32C crc = new CRC32C();

    Loss(Segment segment, Inspection.Range range, String what, Consumer<Damage> found) {
        this.segment = segment;
        this.range = range;
        this.what = what;
        this.found = found;
    }

    void tell() {
        Optional<Bytes> bucket = Optional.empty();
        try {
            if ((isLikeA(Layout.WRITE) || isLikeA(Layout.VALUE)) && areFieldsTold()) {
                return;
            }
            // With a publish record all goes that the bucket holds, or comes back under another name; without an expire
            // record it stays.
            bucket = isLikeA(Layout.PUBLISH) || isLikeA(Layout.EXPIRE) ? Optional.of(bucket()) : Optional.empty();
            Mapped.throwFault();
        } catch (InternalError sigbus) {
            bucket = Optional.empty();
        }
        found.accept(new Damage(segment.path(), range.from(), range.bytes(), what, bucket, Optional.empty()));
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

    /**
     * Reports the fields whose keys are known: all if the header of the record is sound, else those that are sound themselves. Each at
     * once: a record may hold millions. Returns whether there is one.
     */
    private boolean areFieldsTold() {
        long end = fieldsEnd();
        boolean isHeaderSound =
                end == range.to() && Layout.recordChecksum(segment.memory(), range.from()) == (int) crc.getValue();
        Mapped.throwFault();
        Bytes bucket = bucket();
        boolean isValue = isLikeA(Layout.VALUE);
        String wrong = isValue ? "the checksum of the value is wrong" : "the checksum of the field is wrong";
        boolean isAnyTold = false;
        for (long at = range.from() + head(); at < end; at += sizeOf(at)) {
            int keyBytes = segment.fields().keyBytes(at);
            boolean isSound = segment.fields().isSound(at, keyBytes, Layout.valueBytes(segment.memory(), at));
            if ((isHeaderSound || isSound) && keyBytes <= KEY_TOLD_MAX_BYTES) {
                found.accept(new Damage(
                        segment.path(),
                        isSound ? range.from() : at,
                        isSound ? range.bytes() : sizeOf(at),
                        isSound ? "the record of this change is damaged" : wrong,
                        Optional.of(bucket),
                        isValue
                                ? Optional.empty()
                                : Optional.of(Bytes.owning(segment.fields().key(at)))));
                isAnyTold = true;
            }
        }
        return isAnyTold;
    }

    /** Where the fields of the record end, as far as their lengths are possible; adds their headers to the checksum. */
    private long fieldsEnd() {
        segment.fields().checksum(crc, range.from() + Integer.BYTES, (int) head() - Integer.BYTES);
        long at = range.from() + head();
        while (range.to() - at >= Layout.FIELD_KEY && isFieldLength(at)) {
            segment.fields().checksum(crc, at, Layout.FIELD_KEY);
            at += sizeOf(at);
        }
        return at;
    }

    private boolean isFieldLength(long at) {
        return segment.fields().keyBytes(at) >= 0
                && Layout.valueBytes(segment.memory(), at) >= 0
                && sizeOf(at) <= range.to() - at;
    }

    private long sizeOf(long field) {
        return Layout.fieldLength(segment.memory(), field);
    }
}
