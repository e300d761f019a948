package dev.kv.router.peer.codec;

/** Bytes that are not of the protocol between nodes. */
public class MalformedMessage extends Exception {
    private static final long serialVersionUID = 1L;

    /**
     * @param message what is wrong, in one line
     */
    public MalformedMessage(String message) {
        super(message);
    }
}
