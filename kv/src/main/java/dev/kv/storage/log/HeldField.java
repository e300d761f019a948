package dev.kv.storage.log;

import dev.kv.router.Held;
import dev.kv.router.Reply;
import dev.kv.storage.format.Layout;
import dev.kv.storage.format.Mapped;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.zip.CRC32C;

/** A large value, read in place from its segment, which is pinned until the value is released. */
final class HeldField implements Held {

    private final Segment segment;
    private final StoredFields fields;
    private final long field;

    /** Bytes between its header and the value: the key, and the time if it expires. */
    private final int keyBytes;

    private final int valueBytes;
    private final CRC32C crc = new CRC32C();
    private int checkedBytes;

    /** Buffer for the parts of the value while its checksum is computed. */
    private byte[] part = new byte[0];

    private boolean isReleased;

    /**
     * @param segment was {@linkplain Mapping#pin pinned} for this value
     */
    HeldField(Segment segment, long field, int keyBytes, int valueBytes) {
        this.segment = segment;
        this.fields = segment.fields();
        this.field = field;
        this.keyBytes = keyBytes;
        this.valueBytes = valueBytes;
    }

    @Override
    public int size() {
        return valueBytes;
    }

    @Override
    public Optional<Reply> check(int maxBytes, Seen seen) {
        try {
            if (checkedBytes == 0) {
                part = new byte[Math.min(valueBytes, Mapped.PART_BYTES)];
                fields.checksum(crc, field + Integer.BYTES, Layout.FIELD_KEY - Integer.BYTES + keyBytes);
            }
            int count = Math.min(maxBytes, valueBytes - checkedBytes);
            fields.checksum(crc, valueAt() + checkedBytes, count, part, seen);
            checkedBytes += count;
            if (checkedBytes < valueBytes) {
                return Optional.empty();
            }
            part = new byte[0];
            if (fields.checksum(field) != (int) crc.getValue()) {
                return Optional.of(ReadFailure.reply(fields.damaged(field)));
            }
            return Optional.of(Reply.OK);
        } catch (InternalError e) {
            return Optional.of(ReadFailure.reply(e));
        } catch (IllegalStateException isCutOff) {
            return Optional.of(
                    new Reply.Failed(Reply.Word.ERR, "the value was replaced and took too long to be read; ask again"));
        }
    }

    private long valueAt() {
        return field + Layout.FIELD_KEY + keyBytes;
    }

    @Override
    public ByteBuffer bytes() {
        return fields.view(valueAt(), valueBytes);
    }

    @Override
    public void release() {
        if (!isReleased) {
            isReleased = true;
            segment.mapping().unpin();
        }
    }
}
