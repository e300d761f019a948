package dev.kv.server.reply;

import dev.kv.router.LongReply;
import dev.kv.router.Reply;

/**
 * How many requests of one client may wait for their replies: {@code kv.server.replies-max}, or fewer if as many replies of the size of the
 * last ones would be more than a client may leave unread: what a client that does not read has asked of another node takes its link from
 * others, and finds no memory here. On the client's loop only.
 */
public final class ReplyWindow {
    /** A reply counts for no more: nodes send larger ones in chunks, which hold up no other. */
    private static final int COUNTED_MAX_BYTES = 64 * 1024;

    /** After a short reply a sixteenth less is expected: the window is open wide after some 70 of them. */
    private static final int DECAY_SHIFT = 4;

    private final int repliesMax;
    private final long bytesMax;

    /** Short ones before the first reply. */
    private long expectedBytes = 1;

    private int size;

    /**
     * @param repliesMax the most requests that wait
     * @param bytesMax the most bytes of the replies that are expected
     */
    public ReplyWindow(int repliesMax, long bytesMax) {
        this.repliesMax = repliesMax;
        this.bytesMax = bytesMax;
        resize();
    }

    /** The most requests that may wait now; at least 1. */
    public int size() {
        return size;
    }

    /** A reply has come that was waited for. */
    public void came(Reply reply) {
        long bytes = Math.min(LongReply.bytes(reply), COUNTED_MAX_BYTES);
        long before = expectedBytes;
        expectedBytes = Math.max(bytes, before - (before >> DECAY_SHIFT));
        if (expectedBytes != before) {
            resize();
        }
    }

    private void resize() {
        size = Math.clamp(bytesMax / expectedBytes, 1, repliesMax);
    }
}
