package dev.kv.server.auth;

import dev.kv.router.Bytes;
import java.security.MessageDigest;

/**
 * The password that all clients of a door share. Its text never appears in a message.
 *
 * @param secret empty if clients need none
 */
public record Password(Bytes secret) {
    /** Whether a client must log in before anything else. */
    public boolean isNeeded() {
        return !secret.isEmpty();
    }

    /** Compares in a time that does not depend on where the two differ. */
    boolean is(Bytes given) {
        return MessageDigest.isEqual(given.array(), secret.array());
    }

    @Override
    public String toString() {
        return isNeeded() ? "Password[hidden]" : "Password[none]";
    }
}
