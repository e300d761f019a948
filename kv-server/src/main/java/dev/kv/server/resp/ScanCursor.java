package dev.kv.server.resp;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Reply.Names;
import dev.kv.router.Reply.Owner;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * The cursor of a scan over all buckets: a number below 2^63 that holds the whole state of the scan. It has a checksum of the owners
 * of the names, so that a scan ends with an error, and not with missing names, when a routing table moved buckets.
 *
 * @param position in the order of the names on all nodes
 * @param owners the checksum of the owners; 31 bits
 */
record ScanCursor(long position, int owners) {
    private static final int POSITION_BITS = 32;
    private static final long POSITION_MASK = (1L << POSITION_BITS) - 1;
    private static final int OWNERS_MASK = 0x7FFF_FFFF;

    /** The cursor that a client sends, 0 for the first page. */
    static ScanCursor of(long cursor) {
        return new ScanCursor(cursor & POSITION_MASK, (int) (cursor >>> POSITION_BITS));
    }

    /** The cursor of the page after this one; 0 if this is the last. */
    static long next(Names page) {
        return page.next() == 0 ? 0 : (long) mark(page.owners()) << POSITION_BITS | page.next();
    }

    /** Whether the same nodes own the same names as when the cursor was made. */
    boolean fits(List<Owner> now) {
        return position == 0 || owners == mark(now);
    }

    private static int mark(List<Owner> owners) {
        CRC32C mark = new CRC32C();
        String before = "/";
        for (Owner owner : owners) {
            // Adjacent spans of one owner count as one span. No node's name holds a slash.
            if (!owner.node().equals(before)) {
                mark.update(ByteBuffer.allocate(Integer.BYTES)
                        .putInt(owner.from().size())
                        .flip());
                mark.update(owner.from().array());
                mark.update(owner.node().getBytes(UTF_8));
                mark.update(0);
                before = owner.node();
            }
        }
        return (int) mark.getValue() & OWNERS_MASK;
    }
}
