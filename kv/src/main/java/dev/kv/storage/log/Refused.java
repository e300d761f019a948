package dev.kv.storage.log;

import dev.kv.router.Reply;
import java.io.IOException;
import java.nio.file.Path;

/** A write that was refused and changed nothing, with the reply to its client. */
public final class Refused extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient Reply.Failed reply;

    public Refused(Reply.Word word, String message) {
        super(message, null, false, false);
        this.reply = new Reply.Failed(word, message);
    }

    /** The refusal for a file that cannot be written. */
    static Refused of(IOException e, Path folder) {
        return Allocation.isNoSpace(e)
                ? new Refused(
                        Reply.Word.NOSPACE, "no space is left for " + folder + ": delete keys or buckets, or make room")
                : new Refused(Reply.Word.ERR, "this node cannot write: " + e.getMessage());
    }

    public Reply.Failed reply() {
        return reply;
    }
}
