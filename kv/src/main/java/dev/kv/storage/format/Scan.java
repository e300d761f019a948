package dev.kv.storage.format;

import dev.kv.router.config.BadStart;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * Goes through the records of a segment, and checks every one of them unless it was {@linkplain #unchecked just written}.
 *
 * <pre>
 * while (scan.next()) {
 *     ... scan.name(), scan.generation()
 *     while (scan.nextEntry()) {
 *         ... scan.entry(), scan.kind()
 *     }
 * }
 * </pre>
 *
 * An <em>entry</em> is what the log is about: a field of a {@link Layout#WRITE} or {@link Layout#VALUE}, or any other record as a whole.
 */
public final class Scan {
    private final MemorySegment memory;
    private final Path path;
    private final long to;
    private final boolean isChecked;
    private final CRC32C crc = new CRC32C();
    private long checkedBytes;
    private long next;
    private long at;
    private long end;
    private int type;
    private int flags;
    private long generation;
    private int nameBytes;
    private long entry;
    private long nextEntry;

    /** Reads from an offset at which a record begins to one at which one ends, or to the last record before it. */
    public Scan(MemorySegment memory, Path path, long from, long to) {
        this(memory, path, from, to, true);
    }

    private Scan(MemorySegment memory, Path path, long from, long to, boolean isChecked) {
        this.memory = memory;
        this.path = path;
        this.next = from;
        this.to = to;
        this.isChecked = isChecked;
    }

    /** Reads without checking checksums, for a caller that has just written the records. */
    public static Scan unchecked(MemorySegment memory, Path path, long from, long to) {
        return new Scan(memory, path, from, to, false);
    }

    /** Says whether a range of the segment holds a live entry. */
    @FunctionalInterface
    public interface Needed {
        boolean hasAny(long from, long to);
    }

    /**
     * Moves to the next record; false if there is none.
     *
     * @throws Damaged if the bytes there are no sound record, or cannot be read; {@link #at} is their offset
     * @throws BadStart if a newer release wrote the record
     */
    public boolean next() throws Damaged {
        at = next;
        try {
            return isNext();
        } catch (InternalError sigbus) {
            throw Damaged.unreadable(path, at, sigbus);
        }
    }

    private boolean isNext() throws Damaged {
        if (to - at < Layout.RECORD_NAME || isZero()) {
            Mapped.throwFault();
            return false;
        }
        String wrong = wrong(true);
        if (wrong != null) {
            Mapped.throwFault();
            throw new Damaged(path, at, wrong);
        }
        type = Layout.type(memory, at);
        flags = Layout.flags(memory, at);
        generation = Layout.generation(memory, at);
        checkKnown();
        nextEntry = Layout.hasFields(type) ? fields() : at;
        next = end;
        return true;
    }

    /**
     * Moves to the next record with a live entry; false if there is none. Records before it are skipped by their lengths,
     * unchecked. A damaged length may seem to end the log there, so that the caller counts the live entries that it found.
     *
     * @throws Damaged as {@link #next()} does
     */
    public boolean next(Needed needed) throws Damaged {
        try {
            while (to - next >= Layout.RECORD_NAME) {
                int length = Layout.recordLength(memory, next);
                if (!isLength(length, to - next) || needed.hasAny(next, next + length)) {
                    break;
                }
                next += length;
            }
        } catch (InternalError sigbus) {
            throw Damaged.unreadable(path, next, sigbus);
        }
        return next();
    }

    private static boolean isLength(int length, long max) {
        return length >= Layout.RECORD_NAME && length % Layout.ALIGNMENT == 0 && length <= max;
    }

    /**
     * Why the bytes here are no record; null if they are one.
     *
     * @param hasContent whether its keys and values have to be sound, too
     */
    private String wrong(boolean hasContent) {
        int length = Layout.recordLength(memory, at);
        nameBytes = Layout.nameBytes(memory, at);
        long head = Layout.recordCost(nameBytes);
        if (!isLength(length, to - at) || nameBytes < 0 || head > length) {
            return "no record begins here";
        }
        end = at + length;
        if (!isChecked || isSound(head, hasContent)) {
            return null;
        }
        Mapped.throwFault();
        return "the checksum of a record is wrong";
    }

    /** Moves to an offset; returns whether a sound record begins there, which can be read. */
    public boolean isRecord(long offset) {
        return isRecord(offset, true);
    }

    /** Does the same for a record whose header is sound, whatever its keys and values are. */
    public boolean isHeader(long offset) {
        return isRecord(offset, false);
    }

    private boolean isRecord(long offset, boolean hasContent) {
        next = offset;
        at = offset;
        try {
            boolean isOne = to - at >= Layout.RECORD_NAME && !isZero() && wrong(hasContent) == null;
            if (!isOne && at % Mapped.PAGE_MIN_BYTES > Mapped.PAGE_MIN_BYTES - Layout.RECORD_NAME) {
                // Its header reaches into the next page.
                Mapped.throwFault();
            }
            return isOne;
        } catch (InternalError sigbus) {
            return false;
        }
    }

    /** Whether the header here is all zeros: nothing was written. */
    private boolean isZero() {
        for (int word = 0; word < Layout.RECORD_NAME; word += Long.BYTES) {
            if (memory.get(Layout.LONG, at + word) != 0) {
                return false;
            }
        }
        return true;
    }

    /** Number of bytes whose checksums were computed. */
    public long checkedBytes() {
        return checkedBytes;
    }

    private boolean isSound(long head, boolean hasContent) {
        crc.reset();
        checkedBytes += head;
        Mapped.checksum(memory, crc, at + Integer.BYTES, (int) head - Integer.BYTES);
        long offset = at + head;
        while (offset < end) {
            if (end - offset < Layout.FIELD_KEY) {
                return false;
            }
            int key = Layout.keyBytes(memory, offset);
            int value = Layout.valueBytes(memory, offset);
            if (key < 0 || value < 0) {
                return false;
            }
            long content = Layout.fieldLength(key, value);
            if (content > end - offset) {
                return false;
            }
            checkedBytes += hasContent ? content : Layout.FIELD_KEY;
            if (hasContent && !Mapped.isSoundField(memory, offset, key, value)) {
                return false;
            }
            Mapped.checksum(memory, crc, offset, Layout.FIELD_KEY);
            offset += content;
        }
        return Layout.recordChecksum(memory, at) == (int) crc.getValue();
    }

    private void checkKnown() {
        boolean isKnown = switch (type) {
            case Layout.WRITE, Layout.PUBLISH, Layout.VALUE, Layout.EXPIRE ->
                (flags & ~Layout.MORE & ~Layout.HIDDEN) == 0;
            case Layout.BUCKET -> (flags & ~Layout.MORE & ~Layout.HIDDEN) == Layout.KEPT;
            case Layout.DROP -> (flags & ~Layout.MORE) == 0;
            default -> false;
        };
        int fields = 0;
        for (long offset = fields(); isKnown && offset < end; offset += sizeOf(offset)) {
            int kind = Layout.kind(memory, offset);
            isKnown = switch (type) {
                case Layout.WRITE -> isSetting(offset) || kind == Layout.DELETE;
                case Layout.PUBLISH -> kind == Layout.RECORD_NAMES;
                case Layout.VALUE -> isSetting(offset) && Layout.keyBytes(memory, offset) == 0;
                case Layout.EXPIRE ->
                    kind == Layout.SET_UNTIL
                            && Layout.keyBytes(memory, offset) == 0
                            && Layout.valueBytes(memory, offset) == Layout.TIME_BYTES
                            && Layout.until(memory, offset) >= 0;
                default -> false;
            };
            fields++;
        }
        boolean hasOne = type == Layout.PUBLISH || type == Layout.VALUE || type == Layout.EXPIRE;
        if (!isKnown || (hasOne && fields != 1)) {
            throw new BadStart(path + " holds a record at byte " + at
                    + " that this release does not know: a newer one wrote it, use that one");
        }
    }

    private boolean isSetting(long field) {
        int kind = Layout.kind(memory, field);
        return kind == Layout.SET || (kind == Layout.SET_UNTIL && hasTime(field) && Layout.until(memory, field) > 0);
    }

    private boolean hasTime(long field) {
        return Layout.valueBytes(memory, field) >= Layout.TIME_BYTES;
    }

    private long fields() {
        return at + Layout.recordCost(nameBytes);
    }

    private long sizeOf(long offset) {
        return Layout.fieldLength(memory, offset);
    }

    /** Offset of the record, or at which {@link #next} found none. */
    public long at() {
        return at;
    }

    /** Offset behind the record. */
    public long end() {
        return end;
    }

    /** The type of the record. */
    public int type() {
        return type;
    }

    /** Whether the next record belongs to the same change. */
    public boolean hasMore() {
        return (flags & Layout.MORE) != 0;
    }

    /** Flags of the record without {@link Layout#MORE}. */
    public int flags() {
        return flags & ~Layout.MORE;
    }

    /** Whether the bucket is identified by its generation alone, not by the name in the record. */
    public boolean isHidden() {
        return (flags & Layout.HIDDEN) != 0;
    }

    /** The name that the records of the bucket of a {@link Layout#PUBLISH} carry. */
    public byte[] recordName() {
        return key(fields());
    }

    public long generation() {
        return generation;
    }

    int nameBytes() {
        return nameBytes;
    }

    public byte[] name() {
        return Mapped.bytes(memory, at + Layout.RECORD_NAME, nameBytes);
    }

    /** Moves to the next entry of the record; false if there is none. */
    public boolean nextEntry() {
        entry = nextEntry;
        if (entry >= end) {
            return false;
        }
        nextEntry = hasFields() ? entry + sizeOf(entry) : end;
        return true;
    }

    /** The key of the entry, which is a field. */
    public byte[] key() {
        return key(entry);
    }

    private byte[] key(long field) {
        return Mapped.bytes(memory, field + Layout.FIELD_KEY, Layout.keyBytes(memory, field));
    }

    /** Offset of the entry. */
    public long entry() {
        return entry;
    }

    /** Whether the entries of the record are its fields. */
    public boolean hasFields() {
        return Layout.hasFields(type);
    }

    /** Whether the entry is the only field of its record. */
    public boolean isAlone() {
        return hasFields() && entry == fields() && nextEntry == end;
    }

    /** The kind of a field of a {@link Layout#WRITE}; else the type of the record, or {@link Layout#VALUE_UNTIL}. */
    public int kind() {
        return switch (type) {
            case Layout.WRITE -> Layout.kind(memory, entry);
            case Layout.VALUE -> Layout.timeBytes(memory, entry) == 0 ? Layout.VALUE : Layout.VALUE_UNTIL;
            default -> type;
        };
    }

    /** When what the entry is about expires; 0 if it does not. */
    public long until() {
        return Layout.hasTime(kind()) ? Layout.until(memory, hasFields() ? entry : fields()) : 0;
    }

    /** Bytes that the entry would take in a record of its own. */
    public long cost() {
        return hasFields() ? Layout.fieldCost(nameBytes, memory, entry) : end - at;
    }

    /** Continues at an offset, behind damage. */
    public void skipTo(long offset) {
        next = offset;
    }
}
