package dev.kv.storage.log;

import dev.kv.router.Reply;

/** A write that could not be done, and changed nothing: what its client should hear. */
public final class Refused extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient Reply.Failed reply;

    public Refused(Reply.Word word, String message) {
        super(message, null, false, false);
        this.reply = new Reply.Failed(word, message);
    }

    public Reply.Failed reply() {
        return reply;
    }
}
