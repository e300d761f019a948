package dev.kv.server.auth;

import dev.kv.router.Bytes;
import java.util.function.BooleanSupplier;

/** Whether one client has logged in, in either protocol. On the loop of its connection. */
public final class Login {
    private final Password password;
    private final BooleanSupplier place;
    private boolean isDone;

    /** The result of an attempt. */
    public enum Outcome {
        DONE,
        WRONG_PASSWORD,
        /** The password is right, and the door has as many clients as it may have: the connection is to be closed. */
        TOO_MANY
    }

    /**
     * @param place takes a place among the clients that have logged in; false if there is none left
     */
    public Login(Password password, BooleanSupplier place) {
        this.password = password;
        this.place = place;
        forget();
    }

    /** Whether the door asks for a password at all. */
    public boolean isNeeded() {
        return password.isNeeded();
    }

    /** Whether the client may run commands. */
    public boolean isDone() {
        return isDone;
    }

    /** Logs the client in if the password is right; any password is where none is needed. */
    public Outcome attempt(Bytes given) {
        if (isNeeded() && !password.is(given)) {
            return Outcome.WRONG_PASSWORD;
        }
        if (!place.getAsBoolean()) {
            return Outcome.TOO_MANY;
        }
        isDone = true;
        return Outcome.DONE;
    }

    /** The client has to log in again, if a password is needed. */
    public void forget() {
        isDone = !isNeeded();
    }
}
