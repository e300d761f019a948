package dev.kv.router;

/**
 * How long the next reply to one client is expected to be, if it may hold a value: as long as the longest of the last ones. Who asks another
 * node limits by this what is on its way back, whose length only the other node knows. On one thread only.
 */
public final class ExpectedReply {
    /** A reply counts for no more: nodes send longer ones in chunks, which hold up no other. */
    public static final int MOST_BYTES = 64 * 1024;

    /** Of a client of whose replies nothing is known yet. */
    private static final int UNKNOWN_BYTES = 16 * 1024;

    /** After a shorter reply a sixteenth less is expected. */
    private static final int DECAY_SHIFT = 4;

    private int bytes = 1;
    private boolean isAsked;
    private boolean isKnown;

    /** At least 1. */
    public int bytes() {
        return bytes;
    }

    /** Whether a command was run whose reply may hold a value. */
    public boolean isOfValues() {
        return isAsked;
    }

    /** The command is run, whose reply may be one to expect. */
    public void asked(Command command) {
        if (!isAsked && LongReply.mayHoldValues(command)) {
            isAsked = true;
            isKnown = false;
            bytes = UNKNOWN_BYTES;
        }
    }

    /** A reply has come. That of a write says little of the values, and a failure nothing. */
    public void came(Reply reply) {
        if (reply instanceof Reply.Failed) {
            return;
        }
        boolean isOfWrite = reply instanceof Reply.Ok || reply instanceof Reply.Amount;
        int length = Math.clamp(LongReply.bytes(reply), 1, MOST_BYTES);
        bytes = isKnown || isOfWrite ? Math.max(length, bytes - (bytes >> DECAY_SHIFT)) : length;
        isKnown |= !isOfWrite;
    }
}
