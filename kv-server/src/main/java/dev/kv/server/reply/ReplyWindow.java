package dev.kv.server.reply;

import dev.kv.router.Command;
import dev.kv.router.ExpectedReply;
import dev.kv.router.Reply;

/**
 * How many requests of one client may wait for their replies: {@code kv.server.replies-max}, or fewer if as many replies of the size that is
 * expected would be more than a client may leave unread: what a client that does not read has asked of another node takes its link from
 * others, and finds no memory here. On the client's loop only.
 */
public final class ReplyWindow {
    private final int repliesMax;
    private final long bytesMax;
    private final ExpectedReply expected = new ExpectedReply();

    /** For which the size was computed. */
    private int expectedBytes;

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

    /** The reply to the command is waited for. */
    public void asked(Command command) {
        expected.asked(command);
        resize();
    }

    /** A reply has come that was waited for. */
    public void came(Reply reply) {
        expected.came(reply);
        resize();
    }

    private void resize() {
        if (expected.bytes() != expectedBytes) {
            expectedBytes = expected.bytes();
            size = Math.clamp(bytesMax / expectedBytes, 1, repliesMax);
        }
    }
}
