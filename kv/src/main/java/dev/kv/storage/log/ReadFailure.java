package dev.kv.storage.log;

import dev.kv.router.Reply;
import dev.kv.router.Reply.Word;
import dev.kv.storage.format.Damaged;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What clients and operators hear when the log on the disk cannot be read as it was written. */
public final class ReadFailure {
    private static final Logger LOG = LoggerFactory.getLogger(ReadFailure.class);

    private ReadFailure() {}

    /** Tells the log of a file that does not hold what was written to it, and returns what the client hears. */
    public static Reply.Failed reply(Damaged damage) {
        LOG.error("{}", damage.getMessage());
        return new Reply.Failed(Word.ERR, damage.getMessage() + "; `kv verify` tells more");
    }

    /** The same for what the JVM makes of a SIGBUS: a page of a mapped file could not be read from the disk, or written to it. */
    public static Reply.Failed reply(InternalError unreachable) {
        LOG.error("a page of the log could not be read or written", unreachable);
        return new Reply.Failed(Word.ERR, "the disk failed: a part of the log could not be read or written");
    }
}
