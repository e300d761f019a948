package dev.kv.server.resp;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kv.router.Reply.Names;
import dev.kv.router.Reply.Owner;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Where the next page of a scan of all buckets begins: below 2^63, and all that there is to know of the scan. Beside the
 * position it holds a mark of who keeps what, so that a scan does not go on, with names left out, where that has changed.
 *
 * @param position in the order of all nodes' names
 * @param owners the mark; 31 bits
 */
record ScanCursor(long position, int owners) {
    private static final int POSITION_BITS = 32;
    private static final long POSITION_MASK = (1L << POSITION_BITS) - 1;
    private static final int OWNERS_MASK = 0x7FFF_FFFF;

    /** The cursor that a client sends, 0 for the first page. */
    static ScanCursor of(long cursor) {
        return new ScanCursor(cursor & POSITION_MASK, (int) (cursor >>> POSITION_BITS));
    }

    /** What a client sends for the page after this one; 0 if there is none. */
    static long next(Names page) {
        return page.next() == 0 ? 0 : (long) mark(page.owners()) << POSITION_BITS | page.next();
    }

    /** Whether it was made where the same nodes kept the same names. */
    boolean fits(List<Owner> now) {
        return position == 0 || owners == mark(now);
    }

    private static int mark(List<Owner> owners) {
        CRC32C mark = new CRC32C();
        String before = "/";
        for (Owner owner : owners) {
            // Where names are split without need says nothing. No node's name holds a slash.
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
