package dev.kv.server.resp;

/** Whether a client gets replies, as it chose with {@code CLIENT REPLY}. On the loop of its connection. */
public final class ReplyMode {
    private boolean isOff;
    private boolean skipsNext;
    private boolean skips;

    /** Another request has come. */
    void nextRequest() {
        skips = skipsNext;
        skipsNext = false;
    }

    /** Whether the request that came last is not answered. */
    public boolean isMute() {
        return isOff || skips;
    }

    void on() {
        isOff = false;
        skips = false;
    }

    void off() {
        isOff = true;
    }

    /** Leaves the next request without a reply, and this one. */
    void skipNext() {
        skipsNext = true;
    }

    /** As for a new client. */
    void reset() {
        on();
        skipsNext = false;
    }
}
